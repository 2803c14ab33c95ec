"""Conversion to grey."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Generator, Tensor

from tacit.augmentation._augmentation import Augmentation
from tacit.augmentation._colour import grey

__all__ = ["Grayscale"]


@dataclass(frozen=True)
class Grayscale(Augmentation):
    """Conversion of every channel to the luma, 0.2989 red + 0.587 green + 0.114 blue."""

    def apply(self, videos: Tensor, generator: Generator | None) -> Tensor:
        """See :class:`Augmentation`."""
        del generator
        return grey(videos).expand_as(videos).contiguous()
