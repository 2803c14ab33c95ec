"""Two Rooms with the fixed wall: from random actions to plans in minutes on two cores."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from tacit.recipes._recipe import Acting, AgentRecipe, Part
from tacit.training import TrainingConfig

__all__ = ["TwoRooms"]


@dataclass(frozen=True)
class TwoRooms(AgentRecipe):
    """A small convolutional encoder and MLP predictor with PLDM's objective (arXiv 2502.14819) on short clips.

    Latents are predicted four blocks ahead from the first observation alone, as they are when planning.
    The planner looks six blocks of five steps ahead, with one held action a block.
    """

    model: Mapping[str, Any] = field(default_factory=lambda: {"latent": 16, "frameskip": 5})
    objective: tuple[Part, ...] = (
        Part("prediction", {"steps": 4, "starts": "first"}),
        Part("vicreg", {"over": "pooled"}),
        Part("time_similarity", weight=0.5),
        Part("inverse_dynamics", {"hidden": [64]}),
    )
    clip: int = 5
    steps: int = 2_400
    training: TrainingConfig = field(default_factory=lambda: TrainingConfig(lr=2e-3, weight_decay=1e-4, threads=1))
    policy_steps: int = 1_500
    acting: Acting = field(
        default_factory=lambda: Acting(
            planner=Part("icem", {"samples": 128, "iterations": 6, "elites": 8, "std": 0.7, "beta": 2.0}),
            cost=(Part("goal", {"reduce": "sum"}),),
            horizon=6,
            repeat_action=True,
        )
    )
