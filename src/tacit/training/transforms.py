"""What is done to a batch before the model sees it: augmentation, views, masks."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Protocol, runtime_checkable

import torch
from torch import Tensor

from tacit.augmentation import Augmentation, MultiCrop
from tacit.data.clips import Clips
from tacit.errors import ConfigError
from tacit.types import Clip, Masking

__all__ = ["Augmented", "ChecksClips", "Masked", "Viewed"]


@runtime_checkable
class ChecksClips(Protocol):
    """A transform that fits some windows only: it is asked before a training begins."""

    def check(self, clips: Clips) -> None:
        """Raise a ConfigError if it does not fit these."""


@dataclass(frozen=True)
class Augmented:
    """Changes the pictures of each window, all frames alike.

    Args:
        augmentation: What happens to them.
        modality: The camera.
    """

    augmentation: Augmentation
    modality: str = "pixels"

    def __call__(self, clip: Clip, *, seed: int, rank: int) -> Clip:
        """See :class:`tacit.types.Transform`."""
        changed = self.augmentation(_pictures(clip, self.modality), _generator(seed, rank))
        return replace(clip, observation={**clip.observation, self.modality: changed})


@dataclass(frozen=True)
class Viewed:
    """Makes views of the first picture of each window.

    Args:
        crops: How.
        modality: The camera.
    """

    crops: MultiCrop
    modality: str = "pixels"

    def __call__(self, clip: Clip, *, seed: int, rank: int) -> Clip:
        """See :class:`tacit.types.Transform`."""
        pictures = _pictures(clip, self.modality)[:, 0]
        return replace(clip, views=self.crops(pictures, _generator(seed, rank)))


@dataclass(frozen=True)
class Masked:
    """Draws what a masked model sees and predicts.

    Args:
        masking: How.
        grid: Tokens along each axis: ``model.grid``.
    """

    masking: Masking
    grid: tuple[int, ...]

    def __call__(self, clip: Clip, *, seed: int, rank: int) -> Clip:
        """See :class:`tacit.types.Transform`."""
        return replace(clip, masks=self.masking(self.grid, len(clip.action), seed=seed, rank=rank))


def _pictures(clip: Clip, modality: str) -> Tensor:
    if modality not in clip.observation:
        raise ConfigError(f"the batch has {', '.join(clip.observation)}; there is no {modality!r} to augment.")
    return clip.observation[modality]


def _generator(seed: int, rank: int) -> torch.Generator:
    return torch.Generator().manual_seed((seed + rank) % 2**63)
