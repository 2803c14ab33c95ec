"""Base class and helpers of augmentations: float output, and the same draws on every device."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Generator, Tensor

from tacit.errors import ConfigError, SpecError

__all__ = ["Augmentation"]


class Augmentation:
    """Base class of augmentations, which change each image of a batch at random.

    A subclass is a frozen dataclass of options and implements :meth:`apply`.

    Pixel values stay in the range 0 to 255. Changed values are float, so that a chain of augmentations never rounds. A
    model normalises its input itself. All random numbers are drawn on the CPU: the same generator gives the same
    images, up to rounding, on every device.
    """

    def __call__(self, images: Tensor, generator: Generator | None = None) -> Tensor:
        """Return the changed images: float32 values from 0 to 255, on the device of the input.

        Args:
            images: Images ``[B, C, H, W]``, or videos ``[B, T, C, H, W]``, whose frames all change in the same way;
                uint8, or float32 values from 0 to 255.
            generator: The only source of randomness, on the CPU; optional for augmentations that draw nothing.

        Raises:
            SpecError: if the input has another shape or dtype, or does not fit the options.
            ConfigError: if the generator is missing or not on the CPU.
        """
        videos = as_videos(images)
        changed = self.apply(videos, generator)
        return changed.squeeze(1) if images.ndim == 4 else changed

    def apply(self, videos: Tensor, generator: Generator | None) -> Tensor:
        """Return float32 ``[B, T, C, H', W']`` for videos ``[B, T, C, H, W]``; do not modify the input."""
        raise NotImplementedError


def as_videos(images: Tensor) -> Tensor:
    """Convert images ``[B, C, H, W]`` to videos of one frame; keep videos; float32 values.

    Raises:
        SpecError: if the input is neither.
    """
    if images.ndim not in (4, 5) or images.dtype not in (torch.uint8, torch.float32):
        raise SpecError(
            "expected images [B, C, H, W] or videos [B, T, C, H, W], uint8 or float32 values from 0 to 255; got "
            f"{str(images.dtype).removeprefix('torch.')} {list(images.shape)}."
        )
    return (images if images.ndim == 5 else images.unsqueeze(1)).float()


def uniform(generator: Generator | None, *shape: int, low: float = 0.0, high: float = 1.0) -> Tensor:
    """Draw float64 values from ``[low, high)`` of the given shape, on the CPU.

    Raises:
        ConfigError: if the generator is missing or on another device.
    """
    if generator is None or generator.device.type != "cpu":
        given = "none" if generator is None else f"one on {generator.device}"
        raise ConfigError(
            f"an augmentation draws from a generator on the CPU, to be the same on every device; got {given}. Pass "
            "torch.Generator().manual_seed(seed)."
        )
    return low + (high - low) * torch.rand(shape, generator=generator, dtype=torch.float64)


def among(videos: Tensor, chosen: Tensor, change: Callable[[Tensor], Tensor]) -> Tensor:
    """Apply a change to the ``chosen [B]`` videos; the others are only copied."""
    index = chosen.nonzero()[:, 0]  # on the CPU, where nonzero() does not wait for a device
    if len(index) == 0:
        return videos
    if len(index) == len(videos):
        return change(videos)
    index = index.to(videos.device)
    return videos.index_copy(0, index, change(videos[index]))


def per_video(values: Tensor, videos: Tensor) -> Tensor:
    """Return numbers ``[B]`` as ``[B, 1, 1, 1, 1]``, on the device of the videos."""
    return values.to(videos).view(-1, 1, 1, 1, 1)


def require_size(size: object, augmentation: object) -> None:
    """Check that a size is a valid height and width.

    Raises:
        ConfigError: unless ``size`` is a pair of whole numbers of at least 1.
    """
    pair = isinstance(size, tuple) and len(size) == 2 and all(isinstance(side, int) and side >= 1 for side in size)
    require(pair, augmentation, "a size (height, width), whole numbers of at least 1")


def require(condition: bool, augmentation: object, message: str) -> None:
    """Check an option.

    Raises:
        ConfigError: unless ``condition`` holds.
    """
    if not condition:
        raise ConfigError(f"{type(augmentation).__name__} needs {message}; got {augmentation!r}.")
