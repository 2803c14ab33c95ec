"""Random changes of brightness, contrast, saturation and hue."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

from torch import Generator, Tensor

from tacit.augmentation._augmentation import Augmentation, require, uniform
from tacit.augmentation._colour import brightness, contrast, hue, saturation

__all__ = ["ColorJitter"]

Order: TypeAlias = Literal["random", "fixed"]
CHANGES = (brightness, contrast, saturation, hue)


@dataclass(frozen=True)
class ColorJitter(Augmentation):
    """Random changes of brightness, contrast, saturation and hue, drawn for each item.

    Grey images have no saturation and no hue to change.

    Args:
        brightness: The factor is drawn from ``1 - brightness`` (0 at least) to ``1 + brightness``.
        contrast: The same, relative to the mean luma of a frame.
        saturation: The same, relative to the luma of a pixel.
        hue: Hues rotate by up to this part of the colour circle, in either direction.
        order: ``random``: the order of the four changes is drawn for the batch; ``fixed``: the order of the arguments.

    Raises:
        ConfigError: if an option is out of range.
    """

    brightness: float = 0.0
    contrast: float = 0.0
    saturation: float = 0.0
    hue: float = 0.0
    order: Order = "random"

    def __post_init__(self) -> None:
        least = min(self.brightness, self.contrast, self.saturation)
        require(least >= 0, self, "brightness, contrast and saturation of at least 0")
        require(0 <= self.hue <= 0.5, self, "a hue from 0 to 0.5")
        require(self.order in ("random", "fixed"), self, "the order 'random' or 'fixed'")

    def apply(self, videos: Tensor, generator: Generator | None) -> Tensor:
        """See :class:`Augmentation`."""
        factors = (self.brightness, self.contrast, self.saturation)
        ranges = [*((max(1 - amount, 0.0), 1 + amount) for amount in factors), (-self.hue, self.hue)]
        draws = [uniform(generator, len(videos), low=low, high=high) for low, high in ranges]
        order = uniform(generator, len(CHANGES)).argsort().tolist() if self.order == "random" else range(len(CHANGES))
        for index in order:
            low, high = ranges[index]
            videos = CHANGES[index](videos, draws[index]) if low < high else videos
        return videos
