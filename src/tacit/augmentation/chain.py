"""Chain of augmentations."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Generator, Tensor

from tacit.augmentation._augmentation import Augmentation, require

__all__ = ["Chain"]


@dataclass(frozen=True)
class Chain(Augmentation):
    """Augmentations applied in order; an empty chain changes nothing.

    Raises:
        ConfigError: if a part is no augmentation.
    """

    parts: tuple[Augmentation, ...] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "parts", tuple(self.parts))
        require(all(isinstance(part, Augmentation) for part in self.parts), self, "parts that are augmentations")

    def apply(self, videos: Tensor, generator: Generator | None) -> Tensor:
        """See :class:`Augmentation`."""
        for part in self.parts:
            videos = part.apply(videos, generator)
        return videos
