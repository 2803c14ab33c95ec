"""Crop of the centre of an image."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Generator, Tensor

from tacit.augmentation._augmentation import Augmentation, require_size
from tacit.errors import SpecError

__all__ = ["CenterCrop"]


@dataclass(frozen=True)
class CenterCrop(Augmentation):
    """Crop of the centre of an image; nothing is drawn.

    Args:
        size: Height and width of the result.

    Raises:
        ConfigError: if the size is no valid height and width.
    """

    size: tuple[int, int]

    def __post_init__(self) -> None:
        require_size(self.size, self)

    def apply(self, videos: Tensor, generator: Generator | None) -> Tensor:
        """See :class:`Augmentation`.

        Raises:
            SpecError: if the images are smaller than the crop.
        """
        del generator
        (height, width), (rows, columns) = self.size, videos.shape[-2:]
        if height > rows or width > columns:
            raise SpecError(
                f"a crop of {height} x {width} does not fit into images of {rows} x {columns}; resize them first."
            )
        top, left = round((rows - height) / 2), round((columns - width) / 2)
        return videos[..., top : top + height, left : left + width].contiguous()
