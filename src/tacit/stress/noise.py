"""Noise of a camera."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from tacit.errors import ConfigError
from tacit.stress._images import Images, PixelChange

__all__ = ["Noise"]


@dataclass(frozen=True)
class Noise(PixelChange[None]):
    """Gaussian noise, new in each pixel of each image.

    Args:
        std: Its standard deviation, of 255.

    Raises:
        ConfigError: if it is not above 0.
    """

    LEVELS: ClassVar = ({"std": 8.0}, {"std": 16.0}, {"std": 32.0}, {"std": 48.0}, {"std": 64.0})

    std: float = 32.0

    def __post_init__(self) -> None:
        if not self.std > 0:
            raise ConfigError(f"Noise needs std > 0; got {self}.")

    def apply(self, image: Images, drawn: None, step: int, generator: np.random.Generator) -> Images:
        """See :class:`PixelChange`."""
        del drawn, step
        return image + self.std * generator.standard_normal(image.shape, np.float32)
