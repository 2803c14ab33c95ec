"""Two Rooms under visual changes: clean targets of changed frames."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

from tacit.augmentation import Blur, ColorJitter, Grayscale, Noise, OneOf, Overlay, RandomConvolution
from tacit.recipes._recipe import Acting, Part
from tacit.recipes.random_rooms import RandomRooms
from tacit.training import TrainingConfig
from tacit.training.transforms import ChangeFrames
from tacit.types import Transform

__all__ = ["RobustRooms"]

CHANGES = OneOf(
    (
        ColorJitter(brightness=0.5, contrast=0.7, saturation=1.0, hue=0.25),
        ColorJitter(brightness=0.3, contrast=0.3, saturation=0.5, hue=0.5),
        Grayscale(),
        Noise(),
        Blur(),
        RandomConvolution(),
        Overlay(share=(0.2, 0.9)),
        Overlay(),
    )
)
"""Changes of color, of detail and of texture. None covers or moves a part of the image."""


@dataclass(frozen=True)
class RobustRooms(RandomRooms):
    """The recipe ``random_rooms``, whose encoder also learns to see changed frames as it sees clean ones.

    Six frames of each window are encoded a second time, changed in one way. The clean latents are the target, so that
    the world model itself learns from clean frames alone. Plans arrive after four fifths of the task, which leaves time
    where the world is slower than the model.
    """

    objective: tuple[Part, ...] = (*RandomRooms.objective, Part("clean_target", {"warmup": 0.5}, 4.0))
    steps: int = 3_000
    acting: Acting = field(default_factory=lambda: replace(RandomRooms().acting, arrive_by=80))
    training: TrainingConfig = field(default_factory=lambda: TrainingConfig(lr=1e-3, weight_decay=1e-4, threads=1))

    def transforms(self, model: Any) -> tuple[Transform, ...]:
        """Return the change of frames."""
        return (*super().transforms(model), ChangeFrames(CHANGES, frames=6))
