"""V-JEPA 2 (arXiv 2506.09985): V-JEPA with rotary positions, simpler schedules and a cool-down."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from tacit.recipes._recipe import Part
from tacit.recipes.vjepa import VJEPA
from tacit.training import TrainingConfig

__all__ = ["VJEPA2"]


@dataclass(frozen=True)
class VJEPA2(VJEPA):
    """V-JEPA 2 with the schedules of its authors.

    Rotary positions in three axes; a copy that follows with a constant decay of 0.99925; constant weight decay; the
    learning rate rises from 1e-4 to 5.25e-4 over a twentieth of the steps and stays. They train for 240,000 steps, then
    cool down on longer clips: here the last ``training.cooldown`` of the steps falls in a straight line to 1e-6, and
    ``clip``, ``model`` and the weights of an earlier run (``tacit train --start RUN``) make it a phase of its own.
    The dense loss of V-JEPA 2.1 (arXiv 2603.14482) is one more term, ``visible_prediction`` with weight 0.5 and a
    ``warmup`` of that weight.
    """

    model: Mapping[str, Any] = field(default_factory=lambda: {"frameskip": 4, "mask_tokens": 2, "positions": "rope"})
    objective: tuple[Part, ...] = (Part("masked_prediction", {"distance": "l1"}),)
    training: TrainingConfig = field(
        default_factory=lambda: TrainingConfig(
            batch_size=64,
            lr=5.25e-4,
            lr_start=0.19,
            lr_end=1.9e-3,
            warmup=0.05,
            schedule="constant",
            cooldown=0.1,
            weight_decay=0.04,
            clip_norm=None,
            ema=(0.99925, 0.99925),
        )
    )
