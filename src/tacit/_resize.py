"""Resizing of images, the same for reading and for a model that acts on them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from tacit.errors import ConfigError

if TYPE_CHECKING:
    from PIL import Image

__all__ = ["check_size", "cover", "fitted", "resized", "wanted_size"]


def check_size(size: int | tuple[int, int] | None) -> None:
    """Refuse an invalid image size.

    Raises:
        ConfigError: if it is below 1, or not two numbers.
    """
    wanted = wanted_size(size)
    if wanted is not None and (len(wanted) != 2 or not all(isinstance(side, int) and side >= 1 for side in wanted)):
        raise ConfigError(f"size is a side in pixels, such as 64, or (height, width), of at least 1; got {size}.")


def wanted_size(size: int | tuple[int, int] | None) -> tuple[int, int] | None:
    """Return height and width."""
    return (size, size) if isinstance(size, int) else size


def cover(have: tuple[int, int], want: tuple[int, int]) -> tuple[float, float, float, float]:
    """Return the largest area of shape ``want`` around the centre of ``have``: left, top, right, bottom.

    Both are height and width.
    """
    height, width = have
    scale = min(height / want[0], width / want[1])
    tall, wide = min(scale * want[0], height), min(scale * want[1], width)
    left, top = (width - wide) / 2, (height - tall) / 2
    return left, top, min(left + wide, width), min(top + tall, height)


def fitted(image: Image.Image, size: tuple[int, int]) -> Image.Image:
    """Return the image cropped around its centre and resized to ``size``, bicubic and antialiased."""
    from PIL import Image

    box = cover((image.height, image.width), size)
    return image.resize(size[::-1], Image.Resampling.BICUBIC, box=box)


def resized(frames: npt.NDArray[np.uint8], size: tuple[int, ...]) -> npt.NDArray[np.uint8]:
    """Return frames ``[..., C, H, W]`` as ``[..., C, *size]``, each as by :func:`fitted`."""
    from PIL import Image

    *leading, channels, height, width = frames.shape
    wanted = size[0], size[1]
    out = np.empty((*leading, channels, *wanted), np.uint8)
    if channels == 3:
        colour = np.ascontiguousarray(np.moveaxis(frames.reshape(-1, 3, height, width), 1, -1))
        for target, frame in zip(out.reshape(-1, 3, *wanted), colour, strict=True):
            target[:] = np.moveaxis(np.asarray(fitted(Image.fromarray(frame), wanted)), -1, 0)
        return out
    for target, frame in zip(out.reshape(-1, *wanted), frames.reshape(-1, height, width), strict=True):
        target[:] = np.asarray(fitted(Image.fromarray(frame), wanted))
    return out
