"""Reacher from pixels: a two-link arm whose velocity no single image shows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from tacit.recipes._recipe import Acting, AgentRecipe, Part
from tacit.training import GoalPolicyTraining, TrainingConfig

__all__ = ["Reacher"]


@dataclass(frozen=True)
class Reacher(AgentRecipe):
    """PLDM's objective (arXiv 2502.14819) with a small transformer predictor that sees two latents.

    A latent holds the pose alone, so a goal fits it at any speed; the two last latents and the action block
    between them tell the velocity, most of which friction takes within a block.
    The planner looks a few blocks of five steps ahead, with one held action a block.
    """

    model: Mapping[str, Any] = field(
        default_factory=lambda: {
            "latent": 16,
            "frameskip": 5,
            "predictor": {"name": "transformer", "history": 2, "width": 128, "heads": 2, "mlp_width": 256},
        }
    )
    objective: tuple[Part, ...] = (
        Part("prediction", {"steps": 3}),
        Part("vicreg", {"over": "pooled"}),
        Part("time_similarity", weight=0.5),
        Part("inverse_dynamics", {"hidden": [64]}),
    )
    clip: int = 5
    steps: int = 5_000
    training: TrainingConfig = field(default_factory=lambda: TrainingConfig(lr=1.5e-3, weight_decay=1e-4))
    policy_steps: int = 1_500
    policy: GoalPolicyTraining = field(default_factory=lambda: GoalPolicyTraining(ahead=6))
    acting: Acting = field(
        default_factory=lambda: Acting(
            planner=Part("icem", {"samples": 128, "iterations": 6, "elites": 8, "std": 0.7, "beta": 2.0}),
            cost=(Part("goal", {"reduce": "sum"}),),
            horizon=3,
            repeat_action=True,
        )
    )
