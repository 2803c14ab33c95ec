"""Augmentation of a random part of the items."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Generator, Tensor

from tacit.augmentation._augmentation import Augmentation, among, require, uniform
from tacit.errors import SpecError

__all__ = ["Sometimes"]


@dataclass(frozen=True)
class Sometimes(Augmentation):
    """Augmentation of a random part of the items; the others pass unchanged, at no cost.

    Args:
        p: The probability for each item.
        augmentation: The augmentation; it must keep the size of images.

    Raises:
        ConfigError: if ``p`` is not a probability or ``augmentation`` not an augmentation.
    """

    p: float
    augmentation: Augmentation

    def __post_init__(self) -> None:
        require(0 <= self.p <= 1, self, "a probability 0 <= p <= 1")
        require(isinstance(self.augmentation, Augmentation), self, "an augmentation")

    def apply(self, videos: Tensor, generator: Generator | None) -> Tensor:
        """See :class:`Augmentation`.

        Raises:
            SpecError: if the augmentation changes the size of images.
        """
        return among(videos, uniform(generator, len(videos)) < self.p, lambda chosen: self._change(chosen, generator))

    def _change(self, chosen: Tensor, generator: Generator | None) -> Tensor:
        changed = self.augmentation.apply(chosen, generator)
        if changed.shape != chosen.shape:
            raise SpecError(
                f"{type(self.augmentation).__name__} makes {list(changed.shape[-2:])} of images of "
                f"{list(chosen.shape[-2:])}: all images of a batch are of one size, so it cannot happen to some only."
            )
        return changed
