"""Components that never change."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from tacit.data.quality._check import Note, QualityCheck, component, numbers
from tacit.types import Episode, Spec

__all__ = ["Constant"]


class Constant(QualityCheck):
    """Check for components of observations and actions that have one value in the whole dataset.

    Args:
        fewest: The least number of samples for a verdict.
    """

    def __init__(self, fewest: int = 20) -> None:
        self._fewest = fewest
        self._low: dict[str, npt.NDArray[np.float64]] = {}
        self._high: dict[str, npt.NDArray[np.float64]] = {}
        self._count: dict[str, int] = {}

    def check(self, episode: Episode, spec: Spec) -> Iterator[Note]:
        """Yield nothing; note the ranges of the components."""
        fields = dict(numbers(episode, spec))
        fields |= {"action": episode.action.astype(np.float64)} if spec.action.size else {}
        for name, values in fields.items():
            if len(values):
                low, high = values.min(axis=0), values.max(axis=0)
                self._low[name] = np.minimum(self._low.get(name, low), low)
                self._high[name] = np.maximum(self._high.get(name, high), high)
                self._count[name] = self._count.get(name, 0) + len(values)
        return iter(())

    def conclude(self, spec: Spec) -> Iterator[Note]:
        """Yield a note for each constant component."""
        for name, low in self._low.items():
            if self._count[name] < self._fewest:
                continue
            for index in np.flatnonzero(low == self._high[name]).tolist():
                does = "moves nothing" if name == "action" else "tells nothing"
                yield Note(
                    name,
                    f"{component(spec, name, index)} is {low[index]:g} in the whole dataset.",
                    f"It {does}: leave it out, or find out why it was not recorded.",
                )
