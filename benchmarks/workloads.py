"""Public calls whose speed is measured, each as a function that does it once; the set-up is not part of the time."""

import tempfile
import time
from collections.abc import Callable
from typing import Any

import numpy as np

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


def frames(worlds: int) -> Callable[[], object]:
    """Return a step of Two Rooms with its images."""
    env = tc.envs.TwoRooms(num_envs=worlds, size=SIZE)
    env.reset(seed=0)
    rng = np.random.default_rng(0)
    return lambda: env.step(rng.uniform(-1, 1, (worlds, 2)).astype(np.float32))


def windows(episodes: tc.data.Episodes, frameskip: int = 1) -> Callable[[], Any]:
    """Return a batch of random windows."""
    clips, step = episodes.clips(WINDOW, frameskip=frameskip), iter(range(10**9))
    return lambda: clips.batch(seed=0, step=next(step), size=BATCH)


def lewm_training() -> tuple[Any, Any, Any]:
    """Return LeWorldModel, its objective and clips of random pixels."""
    model = tc.recipes.LeWM().build_model(SPEC, seed=0)
    objective = tc.objectives.Prediction() + 0.09 * tc.objectives.SIGReg(slices=1024)
    return model, objective, recording(64, BLOCK * WINDOW + 1).clips(WINDOW, frameskip=BLOCK)


def training_step(steps: int) -> float:
    """Return CPU seconds of a step of the public training loop with LeWorldModel."""
    model, objective, clips = lewm_training()
    used = {}
    for count in (1, 1, steps + 1):  # the first call of all warms up
        begin = time.process_time()
        with tempfile.TemporaryDirectory() as to:
            tc.train(model, objective, clips, steps=count, seed=0, to=to, batch_size=BATCH, log_every=10**6)
        used[count] = time.process_time() - begin
    return (used[steps + 1] - used[1]) / steps
