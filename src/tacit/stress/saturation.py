"""Saturation of colors, down to gray images."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from tacit.errors import ConfigError
from tacit.stress._images import Images, PixelChange

__all__ = ["Saturation"]

GRAY = np.array([0.299, 0.587, 0.114], np.float32)
"""The weights of red, green and blue in a gray (ITU-R BT.601)."""


@dataclass(frozen=True)
class Saturation(PixelChange[None]):
    """Differences of colors from their gray multiplied by a factor; 0 gives gray images.

    Args:
        factor: The factor.

    Raises:
        ConfigError: unless it is at least 0, and not 1.
    """

    LEVELS: ClassVar = ({"factor": 0.75}, {"factor": 0.5}, {"factor": 0.25}, {"factor": 0.1}, {"factor": 0.0})

    factor: float = 0.25

    def __post_init__(self) -> None:
        if not 0 <= self.factor != 1:
            raise ConfigError(f"Saturation needs factor >= 0 other than 1; got {self}.")

    def apply(self, image: Images, drawn: None, step: int, generator: np.random.Generator) -> Images:
        """See :class:`PixelChange`."""
        del drawn, step, generator
        if len(image) != 3:
            return image
        gray = np.tensordot(GRAY, image, axes=1)
        return gray + np.float32(self.factor) * (image - gray)
