"""Two processes train as one does."""

import multiprocessing as mp
import socket
from pathlib import Path

import torch
import torch.distributed as dist

import tacit as tc
from tacit.objectives import InverseDynamics, Prediction, SIGReg, VICReg
from training import small


def learn(to: Path) -> dict[str, torch.Tensor]:
    learner = small.model()
    objective = Prediction(steps=2) + 0.1 * SIGReg(16) + VICReg(0.1, 0.1) + 0.1 * InverseDynamics(hidden=(8,))
    tc.train(
        learner,
        objective,
        small.episodes().clips(4),
        steps=12,
        seed=3,
        to=to,
        batch_size=8,
        log_every=5,
        checkpoint_every=5,
        threads=1,
    )
    return learner.state_dict()


def _process(rank: int, port: int, to: Path) -> None:
    dist.init_process_group("gloo", init_method=f"tcp://127.0.0.1:{port}", rank=rank, world_size=2)
    learn(to)
    dist.destroy_process_group()


def test_two_processes_train_the_model_of_one(tmp_path: Path) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    context = mp.get_context("spawn")
    processes = [context.Process(target=_process, args=(rank, port, tmp_path / "two")) for rank in range(2)]
    for process in processes:
        process.start()
    alone = learn(tmp_path / "one")
    for process in processes:
        process.join(timeout=120)
        assert process.exitcode == 0
    together = tc.checkpoint.load_model(tmp_path / "two").state_dict()
    for name, value in alone.items():
        torch.testing.assert_close(
            together[name], value, rtol=1e-3, atol=1e-5, msg=lambda text, name=name: f"{name}: {text}"
        )
