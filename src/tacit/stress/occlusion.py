"""A thing in front of the camera."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from tacit.errors import ConfigError
from tacit.stress._images import Images, PixelChange

__all__ = ["Occlusion"]


@dataclass(frozen=True)
class Occlusion(PixelChange[np.ndarray]):
    """A gray square that covers one place of the image.

    Args:
        side: Its side, as a share of the height.

    Raises:
        ConfigError: unless it is in ``(0, 1)``.
    """

    LEVELS: ClassVar = ({"side": 0.1}, {"side": 0.15}, {"side": 0.2}, {"side": 0.25}, {"side": 0.3})

    side: float = 0.2

    def __post_init__(self) -> None:
        if not 0 < self.side < 1:
            raise ConfigError(f"Occlusion needs 0 < side < 1; got {self}.")

    def draw(self, generator: np.random.Generator) -> np.ndarray:
        """See :class:`PixelChange`."""
        return generator.uniform(0, 1, 2)

    def apply(self, image: Images, drawn: np.ndarray, step: int, generator: np.random.Generator) -> Images:
        """See :class:`PixelChange`."""
        del step, generator
        return covered(image, drawn, self.side, np.full(len(image), 127.0, np.float32))


def covered(image: Images, place: np.ndarray, share: float, color: np.ndarray) -> Images:
    """Return an image with a square at a place in ``[0, 1]^2`` of the range of its corner."""
    side = max(round(share * image.shape[1]), 1)
    top, left = (int(where * (size - side) + 0.5) for where, size in zip(place, image.shape[1:], strict=True))
    shown = image.copy()
    shown[:, top : top + side, left : left + side] = color[:, None, None]
    return shown
