"""Drawing of an antialiased disc on each image of a batch. Only the pixels around it change."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

__all__ = ["Discs"]


class Discs:
    """A disc for each of ``B`` backgrounds.

    Args:
        backgrounds: ``[B, 3, size, size]`` uint8.
        radius: ``[B, 1]`` in pixels.
        color: ``[B, 3]`` in 0 to 255.
    """

    def __init__(
        self, backgrounds: npt.NDArray[np.uint8], radius: npt.NDArray[np.float64], color: npt.NDArray[np.float64]
    ) -> None:
        count, size = len(backgrounds), backgrounds.shape[-1]
        width = min(int(2 * np.ceil(radius.max()) + 3), size)
        self._backgrounds = backgrounds
        self._reach = radius[:, :, None] + 0.5
        self._half, self._last = width // 2, size - width
        self._offsets = np.arange(width)
        self._color = color[:, :, None]
        self._stride = np.array([1, size])
        patch = (self._offsets[:, None] * size + self._offsets).ravel()
        self._pixels = np.arange(3 * count).reshape(count, 3, 1) * (size * size) + patch

    def frames(self, center: npt.NDArray[np.float64]) -> npt.NDArray[np.uint8]:
        """Return copies of the backgrounds with a disc at each centre ``[B, 2]``, x then y, in pixels."""
        frames = self._backgrounds.copy()
        self.draw(frames, center)
        return frames

    def draw(self, frames: npt.NDArray[np.uint8], center: npt.NDArray[np.float64]) -> None:
        """Draw the discs at centres ``[B, 2]`` on images of the size of the backgrounds, in place."""
        corner = np.minimum(np.maximum(center.astype(np.int64) - self._half, 0), self._last)
        squared = (corner[:, :, None] + (self._offsets + 0.5) - center[:, :, None]) ** 2
        distance = np.sqrt(squared[:, 1, :, None] + squared[:, 0, None, :])
        cover = np.minimum(np.maximum(self._reach - distance, 0.0), 1.0).reshape(len(center), 1, -1)
        index = self._pixels + (corner @ self._stride)[:, None, None]
        flat = frames.reshape(-1)
        paper = flat[index]
        flat[index] = paper + cover * (self._color - paper) + 0.5
