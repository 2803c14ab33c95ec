"""Gaussian noise."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Generator, Tensor

from tacit.augmentation._augmentation import Augmentation, per_video, require, uniform

__all__ = ["Noise"]


@dataclass(frozen=True)
class Noise(Augmentation):
    """Gaussian noise of its own in each pixel, the same in all frames of an item.

    Args:
        std: Range of its standard deviation, of 255, drawn uniformly for each item.

    Raises:
        ConfigError: if the range is empty or negative.
    """

    std: tuple[float, float] = (0.0, 48.0)

    def __post_init__(self) -> None:
        require(0 <= self.std[0] <= self.std[1], self, "a std 0 <= low <= high")

    def apply(self, videos: Tensor, generator: Generator | None) -> Tensor:
        """See :class:`Augmentation`."""
        std = uniform(generator, len(videos), low=self.std[0], high=self.std[1])
        noise = torch.randn(len(videos), 1, *videos.shape[2:], generator=generator).to(videos)
        return (videos + noise * per_video(std, videos)).clamp(0, 255)
