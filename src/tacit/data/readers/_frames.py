"""How pictures and film frames come to one size and number of channels."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from PIL import Image

from tacit.errors import ConfigError

__all__ = ["check_frames", "cover", "fitted", "grey", "wanted_size"]


def check_frames(size: int | tuple[int, int] | None, channels: int) -> None:
    """Raise ConfigError unless pixels can be made so."""
    if channels not in (1, 3):
        raise ConfigError(f"channels is 3 (colour) or 1 (grey); got {channels}.")
    if size is not None and min(wanted_size(size) or ()) < 1:
        raise ConfigError(f"size is a side in pixels, such as 64, or (height, width), of at least 1; got {size}.")


def wanted_size(size: int | tuple[int, int] | None) -> tuple[int, int] | None:
    """Height and width."""
    return (size, size) if isinstance(size, int) else size


def cover(have: tuple[int, int], want: tuple[int, int]) -> tuple[float, float, float, float]:
    """The largest area of shape ``want`` around the centre of ``have`` (height, width): left, top, right, bottom."""
    height, width = have
    scale = min(height / want[0], width / want[1])
    tall, wide = min(scale * want[0], height), min(scale * want[1], width)
    left, top = (width - wide) / 2, (height - tall) / 2
    return left, top, min(left + wide, width), min(top + tall, height)


def fitted(picture: Image.Image, size: tuple[int, int]) -> Image.Image:
    """The picture cut to the shape of ``size`` around its centre and resized to it, bicubic and antialiased."""
    box = cover((picture.height, picture.width), size)
    return picture.resize(size[::-1], Image.Resampling.BICUBIC, box=box)


def grey(pixels: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """Colour ``[H, W, 3]`` as luma ``[1, H, W]`` (ITU-R 601, in 16-bit steps, rounded)."""
    red, green, blue = np.moveaxis(pixels.astype(np.uint32), -1, 0)
    luma = (red * 19595 + green * 38470 + blue * 7471 + 32768) >> 16
    return np.asarray(luma, np.uint8)[None]
