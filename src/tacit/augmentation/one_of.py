"""Choice of one augmentation for each item."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Generator, Tensor

from tacit.augmentation._augmentation import Augmentation, among, require, uniform

__all__ = ["OneOf"]


@dataclass(frozen=True)
class OneOf(Augmentation):
    """Choice of one augmentation for each item, with equal chances.

    Args:
        parts: The augmentations; they must keep the size of images.

    Raises:
        ConfigError: if there is none, or a part is no augmentation.
    """

    parts: tuple[Augmentation, ...]

    def __post_init__(self) -> None:
        object.__setattr__(self, "parts", tuple(self.parts))
        valid = bool(self.parts) and all(isinstance(part, Augmentation) for part in self.parts)
        require(valid, self, "parts that are augmentations, at least one")

    def apply(self, videos: Tensor, generator: Generator | None) -> Tensor:
        """See :class:`Augmentation`."""
        choice = (uniform(generator, len(videos)) * len(self.parts)).to(torch.int64)
        for index, part in enumerate(self.parts):
            videos = among(videos, choice == index, lambda chosen, part=part: part.apply(chosen, generator))  # type: ignore[misc]
        return videos
