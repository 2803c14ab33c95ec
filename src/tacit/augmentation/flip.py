"""Horizontal or vertical flip."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Generator, Tensor

from tacit.augmentation._augmentation import Augmentation, among, require, uniform

__all__ = ["Flip"]


@dataclass(frozen=True)
class Flip(Augmentation):
    """Exchange of left and right, or of top and bottom.

    Args:
        p: The probability for each item.
        vertical: Exchange top and bottom instead.

    Raises:
        ConfigError: if ``p`` is not a probability.
    """

    p: float = 0.5
    vertical: bool = False

    def __post_init__(self) -> None:
        require(0 <= self.p <= 1, self, "a probability 0 <= p <= 1")

    def apply(self, videos: Tensor, generator: Generator | None) -> Tensor:
        """See :class:`Augmentation`."""
        axis = -2 if self.vertical else -1
        return among(videos, uniform(generator, len(videos)) < self.p, lambda chosen: chosen.flip(axis))
