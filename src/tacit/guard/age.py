"""Age of an observation."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tacit.errors import ConfigError
from tacit.types import Sensed

__all__ = ["Age"]


@dataclass(frozen=True)
class Age:
    """The seconds since an observation was made, with stated limits.

    A recording has no ages to calibrate from, so you state the limits: how far the world may move unseen.

    Args:
        slow: Seconds above which an agent slows down.
        stop: Seconds above which it stops.

    Raises:
        ConfigError: unless ``0 < slow <= stop`` and both are finite.
    """

    slow: float
    stop: float

    def __post_init__(self) -> None:
        if not 0 < self.slow <= self.stop < math.inf:
            raise ConfigError(f"Age needs 0 < slow <= stop, in seconds; got slow={self.slow}, stop={self.stop}.")

    @property
    def name(self) -> str:
        """Return the name of the score."""
        return "age of the observation in seconds"

    @property
    def steps(self) -> int:
        """Return 0: the score reads no forecast."""
        return 0

    @property
    def limits(self) -> tuple[float, float]:
        """Return the limits in seconds."""
        return self.slow, self.stop

    def __call__(self, sensed: Sensed, /) -> npt.NDArray[np.float64]:
        """Return ages ``[B]``; NaN where unknown."""
        return sensed.age.astype(np.float64)
