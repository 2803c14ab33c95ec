"""Brightness of the light."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from tacit.errors import ConfigError
from tacit.stress._images import Images, PixelChange

__all__ = ["Brightness"]


@dataclass(frozen=True)
class Brightness(PixelChange[float]):
    """Images that are brighter or darker; a draw of each episode decides which.

    Args:
        shift: The difference, of 255.

    Raises:
        ConfigError: if it is not above 0.
    """

    LEVELS: ClassVar = ({"shift": 12.0}, {"shift": 24.0}, {"shift": 48.0}, {"shift": 72.0}, {"shift": 96.0})

    shift: float = 48.0

    def __post_init__(self) -> None:
        if not self.shift > 0:
            raise ConfigError(f"Brightness needs shift > 0; got {self}.")

    def draw(self, generator: np.random.Generator) -> float:
        """See :class:`PixelChange`."""
        return float(generator.choice((-1.0, 1.0)))

    def apply(self, image: Images, drawn: float, step: int, generator: np.random.Generator) -> Images:
        """See :class:`PixelChange`."""
        del step, generator
        return image + np.float32(drawn * self.shift)
