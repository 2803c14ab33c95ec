"""PLDM (arXiv 2502.14819): a JEPA with variance, covariance and inverse dynamics, and an MPPI planner."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from tacit.recipes._recipe import Acting, AgentRecipe, Part
from tacit.training import TrainingConfig

__all__ = ["PLDM"]


@dataclass(frozen=True)
class PLDM(AgentRecipe):
    """PLDM with the weights that its authors published for the two rooms with a wall.

    Fifteen steps are predicted from the first observation alone. Variance and covariance over the batch are taken of
    the first encodings, the variance over time of the later ones. Its released code adds proprioception and an
    encoder of its own size; here the encoder is the preset's.
    """

    size: str = "small"
    model: Mapping[str, Any] = field(default_factory=lambda: {"predictor": {"name": "gru"}, "latent": 512})
    objective: tuple[Part, ...] = (
        Part("prediction", {"steps": 15, "starts": "first"}),
        Part("vicreg", {"variance": 3.98, "covariance": 6.92, "frames": [0, 1]}),
        Part(
            "vicreg",
            {"variance": 0.245, "covariance": 0.0, "over": "time", "frames": [1, None], "suffix": "_time"},
        ),
        Part("time_similarity", weight=0.742),
        Part("inverse_dynamics", weight=1.07),
    )
    clip: int = 16
    steps: int = 10_000
    training: TrainingConfig = field(default_factory=lambda: TrainingConfig(lr=7e-4, weight_decay=0.0))
    policy_steps: int = 0
    acting: Acting = field(
        default_factory=lambda: Acting(
            planner=Part("mppi", {"samples": 2_000}), cost=(Part("goal", {"reduce": "sum"}),), horizon=90
        )
    )
