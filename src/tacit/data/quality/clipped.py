"""Actions at the bounds of their box."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from tacit.data.quality._check import Note, QualityCheck, component
from tacit.types import Box, Episode, Spec

__all__ = ["Clipped"]

BINARY = 0.9


class Clipped(QualityCheck):
    """Check for actions that are often at a bound, as when a recorder or controller clipped them.

    Components that are at a bound nearly always, such as a gripper that opens and closes, are not counted.

    Args:
        share: The least share of the steps at a bound.
        fewest: The least number of steps for a verdict.
    """

    def __init__(self, share: float = 0.2, fewest: int = 20) -> None:
        self._share, self._fewest = share, fewest
        self._count = 0
        self._at: npt.NDArray[np.int64] | int = 0

    def check(self, episode: Episode, spec: Spec) -> Iterator[Note]:
        """Yield nothing; count the actions at bounds."""
        if isinstance(spec.action, Box) and spec.action.size:
            low, high = spec.action.bounds
            slack = 1e-6 * (high - low)
            self._at = self._at + ((episode.action <= low + slack) | (episode.action >= high - slack)).sum(axis=0)
            self._count += len(episode.action)
        return iter(())

    def conclude(self, spec: Spec) -> Iterator[Note]:
        """Yield a note for each component that is often at a bound."""
        if self._count < self._fewest:
            return
        shares = np.atleast_1d(self._at) / self._count
        for index in np.flatnonzero((shares >= self._share) & (shares < BINARY)).tolist():
            yield Note(
                "action",
                f"{component(spec, 'action', index)} is at a bound of its box in {shares[index]:.0%} of the steps.",
                "If the recorder clipped it, record what was applied; if the box is too narrow, widen it.",
            )
