"""Random convolution."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Generator, Tensor
from torch.nn import functional as F

from tacit.augmentation._augmentation import Augmentation, per_video, require, uniform

__all__ = ["RandomConvolution"]


@dataclass(frozen=True)
class RandomConvolution(Augmentation):
    """Convolution with random weights of 3 by 3 pixels (Lee et al., arXiv 1910.05396), mixed with the images.

    The convolved image has the range of 0 to 255.

    Args:
        share: Range of the share of the convolved image, drawn uniformly for each item.

    Raises:
        ConfigError: unless the range is in ``[0, 1]``.
    """

    share: tuple[float, float] = (0.1, 0.8)

    def __post_init__(self) -> None:
        require(0 <= self.share[0] <= self.share[1] <= 1, self, "a share 0 <= low <= high <= 1")

    def apply(self, videos: Tensor, generator: Generator | None) -> Tensor:
        """See :class:`Augmentation`."""
        count, length, channels, *size = videos.shape
        share = per_video(uniform(generator, count, low=self.share[0], high=self.share[1]), videos)
        weights = torch.randn(count * channels, channels, 3, 3, generator=generator).to(videos)
        stacked = videos.transpose(0, 1).flatten(1, 2)  # [T, B C, H, W]: one group of channels for each item
        with torch.autocast(videos.device.type, enabled=False):
            made = F.conv2d(F.pad(stacked, (1, 1, 1, 1), mode="replicate"), weights, groups=count)
        made = made.reshape(length, count, channels, *size).transpose(0, 1)
        low, high = made.amin(dim=(2, 3, 4), keepdim=True), made.amax(dim=(2, 3, 4), keepdim=True)
        return videos.lerp((made - low) * (255 / (high - low).clamp(min=1e-6)), share)
