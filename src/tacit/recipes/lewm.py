"""LeWorldModel (arXiv 2603.19312): its model, and its released weights under their own names."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor

from tacit.checkpoint.layouts import lewm
from tacit.errors import CheckpointError
from tacit.models.world_model import WorldModel
from tacit.recipes._recipe import Acting, AgentRecipe, Part
from tacit.training import TrainingConfig
from tacit.types import Array, Spec, Statistics

__all__ = ["LeWM"]

_IMAGENET = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))


@dataclass(frozen=True)
class LeWM(AgentRecipe):
    """LeWorldModel as published: a ViT-Tiny, a causal transformer over three steps, one-step prediction and SIGReg.

    The sizes are those of the preset ``base``; patches are 14 px wide, and 8 px where pictures are small. Actions
    come in blocks of five and plans of five blocks are carried out whole. A vector is taken as features that are
    encoded already.
    """

    size: str = "base"
    model: Mapping[str, Any] = field(default_factory=lambda: {"frameskip": 5, "inner_norm": True})
    objective: tuple[Part, ...] = (Part("prediction"), Part("sigreg", weight=0.09))
    clip: int = 4
    steps: int = 20_000
    training: TrainingConfig = field(
        default_factory=lambda: TrainingConfig(batch_size=128, lr=5e-5, weight_decay=1e-3, precision="bf16")
    )
    policy_steps: int = 0
    acting: Acting = field(
        default_factory=lambda: Acting(
            planner=Part("cem", {"samples": 300, "iterations": 30, "elites": 30}), horizon=5, execute=5
        )
    )

    def options(self, spec: Spec) -> dict[str, Any]:
        """As :meth:`Recipe.options`, with vectors passed through."""
        identity = {name: "identity" for name, modality in spec.modalities.items() if modality.kind == "vector"}
        return {"encoders": identity, **self.model}

    def from_weights(self, weights: Mapping[str, Tensor | Array], spec: Spec) -> WorldModel:
        """A model with released weights, in evaluation mode.

        Args:
            weights: Under the reference's parameter names, ``predictor.pos_embedding`` and so on.
            spec: One ``pixels`` modality, or one vector of encoder features where the weights hold no encoder.

        Raises:
            CheckpointError: if a weight is missing, unknown or of another shape, naming it.
        """
        model: WorldModel = self.build_model(spec, seed=0)
        name = model.config.seen[0]
        given = {key: torch.as_tensor(np.asarray(value)) for key, value in weights.items()}
        state = {
            key.replace("vit.", f"encoder.encoders.{name}."): value for key, value in lewm.world_model(given).items()
        }
        wanted = {key: value for key, value in model.state_dict().items() if "normalizer" not in key}
        for key in {**wanted, **state}:
            if key not in state or key not in wanted:
                raise CheckpointError(
                    f"LeWM weights for this model {'lack' if key in wanted else 'have no place for'} {key!r}. "
                    "Check that the sizes in LeWM(model=...) and the Spec are those of the checkpoint."
                )
            if state[key].shape != wanted[key].shape:
                raise CheckpointError(
                    f"{key!r} has shape {tuple(state[key].shape)}; these sizes need {tuple(wanted[key].shape)}."
                )
        model.load_state_dict(state, strict=False)
        if spec.modalities[name].kind == "pixels":
            mean, std = {name: _IMAGENET[0]}, {name: _IMAGENET[1]}
            size = spec.action.size
            model.fit(Statistics({**mean, "action": (0.0,) * size}, {**std, "action": (1.0,) * size}))
        return model.eval()
