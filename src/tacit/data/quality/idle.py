"""Beginnings and ends of episodes in which nothing happens."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from tacit.data.quality._check import Note, QualityCheck, still
from tacit.types import ActionSpace, Box, Episode, Spec

__all__ = ["Idle"]

NOTHING = 0.02
"""The largest action that does nothing where zero does, as a share of the box."""


class Idle(QualityCheck):
    """Check for idle heads and tails: no observation changes, and no action, which is zero where zero does nothing.

    Args:
        steps: The shortest head or tail that counts.
    """

    def __init__(self, steps: int = 10) -> None:
        self._steps = steps

    def check(self, episode: Episode, spec: Spec) -> Iterator[Note]:
        """Yield a note for a head, and for a tail."""
        if len(episode) <= self._steps:
            return
        idle = np.ones(len(episode) - 1, np.bool_)
        for name in episode.observation:
            if name != "stale":
                idle &= still(episode, spec, name)
        action = episode.action
        if action.shape[1]:
            zero = self._zero(spec.action)
            idle &= (np.abs(action) <= zero).all(axis=1)
            idle[1:] &= ((action[1:] == action[:-1]) | np.isfinite(zero)).all(axis=1)
        busy = np.flatnonzero(~idle)
        if not len(busy):
            yield self._note("nothing changes in the whole episode.", (0, len(idle)), "Leave the episode out.")
            return
        first, last = int(busy[0]), int(busy[-1])
        tail = len(idle) - 1 - last
        if first >= self._steps:
            yield self._note(f"nothing changes in the first {first} steps.", (0, first), "Cut them off.")
        if tail >= self._steps:
            yield self._note(f"nothing changes in the last {tail} steps.", (last + 1, len(idle)), "Cut them off.")

    @staticmethod
    def _zero(space: ActionSpace) -> npt.NDArray[np.float64]:
        """Return ``[A]`` the largest action that does nothing; infinite where a constant action may do nothing."""
        if not isinstance(space, Box):
            return np.full(space.size, np.inf)
        low, high = np.array(space.low), np.array(space.high)
        known = np.array([kind in ("delta", "velocity", "force") for kind in space.kinds], np.bool_)
        unknown = np.array([kind is None for kind in space.kinds], np.bool_) & (low < 0) & (high > 0)
        return np.where(known | unknown, NOTHING * (high - low), np.inf)

    @staticmethod
    def _note(problem: str, steps: tuple[int, int], advice: str) -> Note:
        return Note("observation", problem, f"{advice} A model learns there that actions do nothing.", steps)
