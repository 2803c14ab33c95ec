"""Overlay of another item."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Generator, Tensor

from tacit.augmentation._augmentation import Augmentation, per_video, require, uniform

__all__ = ["Overlay"]

WAVES = 4


@dataclass(frozen=True)
class Overlay(Augmentation):
    """Still waves of random colors mixed into all frames of an item, in place of the distracting images of SVEA.

    Args:
        share: Range of the share of the waves, drawn uniformly for each item.

    Raises:
        ConfigError: unless the range is in ``[0, 1]``.
    """

    share: tuple[float, float] = (0.1, 0.6)

    def __post_init__(self) -> None:
        require(0 <= self.share[0] <= self.share[1] <= 1, self, "a share 0 <= low <= high <= 1")

    def apply(self, videos: Tensor, generator: Generator | None) -> Tensor:
        """See :class:`Augmentation`."""
        count, _, channels, height, width = videos.shape
        share = per_video(uniform(generator, count, low=self.share[0], high=self.share[1]), videos)
        number = uniform(generator, count, WAVES, 2, low=-5.0, high=5.0)
        phase = uniform(generator, count, WAVES, 1, 1, high=2 * torch.pi)
        color = uniform(generator, count, WAVES, channels, low=-1.0)
        rows, columns = (torch.arange(size) * (2 * torch.pi / size) for size in (height, width))
        angle = number[:, :, 0, None, None] * rows[:, None] + number[:, :, 1, None, None] * columns + phase
        waves = torch.einsum("bnc,bnhw->bchw", color, angle.cos()) / WAVES**0.5
        return videos.lerp((127.5 + 127.5 * waves).clamp(0, 255)[:, None].to(videos).expand_as(videos), share)
