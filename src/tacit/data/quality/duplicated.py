"""Observations that are repeated at a regular interval: recorded slower than stated."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from tacit.data.quality._check import Note, QualityCheck, moving, still
from tacit.types import Episode, Spec

__all__ = ["Duplicated"]

LONGEST = 8
"""The longest pattern in steps."""


class Duplicated(QualityCheck):
    """Check for a camera or sensor slower than the recording: every n-th observation repeats the one before.

    Args:
        fewest: The least number of repetitions in an episode.
        regular: The least share of the repetitions that recur after one period.
    """

    def __init__(self, fewest: int = 6, regular: float = 0.8) -> None:
        self._fewest, self._regular = fewest, regular

    def check(self, episode: Episode, spec: Spec) -> Iterator[Note]:
        """Yield a note for each modality that repeats."""
        for name in episode.observation:
            if name == "stale" or len(episode) < 2 * self._fewest:
                continue
            same = still(episode, spec, name)
            other = moving(episode, spec, name)
            if other is not None:
                same &= other
            places, period = np.flatnonzero(same), self._period(same)
            if period is None:
                continue
            rate = spec.fps * (1 - float(same.mean()))
            yield Note(
                name,
                f"{len(places)} of {len(same)} observations repeat the one before, in a pattern of {period} steps.",
                f"It was recorded about {rate:g} times a second, not {spec.fps:g}: read it at its own rate (fps=...), "
                "or train with a frameskip that skips the repetitions.",
                (int(places[0]), int(places[-1]) + 1),
            )

    def _period(self, same: npt.NDArray[np.bool_]) -> int | None:
        """Return the steps after which the pattern of repetitions recurs; None where it does not."""
        count = int(same.sum())
        if count < self._fewest or count > 0.95 * len(same):
            return None
        for period in range(2, LONGEST + 1):
            first, later = same[:-period], same[period:]
            again = later[first].mean() if first.any() else 0.0
            other = (~later)[~first].mean() if not first.all() else 0.0
            if again >= self._regular and other >= 0.75 * self._regular and count * period >= 0.5 * len(same):
                return period
        return None
