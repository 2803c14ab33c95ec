"""Two processes agree with one: the value and the gradient of what is averaged over them."""

import multiprocessing as mp
import socket

import pytest
import torch
import torch.distributed as dist

from tacit.nn.collectives import all_mean, world_size


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _latents() -> torch.Tensor:
    return torch.randn(8, 4, 6, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


def _losses(latents: torch.Tensor) -> dict[str, tuple[torch.Tensor, torch.Tensor]]:
    """Value and gradient of every regulariser that a batch over several processes must not change."""
    from tacit.objectives import Covariance, SIGReg, Variance
    from tacit.types import Forecast

    found = {}
    for term in (SIGReg(32), SIGReg(32, over="pooled", name="pooled"), Variance(), Covariance(over="pooled")):
        z = latents.clone().requires_grad_()
        loss = term(Forecast(z * 0.7, z, z[:, 1:], ()), seed=5).total
        loss.backward()
        found[term.name] = (loss.detach(), z.grad)
    return found


def _process(rank: int, port: int, results: "mp.Queue[object]") -> None:
    torch.set_num_threads(1)
    dist.init_process_group("gloo", init_method=f"tcp://127.0.0.1:{port}", rank=rank, world_size=2)
    mean = all_mean(torch.tensor([float(rank), 4.0]))
    found = {name: (float(value), grad.tolist()) for name, (value, grad) in _losses(_latents()[4 * rank :][:4]).items()}
    results.put((rank, mean.tolist(), found))
    dist.barrier()
    dist.destroy_process_group()


def test_one_process_is_left_alone() -> None:
    x = torch.ones(3, requires_grad=True)
    assert world_size() == 1
    assert all_mean(x) is x


def test_two_processes_give_the_value_and_the_gradient_of_one() -> None:
    context = mp.get_context("spawn")
    results = context.Queue()
    port = _free_port()
    processes = [context.Process(target=_process, args=(rank, port, results)) for rank in range(2)]
    for process in processes:
        process.start()
    answers = sorted(results.get(timeout=120) for _ in processes)
    for process in processes:
        process.join(timeout=60)
        assert process.exitcode == 0
    whole = _losses(_latents())
    for rank, mean, found in answers:
        assert mean == [0.5, 4.0]
        for name, (value, gradient) in found.items():
            assert value == pytest.approx(float(whole[name][0]), rel=1e-9), name
            # Data-parallel training averages gradients over the processes; each holds the sum over its copies.
            expected = 2 * whole[name][1][4 * rank :][:4]
            torch.testing.assert_close(torch.tensor(gradient, dtype=torch.float64), expected, rtol=1e-8, atol=1e-12)
