"""A random texture of everything."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from tacit.errors import ConfigError
from tacit.stress._images import Images, PixelChange

__all__ = ["RandomConvolution"]


@dataclass(frozen=True)
class RandomConvolution(PixelChange[np.ndarray]):
    """A random convolution of 3 by 3 pixels (Lee et al., arXiv 1910.05396) of each episode, mixed with the image.

    Args:
        share: The share of the convolved image.

    Raises:
        ConfigError: unless it is in ``(0, 1]``.
    """

    LEVELS: ClassVar = ({"share": 0.1}, {"share": 0.2}, {"share": 0.4}, {"share": 0.7}, {"share": 1.0})

    share: float = 0.4

    def __post_init__(self) -> None:
        if not 0 < self.share <= 1:
            raise ConfigError(f"RandomConvolution needs 0 < share <= 1; got {self}.")

    def draw(self, generator: np.random.Generator) -> np.ndarray:
        """See :class:`PixelChange`."""
        return generator.normal(0, 1, (3, 3, 3, 3)).astype(np.float32)

    def apply(self, image: Images, drawn: np.ndarray, step: int, generator: np.random.Generator) -> Images:
        """See :class:`PixelChange`."""
        del step, generator
        count = len(image)
        padded = np.pad(image, ((0, 0), (1, 1), (1, 1)), mode="edge")
        windows = np.lib.stride_tricks.sliding_window_view(padded, (3, 3), axis=(1, 2))
        made = np.einsum("oikl,ihwkl->ohw", drawn[:count, :count], windows, optimize=True)
        low, high = made.min(), made.max()
        made = (made - low) * (255 / max(high - low, 1e-6))  # the range of the image
        return np.asarray((1 - self.share) * image + self.share * made, np.float32)
