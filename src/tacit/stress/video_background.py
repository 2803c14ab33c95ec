"""A video in the place of the background."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from tacit.errors import ConfigError
from tacit.stress._images import Images, PixelChange

__all__ = ["VideoBackground"]

WAVES = 6
NEAR = 12
"""The difference of a color of the background from the most frequent one, of 255."""


@dataclass(frozen=True)
class VideoBackground(PixelChange[tuple[np.ndarray, ...]]):
    """Moving waves of random colors, drawn in each episode, mixed into the background.

    Background is what has the most frequent color of an image, or one near to it.

    Args:
        share: The share of the video in the background.

    Raises:
        ConfigError: unless it is in ``(0, 1]``.
    """

    LEVELS: ClassVar = ({"share": 0.2}, {"share": 0.4}, {"share": 0.6}, {"share": 0.8}, {"share": 1.0})

    share: float = 0.6

    def __post_init__(self) -> None:
        if not 0 < self.share <= 1:
            raise ConfigError(f"VideoBackground needs 0 < share <= 1; got {self}.")

    def draw(self, generator: np.random.Generator) -> tuple[np.ndarray, ...]:
        """See :class:`PixelChange`."""
        return (
            generator.uniform(-4, 4, (WAVES, 2)),
            generator.uniform(-0.3, 0.3, WAVES),
            generator.uniform(0, 2 * np.pi, WAVES),
            generator.uniform(-1, 1, (WAVES, 3)),
        )

    def apply(self, image: Images, drawn: tuple[np.ndarray, ...], step: int, generator: np.random.Generator) -> Images:
        """See :class:`PixelChange`."""
        del generator
        number, pace, phase, color = drawn
        rows, columns = (np.linspace(0, 2 * np.pi, size, endpoint=False) for size in image.shape[1:])
        angle = number[:, 0, None, None] * rows[:, None] + number[:, 1, None, None] * columns
        waves = np.cos(angle + (phase + pace * step)[:, None, None])
        video = 127.5 + 127.5 * np.einsum("nc,nhw->chw", color[:, : len(image)], waves) / np.sqrt(WAVES)
        there = (np.abs(image - usual_color(image)) <= NEAR).all(axis=0)
        mixed = (1 - self.share) * image + self.share * np.clip(video, 0, 255)
        return np.where(there, mixed, image).astype(np.float32)


def usual_color(image: Images) -> Images:
    """Return the most frequent color of an image, ``[C, 1, 1]``, rounded to steps of ``NEAR``."""
    parts = (image // NEAR).astype(np.int64)
    base = 255 // NEAR + 1
    codes = sum(part * base**index for index, part in enumerate(parts))
    code = int(np.bincount(np.asarray(codes).ravel()).argmax())
    found = [code // base**index % base for index in range(len(parts))]
    return (np.array(found, np.float32)[:, None, None] + np.float32(0.5)) * NEAR
