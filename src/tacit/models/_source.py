"""Resizing of frames from their recorded size to the size used in training."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from tacit._resize import resized
from tacit.types import Array, Modality

__all__ = ["as_tensor", "source_hint"]


def as_tensor(value: Tensor | Array, modality: Modality) -> Tensor:
    """Return an observation as a tensor; resize frames of the source's size as in training.

    Args:
        value: One modality of an observation, with any leading axes.
        modality: The modality that the model was trained on.
    """
    source = modality.source
    if source is not None and value.ndim >= 3 and tuple(value.shape[-2:]) == source != modality.shape[1:]:
        frames = value.detach().cpu().numpy() if isinstance(value, Tensor) else value
        if frames.dtype == np.uint8:  # anything else is refused by its type
            return torch.from_numpy(resized(frames, modality.shape[1:]))  # type: ignore[arg-type]
    return torch.from_numpy(np.require(value, requirements=("C", "W"))) if isinstance(value, np.ndarray) else value


def source_hint(modality: Modality) -> str:
    """Return the addition to an error about frames of another size."""
    if modality.source is None:
        return ""
    return f" uint8 frames of the recorded size, {modality.source[0]} x {modality.source[1]}, are resized by the model."
