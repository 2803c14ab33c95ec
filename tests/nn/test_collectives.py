"""Two processes agree with one: the value and the gradient of what is averaged over them."""

from pathlib import Path

import torch

import two_processes
from tacit.nn.collectives import all_mean, world_size


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


def _process(rank: int, to: Path) -> None:
    torch.set_num_threads(1)
    mean = all_mean(torch.tensor([float(rank), 4.0]))
    torch.save((mean, _losses(_latents()[4 * rank :][:4])), to / f"{rank}.pt")


def test_one_process_is_left_alone() -> None:
    x = torch.ones(3, requires_grad=True)
    assert world_size() == 1
    assert all_mean(x) is x


def test_two_processes_give_the_value_and_the_gradient_of_one(tmp_path: Path) -> None:
    two_processes.finish(two_processes.start(_process, tmp_path))
    whole = _losses(_latents())
    for rank in range(2):
        mean, found = torch.load(tmp_path / f"{rank}.pt")
        assert mean.tolist() == [0.5, 4.0]
        for name, (value, gradient) in found.items():
            torch.testing.assert_close(value, whole[name][0], rtol=1e-9, atol=0, msg=name)
            # Data-parallel training averages gradients over the processes; each holds the sum over its copies.
            torch.testing.assert_close(gradient, 2 * whole[name][1][4 * rank :][:4], rtol=1e-8, atol=1e-12)
