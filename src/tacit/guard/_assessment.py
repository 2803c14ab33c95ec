"""The decisions of a guard and its memory between boundaries."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from tacit.errors import SpecError
from tacit.types.verdicts import DECISIONS, Decision

__all__ = ["Assessment", "GuardMemory"]

ACT, SLOW, STOP = range(len(DECISIONS))
"""The levels of a decision."""


@dataclass(frozen=True, eq=False)
class GuardMemory:
    """The state of a guard between boundaries, per world.

    Attributes:
        level: ``[B]`` 0: act, 1: slow, 2: stop.
        calm: ``[B]`` boundaries in a row with scores below the release threshold.
        drift: ``[B, C]`` the cumulative sum of each calibrated score.
    """

    level: npt.NDArray[np.int64]
    calm: npt.NDArray[np.int64]
    drift: npt.NDArray[np.float64]

    @classmethod
    def begin(cls, batch: int, scores: int) -> GuardMemory:
        """Return the memory of ``batch`` new episodes, with a number ``C`` of calibrated scores."""
        return cls(np.zeros(batch, np.int64), np.zeros(batch, np.int64), np.zeros((batch, scores)))

    @property
    def stopped(self) -> npt.NDArray[np.bool_]:
        """Return ``[B]`` flags of the worlds that stopped."""
        return np.asarray(self.level == STOP)

    @property
    def slow(self) -> npt.NDArray[np.bool_]:
        """Return ``[B]`` flags of the worlds that slowed down."""
        return np.asarray(self.level == SLOW)

    def all_stopped(self) -> GuardMemory:
        """Return the memory in which every world stopped."""
        return replace(self, level=np.full_like(self.level, STOP))

    def resumed(self, worlds: npt.NDArray[np.bool_] | None = None) -> GuardMemory:
        """Return the memory in which worlds act again; all of them, or those of the mask ``[B]``."""
        chosen = np.ones(len(self.level), np.bool_) if worlds is None else np.asarray(worlds, np.bool_)
        if chosen.shape != self.level.shape:
            raise SpecError(f"expected a flag for each of {len(self.level)} worlds; got {list(chosen.shape)}.")
        return replace(
            self,
            level=np.where(chosen, ACT, self.level),
            calm=np.where(chosen, 0, self.calm),
            drift=np.where(chosen[:, None], 0.0, self.drift),
        )

    def to_arrays(self) -> dict[str, npt.NDArray[Any]]:
        """Return the arrays ``[B, ...]`` by name."""
        return dict(vars(self))


@dataclass(frozen=True, eq=False)
class Assessment:
    """The decision of a guard at one boundary, per world.

    Attributes:
        level: ``[B]`` 0: act, 1: slow, 2: stop.
        score: ``[B]`` the largest standardised score; NaN where none is defined.
        threshold: ``[B]`` the standardised score above which a world stops.
        evidence: ``[B]`` scores in their own units, by name.
        reasons: ``[B]`` the reason in words where the level is not 0; empty elsewhere.
    """

    level: npt.NDArray[np.int64]
    score: npt.NDArray[np.float32]
    threshold: npt.NDArray[np.float32]
    evidence: Mapping[str, npt.NDArray[np.float32]]
    reasons: tuple[str, ...]

    @property
    def decisions(self) -> tuple[Decision, ...]:
        """Return the decision of each world in words."""
        return tuple(DECISIONS[level] for level in self.level.tolist())
