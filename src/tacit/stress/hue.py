"""Hues of all colors."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from tacit.errors import ConfigError
from tacit.stress._images import Images, PixelChange

__all__ = ["Hue"]


@dataclass(frozen=True)
class Hue(PixelChange[float]):
    """Colors turned around the gray axis, in a direction that each episode draws.

    Args:
        degrees: The angle.

    Raises:
        ConfigError: unless it is above 0 and at most 180.
    """

    LEVELS: ClassVar = ({"degrees": 15.0}, {"degrees": 30.0}, {"degrees": 60.0}, {"degrees": 90.0}, {"degrees": 180.0})

    degrees: float = 60.0

    def __post_init__(self) -> None:
        if not 0 < self.degrees <= 180:
            raise ConfigError(f"Hue needs 0 < degrees <= 180; got {self}.")

    def draw(self, generator: np.random.Generator) -> float:
        """See :class:`PixelChange`."""
        return float(generator.choice((-1.0, 1.0)))

    def apply(self, image: Images, drawn: float, step: int, generator: np.random.Generator) -> Images:
        """See :class:`PixelChange`."""
        del step, generator
        if len(image) != 3:
            return image
        angle = np.deg2rad(drawn * self.degrees)
        axis = np.full(3, 1 / np.sqrt(3))
        cross = np.cross(np.eye(3), axis)
        turn = np.cos(angle) * np.eye(3) + np.sin(angle) * cross + (1 - np.cos(angle)) * np.outer(axis, axis)
        return np.asarray(np.einsum("ij,jhw->ihw", turn.astype(np.float32), image))
