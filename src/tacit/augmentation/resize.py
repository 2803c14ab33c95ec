"""Resize to another size."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Generator, Tensor
from torch.nn import functional as F

from tacit.augmentation._augmentation import Augmentation, require, require_size
from tacit.augmentation._resample import Interpolation

__all__ = ["Resize"]


@dataclass(frozen=True)
class Resize(Augmentation):
    """Resize to another size, with antialiasing; nothing is drawn.

    Args:
        size: Height and width, or the length of the shorter side alone, which keeps the aspect.
        interpolation: ``bilinear`` or ``bicubic``.

    Raises:
        ConfigError: if an option is out of range.
    """

    size: int | tuple[int, int]
    interpolation: Interpolation = "bilinear"

    def __post_init__(self) -> None:
        require_size((self.size, self.size) if isinstance(self.size, int) else self.size, self)
        require(self.interpolation in ("bilinear", "bicubic"), self, "interpolation 'bilinear' or 'bicubic'")

    def apply(self, videos: Tensor, generator: Generator | None) -> Tensor:
        """See :class:`Augmentation`."""
        del generator
        size = self.target(*videos.shape[-2:])
        if size == tuple(videos.shape[-2:]):
            return videos
        resized = F.interpolate(videos.flatten(0, 1), size, mode=self.interpolation, antialias=True).clamp_(0, 255)
        return resized.view(*videos.shape[:3], *size)

    def target(self, height: int, width: int) -> tuple[int, int]:
        """Return height and width after the change of an image of this height and width."""
        if not isinstance(self.size, int):
            return self.size
        shorter = min(height, width)
        return self.size * height // shorter, self.size * width // shorter
