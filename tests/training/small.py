"""A training small enough for tests that exercises every part of it; run as a script, it dies on the way.

    python small.py DIRECTORY STEP

trains and kills its own process with SIGKILL before the update of STEP.
"""

import os
import signal
import sys
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

import tacit as tc
from tacit.data import Clips, Episodes
from tacit.models import WorldModel
from tacit.objectives import InverseDynamics, Objective, Prediction, SIGReg, Term
from tacit.training import TrainingReport
from tacit.types import Box, Episode, Forecast, Modality, Spec

STEPS = 40
STATE = Spec({"state": Modality("vector", (3,))}, Box((-1.0, -1.0), (1.0, 1.0)))
SMALL = {
    "latent": 6,
    "encoders": {"pixels": {"features": 16}, "vector": {"features": 16}},
    "predictor": {"width": 16},
}
TRANSFORMER = {"name": "transformer", "history": 2, "width": 16, "depth": 1, "dropout": 0.2}
BOTH = replace(STATE, modalities={"pixels": Modality("pixels", (3, 16, 16)), **STATE.modalities})


def episodes(count: int = 6, length: int = 30, seed: int = 0, spec: Spec = STATE) -> Episodes:
    """A point that random actions push about: the state is its position and its sum, the pixels are noise."""
    rng = np.random.default_rng(seed)
    made = []
    for index in range(count):
        action = rng.uniform(-1, 1, (length - 1, 2)).astype(np.float32)
        position = np.concatenate([np.zeros((1, 2)), action.cumsum(0)]) + rng.normal(size=2)
        state = np.concatenate([position, position.sum(1, keepdims=True)], axis=1).astype(np.float32)
        pixels = rng.integers(0, 256, (length, 3, 16, 16), dtype=np.uint8)
        seen = {name: {"state": state, "pixels": pixels}[name] for name in spec.modalities}
        made.append(Episode(seen, action, labels={"position": position}, index=index))
    return tc.data.from_episodes(made, spec)


def model(spec: Spec = STATE, seed: int = 0, **options: object) -> WorldModel:
    return WorldModel.for_spec(spec, seed=seed, **{**SMALL, **options})


def objective() -> Objective:
    return Prediction(steps=2) + 0.1 * SIGReg(slices=16) + 0.1 * InverseDynamics(hidden=(8,))


def run(to: Path, clips: Clips | None = None, **options: object) -> tuple[WorldModel, TrainingReport]:
    """Train with convolutions, dropout, an EMA target, a head of the objective's own and normalised batches."""
    learner = model(BOTH, target="ema", predictor=TRANSFORMER, projector_width=16)
    report = tc.train(
        learner,
        objective(),
        clips or episodes(spec=BOTH).clips(4),
        **{"steps": STEPS, "seed": 3, "to": to, "batch_size": 8, "log_every": 5, "checkpoint_every": 7, "threads": 1}
        | options,
    )
    return learner, report


class Drawing(Term):
    """A term of no weight on the model that notes its seed, and what torch's own generator draws, at each step."""

    def __init__(self) -> None:
        super().__init__("drawing")
        self.seeds: list[int] = []
        self.drawn: list[float] = []

    def loss(self, forecast: Forecast, seed: int, /) -> torch.Tensor:
        self.seeds.append(seed)
        self.drawn.append(torch.rand((), dtype=torch.float64).item())
        return forecast.latents.mean() * 0


class Deadly(Clips):
    """Clips whose reader kills the process before it hands out the batch of one step."""

    step = STEPS

    def batches(self, size: int, seed: int = 0, *, start: int = 0, **options: object) -> Iterator[object]:
        with closing(iter(super().batches(size, seed, start=start, **options))) as batches:
            for step, clip in enumerate(batches, start=start):
                if step == self.step:
                    os.kill(os.getpid(), signal.SIGKILL)
                yield clip


if __name__ == "__main__":
    deadly = Deadly(episodes(spec=BOTH), 4, 1, tuple(BOTH.modalities))
    deadly.step = int(sys.argv[2])
    run(Path(sys.argv[1]), deadly)
