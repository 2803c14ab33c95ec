"""A camera of a lower resolution."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from tacit.errors import ConfigError
from tacit.stress._images import Images, PixelChange

__all__ = ["Resolution"]


@dataclass(frozen=True)
class Resolution(PixelChange[None]):
    """The image averaged over fewer pixels, and shown in the old size.

    Args:
        factor: The old height over the new one.

    Raises:
        ConfigError: unless it is above 1.
    """

    LEVELS: ClassVar = ({"factor": 1.34}, {"factor": 2.0}, {"factor": 2.67}, {"factor": 4.0}, {"factor": 5.34})

    factor: float = 2.67

    def __post_init__(self) -> None:
        if not self.factor > 1:
            raise ConfigError(f"Resolution needs factor > 1; got {self}.")

    def apply(self, image: Images, drawn: None, step: int, generator: np.random.Generator) -> Images:
        """See :class:`PixelChange`."""
        del drawn, step, generator
        for axis in (1, 2):
            size = image.shape[axis]
            few = max(round(size / self.factor), 1)
            image = np.moveaxis(np.moveaxis(image, axis, -1) @ averages(size, few), -1, axis)
        return image


def averages(size: int, few: int) -> Images:
    """Return the matrix ``[size, size]`` that averages a row over ``few`` equal parts and spreads the means."""
    edges = np.linspace(0, size, few + 1)
    low, high = np.maximum(edges[:-1, None], np.arange(size)), np.minimum(edges[1:, None], np.arange(size) + 1)
    inside = np.maximum(high - low, 0)  # [few, size]: what each pixel has in each part
    return np.asarray((inside / inside.sum(axis=1, keepdims=True)).T @ inside, np.float32)
