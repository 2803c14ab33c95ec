"""Public calls whose speed is measured: each function prepares a work and returns it as a callable.

They also run in environments of other versions.
"""

import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import torch

import tacit as tc

SIZE, WINDOW, BATCH, BLOCK = 64, 4, 32, 5
SPEC = tc.Spec({"pixels": tc.Modality("pixels", (3, SIZE, SIZE))}, tc.Box((-1.0,) * 2, (1.0,) * 2, "velocity"))


def recording(episodes: int, length: int) -> tc.data.Episodes:
    """Return episodes of random pixels and actions."""
    rng = np.random.default_rng(0)
    made = [
        tc.Episode(
            {"pixels": rng.integers(0, 256, (length, 3, SIZE, SIZE), dtype=np.uint8)},
            rng.uniform(-1, 1, (length - 1, 2)).astype(np.float32),
        )
        for _ in range(episodes)
    ]
    return tc.data.from_episodes(made, SPEC)


def frames(worlds: int = 1) -> Callable[[], object]:
    """Return a step of Two Rooms with its images."""
    env = tc.envs.TwoRooms(num_envs=worlds, size=SIZE)
    env.reset(seed=0)
    rng = np.random.default_rng(0)
    return lambda: env.step(rng.uniform(-1, 1, (worlds, 2)).astype(np.float32))


def windows(data: str = "", frameskip: int = 1) -> Callable[[], Any]:
    """Return a batch of random windows, of a dataset or of 50 random episodes of 100 steps."""
    episodes = tc.data.open(data) if data else recording(50, 100)
    clips, step = episodes.clips(WINDOW, frameskip=frameskip), iter(range(10**9))
    return lambda: clips.batch(seed=0, step=next(step), size=BATCH)


def planning() -> Callable[[], object]:
    """Return a decision of CEM with a tiny world model."""
    model = tc.models.WorldModel.for_spec(SPEC, size="tiny", frameskip=BLOCK)
    agent = tc.Agent(model, tc.planners.CEM(samples=64, iterations=5, elites=8), tc.costs.Goal(), horizon=5)
    rng = np.random.default_rng(0)
    seen, goal = ({"pixels": rng.integers(0, 256, (1, 3, SIZE, SIZE), dtype=np.uint8)} for _ in range(2))
    return lambda: agent.act(agent.start(seed=0, goal=goal), seen)


def training() -> Callable[[], object]:
    """Return a training step of a tiny world model."""
    with suppress(AttributeError):  # version 0.1 did this when a model was made; now `tc.train` does
        tc.tune_cpu()
    model = tc.models.WorldModel.for_spec(SPEC, size="tiny", frameskip=BLOCK).train()
    objective = tc.objectives.Prediction() + 0.09 * tc.objectives.SIGReg(slices=256)
    optimizer = torch.optim.AdamW(model.parameters(), fused=True)
    clips, step = recording(16, 41).clips(WINDOW, frameskip=BLOCK), iter(range(10**9))

    def work() -> None:
        optimizer.zero_grad()
        objective(model.forecast(clips.batch(seed=0, step=next(step), size=BATCH)), 0).total.backward()
        optimizer.step()

    return work


def lewm_step(steps: int) -> float:
    """Return the CPU seconds of a step of `tc.train` with LeWorldModel: the difference of two trainings."""
    model, used = tc.recipes.LeWM().build_model(SPEC, seed=0), {}
    objective = tc.objectives.Prediction() + 0.09 * tc.objectives.SIGReg(slices=1024)
    clips = recording(64, BLOCK * WINDOW + 1).clips(WINDOW, frameskip=BLOCK)
    for count in (1, 1, steps + 1):  # the first call of all warms up
        begin = time.process_time()
        with tempfile.TemporaryDirectory() as to:
            tc.train(model, objective, clips, steps=count, seed=0, to=to, batch_size=BATCH, log_every=10**6)
        used[count] = time.process_time() - begin
    return (used[steps + 1] - used[1]) / steps


def pursue(options: dict[str, Any], seed: int, to: str) -> None:
    """Record data, train an agent and save it, and save whether it solved each task."""
    place = Path(to)
    wandering = tc.collection.Random(options["repeat"])
    recorded = tc.collect(options["env"], wandering, episodes=options["episodes"], steps=100, seed=seed)
    train, _ = recorded.split(0.9, seed=0)
    agent = tc.recipes.load(options["recipe"])().learn(train, seed=seed, to=place / "run")
    env = tc.envs.make_goal(options["env"])
    found = tc.evaluation.closed_loop(agent, env, options["tasks"], options["task_seed"])
    agent.save(place / "agent")
    np.save(place / "old.npy", found.solved)
