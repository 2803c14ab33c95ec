"""MAE (arXiv 2111.06377) and VideoMAE (arXiv 2203.12602): pixel prediction, the rival of the JEPAs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from tacit.recipes._perception import MaskedRecipe
from tacit.recipes._recipe import Part
from tacit.training import TrainingConfig

__all__ = ["MAE"]


@dataclass(frozen=True)
class MAE(MaskedRecipe):
    """A masked autoencoder on the encoder and the loop of the JEPAs. Its decoder is their predictor, of pixels.

    Three quarters of the patches are hidden, and their pixels, each patch normalised by itself, are predicted by mean
    squared error. AdamW with betas 0.9 and 0.95, weight decay 0.05, a cosine after a twentieth of the steps, crops of
    20 to 100 % with flips left out. For videos: ``clip=16``, ``model.frameskip=4`` and
    ``masking.options={"ratio": 0.9, "tube": true}`` (VideoMAE, whose code, as recalled, normalises each channel of a
    patch by itself).
    """

    model: Mapping[str, Any] = field(default_factory=lambda: {"target": "pixels"})
    objective: tuple[Part, ...] = (Part("masked_prediction", {"distance": "mse"}),)
    steps: int = 10_000
    masking: Part = field(default_factory=lambda: Part("random_patches", {"ratio": 0.75}))
    crop: tuple[float, ...] = (0.2, 1.0)
    training: TrainingConfig = field(
        default_factory=lambda: TrainingConfig(
            batch_size=128, lr=1e-3, lr_end=0.0, weight_decay=0.05, betas=(0.9, 0.95), clip_norm=None
        )
    )
