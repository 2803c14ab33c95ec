"""LeWorldModel (arXiv 2603.19312): its model, and its released weights under their own names."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor

from tacit.errors import CheckpointError
from tacit.models.world_model import WorldModel
from tacit.recipes._recipe import Acting, AgentRecipe, Part
from tacit.training import TrainingConfig
from tacit.types import Array, Spec, Statistics

__all__ = ["LeWM"]

_IMAGENET = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
_BLOCK = {
    "attn.norm": "attention_norm",
    "attn.to_qkv": "qkv",
    "attn.to_out.0": "merge",
    "mlp.net.0": "mlp_norm",
    "mlp.net.1": "up",
    "mlp.net.4": "down",
    "adaLN_modulation.1": "modulation",
}
# The encoder's names changed between versions of the library that LeWorldModel builds it with.
_VIT_BLOCK = {
    "layernorm_before": "attention_norm",
    "layernorm_after": "mlp_norm",
    "attention.output.dense": "merge",
    "attention.o_proj": "merge",
    "intermediate.dense": "up",
    "mlp.fc1": "up",
    "output.dense": "down",
    "mlp.fc2": "down",
}
_VIT_QUERY = {
    "attention.attention.query": ("attention.attention.key", "attention.attention.value"),
    "attention.q_proj": ("attention.k_proj", "attention.v_proj"),
}
_WHOLE = {
    "encoder.embeddings.cls_token": "vit.cls",
    "encoder.embeddings.position_embeddings": "vit.position",
    "predictor.pos_embedding": "predictor.position",
}
_MODULES = {
    "encoder.embeddings.patch_embeddings.projection": "vit.patches",
    "encoder.layernorm": "vit.norm",
    "predictor.transformer.norm": "predictor.norm",
    "predictor.transformer.input_proj": "predictor.from_latent",
    "predictor.transformer.cond_proj": "predictor.from_action",
    "projector.net.0": "encoder.projector.layers.0",
    "projector.net.1": "encoder.projector.norms.0",
    "projector.net.3": "encoder.projector.layers.1",
    "pred_proj.net.0": "predictor.out.layers.0",
    "pred_proj.net.1": "predictor.out.norms.0",
    "pred_proj.net.3": "predictor.out.layers.1",
    "action_encoder.embed.0": "action_encoder.layers.0",
    "action_encoder.embed.2": "action_encoder.layers.1",
}


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
            key.replace("vit.", f"encoder.encoders.{name}."): value for key, value in _renamed(_fused(given)).items()
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


def _renamed(weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The weights under our names; the ViT's begin with ``vit.``."""
    out: dict[str, Tensor] = {}
    for key, value in weights.items():
        module, _, kind = key.rpartition(".")
        block = re.fullmatch(
            r"(predictor\.transformer\.layers|encoder\.(?:encoder\.layer|layers))\.(\d+)\.(.+)", module
        )
        if key in _WHOLE:
            out[_WHOLE[key]] = value[0] if key.startswith("predictor") else value
        elif module in _MODULES:
            out[f"{_MODULES[module]}.{kind}"] = value
        elif block is None:
            raise CheckpointError(f"{key!r} is no parameter of LeWorldModel.")
        elif block[1].startswith("predictor"):
            out[f"predictor.blocks.{block[2]}.{_named(_BLOCK, block[3], key)}.{kind}"] = value
        elif block[3] in _VIT_QUERY:
            others = [f"{block[1]}.{block[2]}.{name}.{kind}" for name in _VIT_QUERY[block[3]]]
            out[f"vit.blocks.{block[2]}.qkv.{kind}"] = torch.cat([value, *(_taken(weights, name) for name in others)])
        elif not any(block[3] in names for names in _VIT_QUERY.values()):
            out[f"vit.blocks.{block[2]}.{_named(_VIT_BLOCK, block[3], key)}.{kind}"] = value
    return out


def _fused(weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The action encoder's convolution of kernel 1 and the linear layer after it, as one linear layer."""
    mix, shift, linear, bias = (
        _taken(weights, f"action_encoder.{part}.{kind}")
        for part in ("patch_embed", "embed.0")
        for kind in ("weight", "bias")
    )
    one = {"action_encoder.embed.0.weight": linear @ mix[:, :, 0], "action_encoder.embed.0.bias": linear @ shift + bias}
    return {
        key: value for key, value in {**weights, **one}.items() if not key.startswith("action_encoder.patch_embed.")
    }


def _taken(weights: Mapping[str, Tensor], key: str) -> Tensor:
    if key not in weights:
        raise CheckpointError(f"LeWM weights lack {key!r}.")
    return weights[key]


def _named(table: Mapping[str, str], name: str, key: str) -> str:
    if name not in table:
        raise CheckpointError(f"{key!r} is no parameter of LeWorldModel.")
    return table[name]
