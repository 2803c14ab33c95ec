"""The values and the protocol of guards: the inputs of a score of unusual situations."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt

from tacit.types.rollouts import Context
from tacit.types.verdicts import Decision

__all__ = ["Assessed", "Guard", "GuardScore", "Sensed"]


@dataclass(frozen=True)
class Sensed:
    """The inputs of guard scores at one block boundary.

    Attributes:
        latents: ``[B, D]`` the current latents.
        forecasts: ``[B, K, D]``; entry ``k - 1`` is the prediction of ``latents`` made ``k`` blocks before, under the
            executed actions. NaN where there was no such past or no score reads it.
        steps: ``[B]`` blocks since the start of each episode.
        age: ``[B]`` seconds since the observation was made; NaN where unknown.
        before: The context one block earlier; None at the first boundary.
        block: ``[B, A']`` the raw actions executed since then; None at the first boundary.
        parts: The components of a latent that belong to a modality, by its name; empty where all are mixed.
        missing: ``[B]`` flags of a modality that is absent or not finite, by its name.
    """

    latents: npt.NDArray[np.float32]
    forecasts: npt.NDArray[np.float32]
    steps: npt.NDArray[np.int64]
    age: npt.NDArray[np.float32]
    before: Context | None = None
    block: npt.NDArray[np.float32] | None = None
    parts: Mapping[str, slice] = field(default_factory=dict)
    missing: Mapping[str, npt.NDArray[np.bool_]] = field(default_factory=dict)

    @property
    def batch(self) -> int:
        """Return the number of worlds ``B``."""
        return len(self.latents)


@runtime_checkable
class GuardScore(Protocol):
    """A number that is high in unusual situations. Holds fitted constants, never state."""

    @property
    def name(self) -> str:
        """Return the name of the score in reasons and evidence."""

    @property
    def steps(self) -> int:
        """Return the number of blocks of the forecast that it reads; 0 for none."""

    @property
    def limits(self) -> tuple[float, float] | None:
        """Return the scores above which an agent slows down and stops; None where they are calibrated."""

    def __call__(self, sensed: Sensed, /) -> npt.NDArray[np.float64]:
        """Return scores ``[B]``, or ``[B, M]`` with one for each of the ``M`` latent parts; NaN where undefined.

        The score of a world does not depend on the other worlds.
        """


class Assessed(Protocol):
    """The decision of a guard at one boundary, per world."""

    @property
    def decisions(self) -> tuple[Decision, ...]:
        """Return the decision of each world."""

    @property
    def reasons(self) -> tuple[str, ...]:
        """Return ``[B]`` the reason in words where a world does not act; empty elsewhere."""


class Guard(Protocol):
    """A detector of unusual situations. Holds fitted constants; its memory is a value that you pass."""

    @property
    def reach(self) -> tuple[int, ...]:
        """Return the numbers of blocks of the forecasts that it reads."""

    def start(self, batch: int) -> Any:
        """Return the memory of ``batch`` new episodes."""

    def assess(self, sensed: Sensed, memory: Any) -> tuple[Assessed, Any]:
        """Return the decision at one block boundary, and the next memory."""
