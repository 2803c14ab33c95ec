"""Inversion of bright pixel values."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Generator, Tensor

from tacit.augmentation._augmentation import Augmentation, require

__all__ = ["Solarize"]


@dataclass(frozen=True)
class Solarize(Augmentation):
    """Inversion of values from ``threshold`` on: they become 255 minus themselves.

    Raises:
        ConfigError: if the threshold is not within 0 and 256; 256 changes nothing.
    """

    threshold: float = 128.0

    def __post_init__(self) -> None:
        require(0 <= self.threshold <= 256, self, "a threshold from 0 to 256")

    def apply(self, videos: Tensor, generator: Generator | None) -> Tensor:
        """See :class:`Augmentation`."""
        del generator
        # A choice by mask mispredicts half its branches on a CPU; |0 - x| and |255 - x| are exact and take none.
        return torch.ge(videos, self.threshold, out=torch.empty_like(videos)).mul_(255).sub_(videos).abs_()
