"""LeWorldModel (arXiv 2603.19312)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from tacit.recipes._recipe import Acting, AgentRecipe, Part
from tacit.training import TrainingConfig
from tacit.types import Spec

__all__ = ["LeWM"]


@dataclass(frozen=True)
class LeWM(AgentRecipe):
    """LeWorldModel as published: a ViT-Tiny, a causal transformer over three steps, one-step prediction and SIGReg.

    The sizes are those of the preset ``base``; patches are 14 px wide, and 8 px where images are small. Actions
    come in blocks of five and plans of five blocks are carried out whole. A vector is taken as features that are
    encoded already. :func:`tacit.published.convert` reads the released weights.
    """

    size: str = "base"
    model: Mapping[str, Any] = field(default_factory=lambda: {"frameskip": 5, "predictor": {"inner_norm": True}})
    objective: tuple[Part, ...] = (Part("prediction"), Part("sigreg", {"slices": 1024}, 0.09))
    clip: int = 4
    steps: int = 20_000
    training: TrainingConfig = field(
        default_factory=lambda: TrainingConfig(batch_size=128, lr=5e-5, weight_decay=1e-3, precision="bf16")
    )
    policy_steps: int = 0
    acting: Acting = field(
        default_factory=lambda: Acting(
            planner=Part("cem", {"samples": 300, "iterations": 30, "elites": 30}), horizon=5, replan_every=5
        )
    )

    def options(self, spec: Spec) -> dict[str, Any]:
        """Return options as :meth:`Recipe.options`, with vectors passed through."""
        options = super().options(spec)
        return {**options, "encoders": {"vector": "identity", **options.get("encoders", {})}}
