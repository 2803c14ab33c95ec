"""Error of a forecast of the current latent."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tacit.errors import ConfigError
from tacit.guard._measure import part_slices
from tacit.types import Sensed

__all__ = ["PredictionEnergy"]


@dataclass(frozen=True)
class PredictionEnergy:
    """The mean squared error of the forecast of the current latent, per latent part.

    Args:
        steps: Blocks between the forecast and the current observation.

    Raises:
        ConfigError: unless ``steps`` is at least 1.
    """

    steps: int = 1

    def __post_init__(self) -> None:
        if self.steps < 1:
            raise ConfigError(f"PredictionEnergy needs steps >= 1; got {self.steps}.")

    @property
    def name(self) -> str:
        """Return the name of the score, with its steps where there are several."""
        return "prediction energy" if self.steps == 1 else f"prediction energy over {self.steps} blocks"

    @property
    def limits(self) -> None:
        """Return None: the thresholds are calibrated."""

    def __call__(self, sensed: Sensed, /) -> npt.NDArray[np.float64]:
        """Return scores; see :class:`tacit.types.GuardScore`."""
        if sensed.forecasts.shape[1] < self.steps:
            raise ConfigError(
                f"{self.name} reads a forecast of {self.steps} blocks; got forecasts of {sensed.forecasts.shape[1]}."
            )
        squares = (sensed.latents.astype(np.float64) - sensed.forecasts[:, self.steps - 1]) ** 2
        energies = np.stack([squares[:, part].mean(axis=1) for part in part_slices(sensed.parts)], axis=1)
        return energies if sensed.parts else energies[:, 0]
