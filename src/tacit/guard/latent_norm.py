"""Distance of the norm of a latent from the norms of recorded latents."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tacit.errors import ConfigError
from tacit.guard._measure import part_slices
from tacit.guard._score import CalibratedScore
from tacit.types import Sensed

__all__ = ["LatentNorm"]


@dataclass(frozen=True)
class LatentNorm(CalibratedScore):
    """The distance of a latent's norm from its usual value, in standard deviations, per latent part.

    A model that is regularised towards a Gaussian has latents near a sphere; a norm below the usual one is as unusual
    as one above.

    Args:
        radius: The mean norm of each latent part.
        scale: The standard deviation of each.

    Raises:
        ConfigError: unless there is one finite scale above 0 for each radius.
    """

    radius: tuple[float, ...]
    scale: tuple[float, ...]

    def __post_init__(self) -> None:
        object.__setattr__(self, "radius", tuple(self.radius))
        object.__setattr__(self, "scale", tuple(self.scale))
        fits = len(self.radius) == len(self.scale) > 0
        if not fits or not np.isfinite([self.radius, self.scale]).all() or min(self.scale) <= 0:
            raise ConfigError(
                f"LatentNorm needs finite radii and as many scales above 0; got {self.radius} and {self.scale}."
            )

    @classmethod
    def fit(cls, latents: npt.NDArray[np.float32], parts: Mapping[str, slice]) -> LatentNorm:
        """Return the score with the norms of latents ``[n, D]`` of training episodes.

        Raises:
            ConfigError: if the norms do not vary.
        """
        norms = [np.linalg.norm(latents[:, part].astype(np.float64), axis=1) for part in part_slices(parts)]
        return cls(tuple(float(one.mean()) for one in norms), tuple(float(one.std()) for one in norms))

    @property
    def name(self) -> str:
        """Return the name of the score."""
        return "latent norm"

    def __call__(self, sensed: Sensed, /) -> npt.NDArray[np.float64]:
        """Return scores; see :class:`tacit.types.GuardScore`."""
        slices = part_slices(sensed.parts)
        if len(slices) != len(self.radius):
            raise ConfigError(f"{self.name} was fitted to {len(self.radius)} latent parts; got {len(slices)}.")
        norms = [np.linalg.norm(sensed.latents[:, part].astype(np.float64), axis=1) for part in slices]
        distances = np.abs(np.stack(norms, axis=1) - self.radius) / self.scale
        return distances if sensed.parts else distances[:, 0]
