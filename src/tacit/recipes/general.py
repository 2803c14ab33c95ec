"""World model and planner for recordings of any kind. Their options follow from the recordings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from tacit.recipes._recipe import Acting, AgentRecipe, Part
from tacit.training import GoalPolicyTraining, TrainingConfig
from tacit.types import Spec

__all__ = ["General"]

LONGEST_BLOCK = 5
"""Steps of a block in long episodes."""
CLIPS = 4
"""Clips, end to end, that fit into a typical episode; shorter episodes get shorter blocks."""


@dataclass(frozen=True)
class General(AgentRecipe):
    """The objective of PLDM (arXiv 2502.14819) on short clips, and a CEM planner. CEM searches actions of every kind.

    Where observations are images alone, no single one shows a velocity: the predictor then sees two latents.
    :meth:`for_data` chooses the length of a block. The planner's horizon was chosen on MountainCarContinuous.
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

    @classmethod
    def for_data(cls, spec: Spec, lengths: Sequence[int] | npt.NDArray[np.int64]) -> Self:
        """Return the recipe with options for some recordings.

        A block is as many steps as let four clips fit into half of the episodes, five at most.

        Args:
            spec: Spec of the recordings.
            lengths: Observations of each episode.
        """
        plain = cls()
        block = (float(np.median(lengths)) - 1) / (CLIPS * (plain.clip - 1))
        options: dict[str, Any] = {**plain.model, "frameskip": int(min(max(block, 1), LONGEST_BLOCK))}
        if len(spec.cameras) == len(spec.modalities):
            predictor = {"name": "transformer", "history": 2, "width": 128, "heads": 2, "mlp_width": 256}
            options["predictor"] = predictor
        return cls(model=options)
