"""I-JEPA (arXiv 2301.08243): latents of blocks of an image, predicted from the rest of it."""

from __future__ import annotations

from dataclasses import dataclass, field

from tacit.recipes._perception import MaskedRecipe
from tacit.training import TrainingConfig

__all__ = ["IJEPA"]


@dataclass(frozen=True)
class IJEPA(MaskedRecipe):
    """I-JEPA with the schedules of its authors.

    Four blocks of 15 to 20 % of the tokens are predicted, each by itself, from a context of at most what they leave;
    smooth L1 to the layer-normed latents of a copy that follows with a decay from 0.996 to 1. Learning rate 2e-4 to
    1e-3 over two fifteenths of the steps, then a cosine to 1e-6; weight decay from 0.04 to 0.4. They train for 187,000
    steps of 2048 images of 224 px; size, steps and batch here are for small data on a CPU.
    """

    steps: int = 10_000
    training: TrainingConfig = field(
        default_factory=lambda: TrainingConfig(
            batch_size=128,
            lr=1e-3,
            lr_start=0.2,
            lr_end=1e-3,
            warmup=2 / 15,
            weight_decay=0.04,
            weight_decay_end=0.4,
            clip_norm=None,
            ema=(0.996, 1.0),
        )
    )
