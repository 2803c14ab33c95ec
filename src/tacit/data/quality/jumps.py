"""Jumps of numbers that are far larger than their usual changes."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from tacit.data.quality._check import Note, QualityCheck, component, numbers
from tacit.types import Episode, Spec

__all__ = ["Jumps"]

TURNS = (2 * np.pi, 360.0, 1.0, 2.0)
"""Ranges of angles that wrap: radians, degrees, turns and half turns."""


class Jumps(QualityCheck):
    """Check for rare jumps: outliers, lost packets, cuts, and angles that wrap.

    Args:
        factor: The least size of a jump, in 95 % quantiles of the changes of the episode.
        rare: The largest share of the changes that are jumps.
        fewest: The least number of samples of an episode for a verdict.
    """

    def __init__(self, factor: float = 20.0, rare: float = 0.02, fewest: int = 40) -> None:
        self._factor, self._rare, self._fewest = factor, rare, fewest

    def check(self, episode: Episode, spec: Spec) -> Iterator[Note]:
        """Yield a note for each component that jumps."""
        for name, values in numbers(episode, spec):
            if len(values) < self._fewest:
                continue
            changes = np.diff(values, axis=0)
            usual = np.quantile(np.abs(changes), 0.95, axis=0)
            large = (np.abs(changes) > self._factor * usual) & (usual > 0)
            for index in np.flatnonzero(large.any(axis=0)).tolist():
                places = np.flatnonzero(large[:, index])
                if len(places) > max(2, self._rare * len(changes)):
                    continue
                size = float(np.abs(changes[places, index]).max())
                span = float(np.ptp(values[:, index]))
                wraps = any(abs(size - turn) < 0.05 * turn and abs(span - turn) < 0.05 * turn for turn in TURNS[:2])
                yield Note(
                    name,
                    f"{component(spec, name, index)} jumps by up to {size:g}, {size / usual[index]:.0f} times its "
                    f"usual change, at {len(places)} steps.",
                    "It looks like an angle that wraps: store its sine and cosine."
                    if wraps
                    else "Look at these steps: an outlier is to be removed, a cut or a reset is to be split.",
                    (int(places[0]), int(places[-1]) + 1),
                )
