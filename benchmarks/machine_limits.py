"""Fast paths next to what the machine allows, measured in the same run on one thread, in CPU seconds.

The limit is the bytes that have to move at the speed of a bare copy, or the multiplications at the best rate of a large
matrix product, or the imports. Planning has a study of its own, planning_speed.py.
"""

import os
import statistics
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from tacit import studies
from tacit.studies import Report, Run, RunResult, Study, columns
from timing import cpu_seconds, operations, peak_rate
from workloads import BATCH, SIZE, WINDOW, frames, lewm_training, recording, training_step, windows

FRAME = 3 * SIZE * SIZE


@dataclass(frozen=True)
class Settings:
    """Work, calls of a round, and environments."""

    work: str
    calls: int = 100
    worlds: int = 1


def seconds(work: Callable[[], object], calls: int) -> float:
    return statistics.median(cpu_seconds(work, 10, calls)[1:])


def copies(worlds: int) -> Callable[[], object]:
    images = np.zeros((worlds, 3, SIZE, SIZE), np.uint8)
    return lambda: images.copy()


def copied_windows() -> Callable[[], None]:
    rng = np.random.default_rng(0)
    store = rng.integers(0, 256, (100 * 100, FRAME), dtype=np.uint8)
    out = np.empty((BATCH, WINDOW, FRAME), np.uint8)

    def copy() -> None:
        for place, start in zip(out, rng.integers(0, len(store) - WINDOW, BATCH), strict=True):
            place[:] = store[start : start + WINDOW]

    return copy


def cold(code: str) -> float:
    """Return CPU seconds of a new process, the median of nine."""

    def once() -> float:
        before = os.times()
        subprocess.run([sys.executable, "-c", code], check=True)
        after = os.times()
        return after.children_user + after.children_system - before.children_user - before.children_system

    return statistics.median(once() for _ in range(9))


def measure(run: Run[Settings]) -> dict[str, Any]:
    chosen = run.settings
    if chosen.work == "frames":
        taken, limit = (seconds(one(chosen.worlds), chosen.calls) / chosen.worlds for one in (frames, copies))
        needs = f"{2 * FRAME / 1e3:.1f} kB read and written a frame"
    elif chosen.work == "windows":
        works = windows(recording(100, 100)), copied_windows()
        taken, limit = (seconds(one, chosen.calls) / BATCH for one in works)
        needs = f"{2 * WINDOW * FRAME / 1e3:.0f} kB read and written a window"
    elif chosen.work == "training":
        model, objective, clips = lewm_training()
        taken, rate = training_step(5), peak_rate()
        count = operations(lambda: objective(model.train().forecast(clips.batch(0, 0, BATCH)), 0).total.backward())
        limit, needs = count / rate, f"{count / 1e9:.0f} GFLOP at {rate / 1e9:.0f} GFLOP/s"
    else:
        taken, limit = cold("import tacit as tc; tc.envs.TwoRooms(size=64).reset(seed=0)"), cold("import numpy")
        needs = "Python and NumPy"
    return {"seconds": taken, "limit": limit, "ratio": round(taken / limit, 2), "needs": needs}


NAMES = {
    "frames_1": (
        f"Two Rooms step + {SIZE} px frame, 1 environment(s)",
        "NumPy calls on arrays of a few numbers; 64 environments cost a sixteenth a frame",
    ),
    "frames_64": (
        f"Two Rooms step + {SIZE} px frame, 64 environment(s)",
        "nine tenths: the patch of the disc is gathered, blended and scattered",
    ),
    "windows": (
        f"random window of {WINDOW} frames, batches of {BATCH}",
        "frames are gathered one by one; the limit copies the four of a window at once",
    ),
    "training": (
        f"LeWM training step, {BATCH} windows of {WINDOW} frames",
        "profile: products 56 %, attention 12 %, copies of gradients 11 %, GELU 10 %",
    ),
    "first_frame": ("cold import to the first frame", "own modules and the drawing of the rooms"),
}
"""Work, and the reason of the gap."""


def report(results: Mapping[str, RunResult]) -> Report:
    rows = [{"names": NAMES[name], **run.values} for name, run in results.items()]
    cells = {
        "work": "{names[0]}",
        "CPU s": "{seconds:.3g}",
        "limit, CPU s": "{limit:.3g}",
        "limited by": "{needs}",
        "over the limit": "{ratio:.1f}x",
        "reason of the gap": "{names[1]}",
    }
    return Report([columns(cells, rows)])


STUDY = Study(
    name="machine_limits",
    title="Limits of the machine",
    summary="Public calls next to a bare copy of their bytes, their multiplications at the best rate, or the imports.",
    command="OMP_NUM_THREADS=1 uv run benchmarks/machine_limits.py",
    cases={
        "frames_1": Settings("frames", 2000),
        "frames_64": Settings("frames", worlds=64),
        "windows": Settings("windows"),
        "training": Settings("training"),
        "first_frame": Settings("first_frame"),
    },
    measure=measure,
    report=report,
)

if __name__ == "__main__":
    studies.main(STUDY)
