"""V-JEPA (arXiv 2404.08471): latents of tubes through a video, predicted from the rest of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from tacit.recipes._perception import MaskedRecipe
from tacit.recipes._recipe import Part
from tacit.training import TrainingConfig

__all__ = ["VJEPA"]


@dataclass(frozen=True)
class VJEPA(MaskedRecipe):
    """V-JEPA with the schedules of its authors.

    Windows of 16 frames, four steps apart; a short-range and a long-range mask of about 90 % each, with a mask token of
    its own; L1 to the layer-normed latents of a copy that follows with a decay from 0.998 to 1. Learning rate 2e-4 to
    6.25e-4 over two fifteenths of the steps, then a cosine to 1e-6; weight decay from 0.04 to 0.4. What falls or grows
    is laid out over 1.25 times the steps, and the warm-up is not. They train for 90,000 steps of 3072 clips of 224 px.
    """

    model: Mapping[str, Any] = field(default_factory=lambda: {"frameskip": 4, "mask_tokens": 2})
    objective: tuple[Part, ...] = (Part("masked_prediction", {"distance": "l1"}),)
    clip: int = 16
    steps: int = 10_000
    masking: Part = field(default_factory=lambda: Part("tubes"))
    aspect: tuple[float, float] = (0.75, 1.35)
    flip: float = 0.5  # the paper names crops only; the released code also flips by default
    training: TrainingConfig = field(
        default_factory=lambda: TrainingConfig(
            batch_size=64,
            lr=6.25e-4,
            lr_start=0.32,
            lr_end=1.6e-3,
            warmup=2 / 15 / 1.25,  # a share of what the schedules are laid out over
            stretch=1.25,
            weight_decay=0.04,
            weight_decay_end=0.4,
            clip_norm=10.0,
            ema=(0.998, 1.0),
        )
    )
