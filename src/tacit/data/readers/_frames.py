"""Conversion of images and video frames to one size and number of channels."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from tacit._resize import check_size
from tacit.errors import ConfigError

__all__ = ["check_frames", "grey"]


def check_frames(size: int | tuple[int, int] | None, channels: int, on_error: str) -> None:
    """Raise ConfigError unless the options that readers of images share are valid."""
    if channels not in (1, 3):
        raise ConfigError(f"channels is 3 (colour) or 1 (grey); got {channels}.")
    check_size(size)
    if on_error not in ("raise", "skip"):
        raise ConfigError(f"on_error is 'raise' or 'skip'; got {on_error!r}.")


def grey(pixels: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """Return colour ``[H, W, 3]`` as luma ``[1, H, W]`` (ITU-R 601, in 16-bit steps, rounded)."""
    red, green, blue = np.moveaxis(pixels.astype(np.uint32), -1, 0)
    luma = (red * 19595 + green * 38470 + blue * 7471 + 32768) >> 16
    return np.asarray(luma, np.uint8)[None]
