"""Paired measurements of time: works in turn, medians, ratios with intervals, and a stopwatch of the parts of a run."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from tacit.errors import ConfigError
from tacit.statistics import Estimate
from tacit.studies._call import cpu_seconds

__all__ = ["Stopwatch", "busy_processes", "cpu_seconds", "in_turn", "median", "ratio_of_medians"]

Floats = npt.NDArray[np.float64]
T = TypeVar("T")
BUSY = "import numpy as np; a = np.ones((400, 400))\nwhile True: a @ a"


def in_turn(works: Mapping[str, Callable[[], T]], rounds: int) -> dict[str, list[T]]:
    """Call each work once in each round, so that all meet the same load of the machine, and return their values."""
    found: dict[str, list[T]] = {name: [] for name in works}
    for _ in range(rounds):
        for name, work in works.items():
            found[name].append(work())
    return found


@contextmanager
def busy_processes(count: int) -> Iterator[None]:
    """Keep ``count`` cores busy inside a block, each with a process that multiplies matrices on one thread."""
    environ = {**os.environ, "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
    processes = [subprocess.Popen([sys.executable, "-c", BUSY], env=environ) for _ in range(count)]
    try:
        time.sleep(1.0 if count else 0.0)  # until they compute
        yield
    finally:
        for process in processes:
            process.kill()
            process.wait()


def median(seconds: Iterable[Sequence[float]]) -> float:
    """Return the median over the rounds of all processes."""
    return statistics.median(one for some in seconds for one in some)


def ratio_of_medians(
    over: Sequence[float] | Floats, under: Sequence[float] | Floats, resamples: int = 4000
) -> Estimate:
    """Return the median of the ratios of paired times, with its bootstrap interval.

    Raises:
        ConfigError: if the times do not come in pairs.
    """
    if len(over) != len(under) or len(over) == 0:
        raise ConfigError(f"a ratio needs times in pairs; got {len(over)} and {len(under)}.")
    ratios = np.asarray(over) / np.asarray(under)
    draws = np.random.default_rng(0).integers(0, len(ratios), (resamples, len(ratios)))
    low, high = np.quantile(np.median(ratios[draws], axis=1), [0.025, 0.975])
    return Estimate(float(np.median(ratios)), float(low), float(high), len(ratios))


class Stopwatch:
    """Wall-clock and CPU seconds of the parts of a run.

    Attributes:
        seconds: ``NAME_wall`` and ``NAME_cpu`` of each ended part.
    """

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self._began = time.perf_counter(), time.process_time()

    def end(self, name: str) -> None:
        """End a part and begin the next."""
        now = time.perf_counter(), time.process_time()
        for clock, before, after in zip(("wall", "cpu"), self._began, now, strict=True):
            self.seconds[f"{name}_{clock}"] = round(after - before, 1)
        self._began = now
