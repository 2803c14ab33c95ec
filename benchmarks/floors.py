"""How close each fast path comes to what the machine allows: `OMP_NUM_THREADS=1 uv run benchmarks/floors.py`.

Every row is the public call that `peers.py` times, beside a floor measured in the same run on one thread: the bytes
that have to move at the speed at which they are copied with nothing else done, or the multiplications at the best rate
of a large matrix product. Medians of CPU seconds. Planning has a script of its own, `planning_speed.py`.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

import tacit as tc
from measuring import cpu_seconds, operations, peak_rate

SIZE, WINDOW, BATCH, BLOCK = 64, 4, 32, 5
FRAME = 3 * SIZE * SIZE


def seconds(work: Callable[[], object], calls: int) -> float:
    """CPU seconds of one call, the median of several rounds after one that is not counted."""
    return statistics.median(cpu_seconds(work, 10, calls)[1:])


def row(what: str, taken: float, floor: float, needs: str, cause: str) -> dict[str, object]:
    """One line of the result."""
    return {
        "what": what,
        "seconds": taken,
        "floor": floor,
        "over": round(taken / floor, 2),
        "needs": needs,
        "gap": cause,
    }


def frames(worlds: int, calls: int, cause: str) -> dict[str, object]:
    """A step and its pictures, against the copy of as many empty rooms."""
    env = tc.envs.TwoRooms(num_envs=worlds, size=SIZE)
    rooms = env.reset(seed=0)["pixels"]
    actions = np.random.default_rng(0).uniform(-1, 1, (worlds, 2)).astype(np.float32)
    taken = seconds(lambda: env.step(actions), calls) / worlds
    floor = seconds(lambda: rooms.copy(), calls) / worlds
    needs = f"{2 * FRAME / 1e3:.1f} kB read and written a frame"
    return row(f"Two Rooms step + {SIZE} px frame, {worlds} environment(s)", taken, floor, needs, cause)


def windows() -> dict[str, object]:
    """A batch of random windows, against the same bytes copied window by window from the same places."""
    rng = np.random.default_rng(0)
    spec = tc.Spec({"pixels": tc.Modality("pixels", (3, SIZE, SIZE))}, tc.Box((-1.0,) * 2, (1.0,) * 2))
    recorded = tc.data.from_episodes(
        [
            tc.Episode(
                {"pixels": rng.integers(0, 256, (100, 3, SIZE, SIZE), dtype=np.uint8)},
                rng.uniform(-1, 1, (99, 2)).astype(np.float32),
            )
            for _ in range(100)
        ],
        spec,
    )
    clips, step = recorded.clips(WINDOW), iter(range(10**9))
    taken = seconds(lambda: clips.batch(seed=0, step=next(step), size=BATCH), 100) / BATCH
    store = rng.integers(0, 256, (100 * 100, FRAME), dtype=np.uint8)
    out = np.empty((BATCH, WINDOW, FRAME), np.uint8)

    def copy() -> None:
        for place, start in zip(out, rng.integers(0, len(store) - WINDOW, BATCH), strict=True):
            place[:] = store[start : start + WINDOW]

    floor = seconds(copy, 100) / BATCH
    needs = f"{2 * WINDOW * FRAME / 1e3:.0f} kB read and written a window"
    cause = "frames are gathered one by one; the floor copies the four of a window at once"
    return row(f"random window of {WINDOW} frames, batches of {BATCH}", taken, floor, needs, cause)


def training() -> dict[str, object]:
    """A step of LeWorldModel, against its multiplications."""
    spec = tc.Spec({"pixels": tc.Modality("pixels", (3, SIZE, SIZE))}, tc.Box((-1.0,) * 2, (1.0,) * 2))
    rng, length = np.random.default_rng(0), BLOCK * WINDOW + 1
    recorded = tc.data.from_episodes(
        [
            tc.Episode(
                {"pixels": rng.integers(0, 256, (length, 3, SIZE, SIZE), dtype=np.uint8)},
                rng.uniform(-1, 1, (length - 1, 2)).astype(np.float32),
            )
            for _ in range(64)
        ],
        spec,
    )
    model = tc.recipes.LeWM().build_model(spec, seed=0)
    objective = tc.objectives.Prediction() + 0.09 * tc.objectives.SIGReg(slices=1024)
    clips = recorded.clips(WINDOW, frameskip=BLOCK)
    used = {}
    for steps in (1, 1, 6):
        start = time.process_time()
        with tempfile.TemporaryDirectory() as folder:
            tc.train(model, objective, clips, steps=steps, seed=0, to=folder, batch_size=BATCH, log_every=10**6)
        used[steps] = time.process_time() - start
    taken = (used[6] - used[1]) / 5
    count = operations(lambda: objective(model.train().forecast(clips.batch(0, 0, BATCH), 1), 0).total.backward())
    rate = peak_rate()
    needs = f"{count / 1e9:.0f} GFLOP at {rate / 1e9:.0f} GFLOP/s"
    cause = "profile: products 56 % of the time, attention 12 %, copies that turn gradients 11 %, GELU 10 %"
    return row(f"LeWM training step, {BATCH} windows of {WINDOW} frames", taken, count / rate, needs, cause)


def first_frame() -> dict[str, object]:
    """A cold import to the first picture, against a cold import of NumPy."""

    def cold(code: str) -> float:
        def run() -> float:
            before = os.times()
            subprocess.run([sys.executable, "-c", code], check=True)
            after = os.times()
            return after.children_user + after.children_system - before.children_user - before.children_system

        return statistics.median(run() for _ in range(9))

    taken = cold("import tacit as tc; tc.envs.TwoRooms(size=64).reset(seed=0)")
    floor = cold("import numpy")
    return row(
        "cold import to the first frame",
        taken,
        floor,
        "Python and NumPy",
        "our own modules and the drawing of the rooms",
    )


def main() -> None:
    """Measure every row and write results/floors.json."""
    torch.set_num_threads(1)
    rows = [
        frames(
            1,
            2000,
            "the calls of NumPy on arrays of a few numbers, not the bytes: 64 worlds at once cost a sixteenth a frame",
        ),
        frames(64, 100, "nine tenths go into the disc: its patch is gathered, blended in floating point and scattered"),
        windows(),
        training(),
        first_frame(),
    ]
    result = {"rows": rows, **tc.checkpoint.provenance()}
    text = json.dumps(result, indent=2) + "\n"
    (Path(__file__).parent / "results" / "floors.json").write_text(text)
    print(text)


if __name__ == "__main__":
    main()
