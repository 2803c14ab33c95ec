"""Two Rooms with a new wall and door in every episode."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from tacit.recipes._recipe import Acting, AgentRecipe, Part
from tacit.training import TrainingConfig

__all__ = ["RandomRooms"]

SKETCH = {"slices": 128, "scale_by_n": False}


@dataclass(frozen=True)
class RandomRooms(AgentRecipe):
    """SIGReg in two halves, for worlds in which much is still and little moves.

    A plain isotropic latent fills up with the wall, which tells episodes apart, and forgets the disc. So one half
    of the latent is regularised after each clip's mean over time is taken away, and has to vary within clips; the
    other half as it is. Inverse dynamics keeps what actions move, and long rollouts teach where the wall stops it.
    The planner looks far ahead, never beyond the last step of the task, and scores only the end of a plan, for the way
    through the door leads away from the goal.
    """

    model: Mapping[str, Any] = field(
        default_factory=lambda: {
            "latent": 64,
            "frameskip": 4,
            "encoders": {"pixels": {"width": 32}},
            "predictor": {"width": 256},
        }
    )
    objective: tuple[Part, ...] = (
        Part("prediction", {"steps": 8}),
        Part(
            "sigreg", {"name": "moving", "over": "pooled", "time_centred": True, "channels": [0.0, 0.5]} | SKETCH, 10.0
        ),
        Part("sigreg", {"name": "still", "channels": [0.5, 1.0]} | SKETCH, 10.0),
        Part("inverse_dynamics"),
    )
    clip: int = 16
    steps: int = 2_500
    training: TrainingConfig = field(default_factory=lambda: TrainingConfig(lr=2e-3, weight_decay=1e-4, threads=1))
    acting: Acting = field(
        default_factory=lambda: Acting(
            planner=Part("icem", {"samples": 96, "iterations": 4, "elites": 8, "std": 0.8, "beta": 2.0}),
            horizon=16,
            arrive_by=100,
            repeat_action=True,
        )
    )
