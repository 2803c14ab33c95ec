"""Blur of a camera out of focus."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from tacit.errors import ConfigError
from tacit.stress._images import Images, PixelChange

__all__ = ["Blur"]


@dataclass(frozen=True)
class Blur(PixelChange[None]):
    """Gaussian blur.

    Args:
        sigma: Its standard deviation in 64ths of the height.

    Raises:
        ConfigError: if it is not above 0.
    """

    LEVELS: ClassVar = ({"sigma": 0.5}, {"sigma": 0.75}, {"sigma": 1.0}, {"sigma": 1.5}, {"sigma": 2.0})

    sigma: float = 1.0

    def __post_init__(self) -> None:
        if not self.sigma > 0:
            raise ConfigError(f"Blur needs sigma > 0; got {self}.")

    def apply(self, image: Images, drawn: None, step: int, generator: np.random.Generator) -> Images:
        """See :class:`PixelChange`."""
        del drawn, step, generator
        width = self.sigma * image.shape[1] / 64
        reach = int(np.ceil(3 * width))
        kernel = np.exp(-0.5 * (np.arange(-reach, reach + 1) / width) ** 2)
        kernel = (kernel / kernel.sum()).astype(np.float32)
        for axis in (1, 2):
            edges = [(reach, reach) if one == axis else (0, 0) for one in range(3)]
            padded = np.pad(image, edges, mode="edge")
            image = np.lib.stride_tricks.sliding_window_view(padded, len(kernel), axis=axis) @ kernel
        return image
