"""Two processes train as one does, and stop as one does."""

import math
from pathlib import Path

import pytest
import torch
import torch.distributed as dist

import tacit as tc
import two_processes
from tacit.errors import TrainingError
from tacit.objectives import InverseDynamics, Prediction, SIGReg, Term, VICReg
from tacit.types import Forecast
from training import masked, small


def learn(to: Path, seed: int = 0) -> dict[str, torch.Tensor]:
    learner = small.model(seed=seed)
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


class BrokenOnOne(Term):
    """Not a number, in its value or only in its gradient, on the second process alone."""

    def __init__(self, where: str) -> None:
        super().__init__("broken")
        self.where = where

    def loss(self, forecast: Forecast, _seed: int, /) -> torch.Tensor:
        still = forecast.latents * 0
        if dist.get_rank() == 0:
            return still.sum()
        return still.sum() * math.nan if self.where == "value" else still.square().sum().sqrt()


def _learn(rank: int, to: Path) -> None:
    mine = learn(to, seed=rank)
    dist.barrier()
    for name, value in tc.checkpoint.load_model(to).state_dict().items():
        torch.testing.assert_close(mine[name], value, rtol=0, atol=0)


def _draw(rank: int, to: Path) -> None:
    masks, crops = masked.record(to / "masks", steps=2)
    term = small.Drawing()
    options = {"steps": 2, "seed": 3, "to": to / "terms", "batch_size": 8, "threads": 1}
    tc.train(small.model(), Prediction() + term, small.episodes().clips(3), **options)
    torch.save({"masks": masks, "crops": crops, "seeds": term.seeds, "drawn": term.drawn}, to / f"{rank}.pt")


def _stop(_rank: int, to: Path) -> None:
    for where, message in (("value", "the loss of term 'broken' is nan"), ("gradient", "gradient of term 'broken' by")):
        # After a term that the processes compute together, so that one of them could wait for the other.
        objective = 0.1 * SIGReg(16) + BrokenOnOne(where)
        with pytest.raises(TrainingError, match=message):
            tc.train(small.model(), objective, small.episodes().clips(3), steps=2, seed=0, to=to / where, threads=1)


def test_what_is_not_finite_on_one_process_stops_both(tmp_path: Path) -> None:
    two_processes.finish(two_processes.start(_stop, tmp_path))


def test_two_processes_train_the_model_of_one_whatever_the_second_began_with(tmp_path: Path) -> None:
    processes = two_processes.start(_learn, tmp_path / "two")
    alone = learn(tmp_path / "one")
    two_processes.finish(processes)
    together = tc.checkpoint.load_model(tmp_path / "two").state_dict()
    for name, value in alone.items():
        torch.testing.assert_close(
            together[name], value, rtol=1e-3, atol=1e-5, msg=lambda text, name=name: f"{name}: {text}"
        )


def test_processes_draw_masks_of_one_size_at_places_of_their_own(tmp_path: Path) -> None:
    two_processes.finish(two_processes.start(_draw, tmp_path))
    first, second = (torch.load(tmp_path / f"{rank}.pt") for rank in range(2))
    for step in range(2):
        mine, theirs = first["masks"][step], second["masks"][step]
        assert mine.shape == theirs.shape == (4, mine.shape[1])
        assert not torch.equal(mine, theirs)
        assert not torch.equal(first["crops"][step], second["crops"][step])
        assert first["seeds"][step] == second["seeds"][step], "terms draw alike"
        assert first["drawn"][step] != second["drawn"][step], "dropout differs"
    for one in (first, second):
        assert one["seeds"][0] != one["seeds"][1] and one["drawn"][0] != one["drawn"][1]
        assert not torch.equal(one["crops"][0], one["crops"][1])
        steps = one["masks"]
        assert steps[0].shape != steps[1].shape or not torch.equal(steps[0], steps[1])
