"""Resized crop of random size, shape and position."""

from __future__ import annotations

from dataclasses import dataclass
from math import log

import torch
from torch import Generator, Tensor

from tacit.augmentation._augmentation import Augmentation, require, require_size, uniform
from tacit.augmentation._resample import Interpolation, resized_crop

__all__ = ["RandomResizedCrop"]

TRIES = 10


@dataclass(frozen=True)
class RandomResizedCrop(Augmentation):
    """Crop of random size, shape and position, resized with antialiasing (GoogLeNet, arXiv 1409.4842).

    The area and the logarithm of the aspect ratio are drawn uniformly, and drawn again if the crop exceeds the image.
    After ten draws, the crop is the largest central one with an allowed aspect ratio.

    Args:
        size: Height and width of the result.
        scale: Range of the area, as a fraction of the image's area.
        aspect: Range of width over height.
        interpolation: ``bilinear`` or ``bicubic``.

    Raises:
        ConfigError: if an option is out of range.
    """

    size: tuple[int, int]
    scale: tuple[float, float] = (0.08, 1.0)
    aspect: tuple[float, float] = (3 / 4, 4 / 3)
    interpolation: Interpolation = "bilinear"

    def __post_init__(self) -> None:
        require_size(self.size, self)
        require(0 < self.scale[0] <= self.scale[1] <= 1, self, "a scale 0 < low <= high <= 1")
        require(0 < self.aspect[0] <= self.aspect[1] < float("inf"), self, "an aspect 0 < low <= high")
        require(self.interpolation in ("bilinear", "bicubic"), self, "interpolation 'bilinear' or 'bicubic'")

    def apply(self, videos: Tensor, generator: Generator | None) -> Tensor:
        """See :class:`Augmentation`."""
        return self.crops(videos, 1, generator)[:, 0]

    def crops(self, videos: Tensor, views: int, generator: Generator | None) -> Tensor:
        """Return ``views`` crops ``[B, V, T, C, *size]`` of each video ``[B, T, C, H, W]``, float32."""
        height, width = videos.shape[-2:]
        boxes = self.boxes(len(videos) * views, height, width, generator)
        return resized_crop(videos, boxes.view(len(videos), views, 4), self.size, self.interpolation)

    def boxes(self, count: int, height: int, width: int, generator: Generator | None) -> Tensor:
        """Draw ``count`` crops of an image: top, left, height and width ``[count, 4]``, int64, on the CPU."""
        area = uniform(generator, count, TRIES, low=self.scale[0], high=self.scale[1]) * height * width
        aspect = uniform(generator, count, TRIES, low=log(self.aspect[0]), high=log(self.aspect[1])).exp()
        sizes = torch.stack([(area / aspect).sqrt().round(), (area * aspect).sqrt().round()])
        image = torch.tensor([height, width], dtype=torch.float64)
        fits = ((sizes >= 1) & (sizes <= image[:, None, None])).all(0)
        first = sizes.gather(2, fits.long().argmax(1)[None, :, None].expand(2, -1, -1))[..., 0].T
        central = self._central(height, width)
        has_fit = fits.any(1, keepdim=True)
        size = torch.where(has_fit, first, central)
        corner = (uniform(generator, count, 2) * (image - size + 1)).floor()
        return torch.cat([torch.where(has_fit, corner, ((image - central) / 2).floor()), size], dim=1).long()

    def _central(self, height: int, width: int) -> Tensor:
        """Return height and width of the largest crop of an allowed aspect."""
        low, high = self.aspect
        if width / height < low:
            height = max(round(width / low), 1)
        elif width / height > high:
            width = max(round(height * high), 1)
        return torch.tensor([height, width], dtype=torch.float64)
