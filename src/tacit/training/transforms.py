"""Transforms of a batch before the model: augmentation, views, masks."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Protocol, runtime_checkable

import torch
from torch import Tensor

from tacit.augmentation import Augmentation, MultiCrop
from tacit.data.clips import Clips
from tacit.errors import ConfigError
from tacit.types import Clip, Masking

__all__ = ["Augment", "ChangeFrames", "ChecksClips", "DrawMasks", "MakeViews"]


@runtime_checkable
class ChecksClips(Protocol):
    """A transform that requires certain clips; they are checked before training starts."""

    def check(self, clips: Clips) -> None:
        """Raise a ConfigError if the transform does not fit these clips."""


@dataclass(frozen=True)
class Augment:
    """An augmentation of the images of each window, the same for all of its frames.

    Args:
        augmentation: The augmentation.
        modality: The camera.
    """

    augmentation: Augmentation
    modality: str = "pixels"

    def __call__(self, clip: Clip, *, seed: int, rank: int) -> Clip:
        """See :class:`tacit.types.Transform`."""
        changed = self.augmentation(_images(clip, self.modality), _generator(seed, rank))
        return replace(clip, observation={**clip.observation, self.modality: changed})


@dataclass(frozen=True)
class ChangeFrames:
    """A transform that shows some frames of each window a second time, changed by an augmentation.

    The frames themselves stay as they are: a model learns to see a changed frame as it sees the clean one, with
    :class:`tacit.objectives.CleanTarget`.

    Args:
        augmentation: The augmentation, drawn for each window.
        frames: Frames of a window, at places drawn for the batch.
        modality: The camera.

    Raises:
        ConfigError: if there are no frames.
    """

    augmentation: Augmentation
    frames: int = 4
    modality: str = "pixels"

    def __post_init__(self) -> None:
        if self.frames < 1:
            raise ConfigError(f"ChangeFrames needs frames >= 1; got {self.frames}.")

    def __call__(self, clip: Clip, *, seed: int, rank: int) -> Clip:
        """See :class:`tacit.types.Transform`."""
        images, generator = _images(clip, self.modality), _generator(seed, rank)
        at = torch.randperm(images.shape[1], generator=generator)[: self.frames].sort().values
        others = {name: values[:, at] for name, values in clip.observation.items() if name != self.modality}
        changed = self.augmentation(images[:, at.to(images.device)], generator).round().to(torch.uint8)
        return replace(clip, changed={**others, self.modality: changed}, changed_at=at)


@dataclass(frozen=True)
class MakeViews:
    """A transform that makes views of the first frame of each window.

    Args:
        crops: The cropping of the views.
        modality: The camera.
    """

    crops: MultiCrop
    modality: str = "pixels"

    def __call__(self, clip: Clip, *, seed: int, rank: int) -> Clip:
        """See :class:`tacit.types.Transform`."""
        images = _images(clip, self.modality)[:, 0]
        return replace(clip, views=self.crops(images, _generator(seed, rank)))


@dataclass(frozen=True)
class DrawMasks:
    """A transform that draws the masks of a masked model.

    Args:
        masking: The sampler of masks.
        grid: Tokens along each axis: ``model.grid``.
    """

    masking: Masking
    grid: tuple[int, ...]

    def __call__(self, clip: Clip, *, seed: int, rank: int) -> Clip:
        """See :class:`tacit.types.Transform`."""
        return replace(clip, masks=self.masking(self.grid, len(clip.action), seed=seed, rank=rank))


def _images(clip: Clip, modality: str) -> Tensor:
    if modality not in clip.observation:
        raise ConfigError(f"the batch has {', '.join(clip.observation)}; there is no {modality!r} to augment.")
    return clip.observation[modality]


def _generator(seed: int, rank: int) -> torch.Generator:
    return torch.Generator().manual_seed((seed + rank) % 2**63)
