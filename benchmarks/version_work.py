"""One measurement of `versions.py`, in the environment of either version: `version_work.py timed WORK ROUNDS`."""

from collections.abc import Callable
from contextlib import suppress
from typing import Any

import numpy as np
import torch

import tacit as tc
import workloads
from environments import answer
from timing import cpu_seconds


def planning() -> Callable[[], object]:
    """Return a decision of CEM with a tiny world model."""
    model = tc.models.WorldModel.for_spec(workloads.SPEC, size="tiny", frameskip=5)
    agent = tc.Agent(model, tc.planners.CEM(samples=64, iterations=5, elites=8), tc.costs.Goal(), horizon=5)
    rng = np.random.default_rng(0)
    seen, goal = ({"pixels": rng.integers(0, 256, (1, 3, 64, 64), dtype=np.uint8)} for _ in range(2))
    return lambda: agent.act(agent.start(seed=0, goal=goal), seen)


def training() -> Callable[[], object]:
    """Return a training step of a tiny world model."""
    model = tc.models.WorldModel.for_spec(workloads.SPEC, size="tiny", frameskip=5).train()
    objective = tc.objectives.Prediction() + 0.09 * tc.objectives.SIGReg(slices=256)
    optimizer = torch.optim.AdamW(model.parameters(), fused=True)
    batch = workloads.windows(workloads.recording(16, 41), frameskip=5)

    def step() -> None:
        optimizer.zero_grad()
        objective(model.forecast(batch()), 0).total.backward()
        optimizer.step()

    return step


WORKS: dict[str, tuple[Callable[[], Callable[[], object]], int]] = {
    "planning": (planning, 5),
    "training": (training, 3),
    "windows": (lambda: workloads.windows(workloads.recording(50, 100)), 200),
    "frames": (lambda: workloads.frames(1), 2000),
}
"""Works and their calls in a round."""


def timed(name: str, rounds: int) -> dict[str, Any]:
    make, calls = WORKS[name]
    with suppress(AttributeError):  # version 0.1 did this when a model was made; now `tc.train` does
        tc.tune_cpu()
    work = make()
    cpu_seconds(work, 1, calls)
    return {"seconds": float(np.median(cpu_seconds(work, rounds, calls)))}


if __name__ == "__main__":
    answer(timed=timed)
