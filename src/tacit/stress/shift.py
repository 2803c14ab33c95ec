"""A camera that was moved."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from tacit.errors import ConfigError
from tacit.stress._images import Images, PixelChange

__all__ = ["Shift"]


@dataclass(frozen=True)
class Shift(PixelChange[float]):
    """The image shifted in a direction that each episode draws; the edge is repeated.

    Args:
        distance: The length of the shift in 64ths of the height.

    Raises:
        ConfigError: if it is not above 0.
    """

    LEVELS: ClassVar = ({"distance": 1.0}, {"distance": 2.0}, {"distance": 4.0}, {"distance": 6.0}, {"distance": 8.0})

    distance: float = 4.0

    def __post_init__(self) -> None:
        if not self.distance > 0:
            raise ConfigError(f"Shift needs distance > 0; got {self}.")

    def draw(self, generator: np.random.Generator) -> float:
        """See :class:`PixelChange`."""
        return float(generator.uniform(0, 2 * np.pi))

    def apply(self, image: Images, drawn: float, step: int, generator: np.random.Generator) -> Images:
        """See :class:`PixelChange`."""
        del step, generator
        moved = np.rint(self.distance * image.shape[1] / 64 * np.array([np.sin(drawn), np.cos(drawn)])).astype(int)
        if not moved.any():
            moved = np.array([0, 1])
        rows, columns = (
            np.clip(np.arange(size) - by, 0, size - 1) for size, by in zip(image.shape[1:], moved, strict=True)
        )
        return image[:, rows[:, None], columns]
