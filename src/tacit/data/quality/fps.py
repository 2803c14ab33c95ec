"""Recorded times against the stated observations a second."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from tacit.data.quality._check import Note, QualityCheck
from tacit.data.readers._times import is_time_name
from tacit.types import Episode, Spec

__all__ = ["Fps"]

UNITS = (1.0, 1e3, 1e6, 1e9)
"""Ticks a second of times in seconds, milli-, micro- and nanoseconds."""


class Fps(QualityCheck):
    """Check for a wrong fps: labels that hold times must grow by one period in each step.

    Args:
        tolerance: The largest relative difference of the mean period.
        jitter: The largest difference of a time from an even clock, in periods.
    """

    def __init__(self, tolerance: float = 0.02, jitter: float = 0.5) -> None:
        self._tolerance, self._jitter = tolerance, jitter

    def check(self, episode: Episode, spec: Spec) -> Iterator[Note]:
        """Yield a note for each label of times that disagrees."""
        for name, values in episode.labels.items():
            if values.ndim != 1 or len(values) < 3 or not is_time_name(name.rpartition(".")[2]):
                continue
            field = f"label.{name}"
            steps = np.diff(values.astype(np.float64))
            if (steps < 0).any():
                place = int(np.argmax(steps < 0))
                yield Note(field, "the time runs backwards.", "Split the episode there.", (place, place + 1), "error")
                continue
            period = float(np.median(steps))
            ratios = [period * spec.fps / unit for unit in UNITS]
            if period <= 0 or min(abs(ratio - 1) for ratio in ratios) > self._tolerance:
                unit = UNITS[int(np.argmin([abs(np.log(max(ratio, 1e-12))) for ratio in ratios]))]
                said = f"{unit / period:g} observations a second" if period > 0 else "that no time passes"
                yield Note(
                    field,
                    f"expected {spec.fps:g} observations a second, as stated; the recorded times say {said}.",
                    "Correct fps, or resample the recording.",
                    (0, len(values) - 1),
                    "error",
                )
            elif (off := np.abs(steps - period) > self._jitter * period).any():
                place = int(np.argmax(off))
                yield Note(
                    field,
                    f"{int(off.sum())} steps are not of one period, {period:g}; the first takes {steps[place]:g}.",
                    "Observations are missing or late: split the episode there, or resample it.",
                    (place, place + 1),
                )
