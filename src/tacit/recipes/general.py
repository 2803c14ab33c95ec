"""World model and planner for recordings of any kind."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from tacit.recipes._recipe import Acting, AgentRecipe, Part
from tacit.training import GoalPolicyTraining, TrainingConfig

__all__ = ["General"]


@dataclass(frozen=True)
class General(AgentRecipe):
    """The objective of PLDM (arXiv 2502.14819) on short clips, and a CEM planner. CEM searches actions of every kind.

    :func:`tacit.recipes.suited` fits its options to recordings. The planner's horizon was chosen on
    MountainCarContinuous.
    """

    model: Mapping[str, Any] = field(default_factory=lambda: {"latent": 16, "frameskip": 1})
    objective: tuple[Part, ...] = (
        Part("prediction", {"steps": 4}),
        Part("vicreg", {"over": "pooled"}),
        Part("time_similarity", weight=0.5),
        Part("inverse_dynamics", {"hidden": [64]}),
    )
    clip: int = 6
    steps: int = 2_400
    training: TrainingConfig = field(default_factory=lambda: TrainingConfig(lr=2e-3, weight_decay=1e-4))
    policy_steps: int = 1_500
    policy: GoalPolicyTraining = field(default_factory=lambda: GoalPolicyTraining(ahead=16))
    acting: Acting = field(
        default_factory=lambda: Acting(
            planner=Part("cem", {"samples": 256, "iterations": 5, "elites": 20}),
            cost=(Part("goal", {"reduce": "sum"}),),
            horizon=25,
            replan_every=2,
            repeat_action=True,
        )
    )
