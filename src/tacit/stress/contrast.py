"""Contrast of a camera."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from tacit.errors import ConfigError
from tacit.stress._images import Images, PixelChange

__all__ = ["Contrast"]


@dataclass(frozen=True)
class Contrast(PixelChange[None]):
    """Differences from the middle gray multiplied by a factor.

    Args:
        factor: The factor.

    Raises:
        ConfigError: unless it is at least 0, and not 1.
    """

    LEVELS: ClassVar = ({"factor": 0.8}, {"factor": 0.65}, {"factor": 0.5}, {"factor": 0.35}, {"factor": 0.2})

    factor: float = 0.5

    def __post_init__(self) -> None:
        if not 0 <= self.factor != 1:
            raise ConfigError(f"Contrast needs factor >= 0 other than 1; got {self}.")

    def apply(self, image: Images, drawn: None, step: int, generator: np.random.Generator) -> Images:
        """See :class:`PixelChange`."""
        del drawn, step, generator
        return np.float32(127.5) + np.float32(self.factor) * (image - np.float32(127.5))
