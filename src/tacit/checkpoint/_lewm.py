"""LeWorldModel's published weights as a world model."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from tacit.checkpoint._filling import filled, picture_statistics
from tacit.checkpoint._mapped import single
from tacit.checkpoint._networks import HEADS, heads_of
from tacit.checkpoint._published import Published
from tacit.checkpoint.layouts import lewm
from tacit.errors import CheckpointError
from tacit.models.world_model import WorldModel, WorldModelConfig
from tacit.types import Spec

__all__ = ["world_model"]


def world_model(published: Published, spec: Spec | None, heads: int | None, predictor_heads: int | None) -> WorldModel:
    """The model in a file.

    Raises:
        CheckpointError: if there is no Spec, it does not fit, or heads are neither known nor said.
    """
    where = published.where
    if spec is None:
        raise CheckpointError(
            f"{where} does not say what its world accepts: give the Spec, with the bounds of actions."
        )
    weights = lewm.world_model({name: single((value,)) for name, value in published.mapped("world_model").items()})
    config = _config(weights, published, spec, heads, predictor_heads)
    name = config.seen[0]
    modality = spec.modalities[name]
    if modality.kind == "pixels":
        weights = {key.replace("vit.", f"encoder.encoders.{name}."): value for key, value in weights.items()}
        weights |= picture_statistics(name, modality.shape[0])
    else:  # what the encoder says comes from elsewhere, as it is
        weights |= {
            f"normalizers.{name}.mean": torch.zeros(modality.shape),
            f"normalizers.{name}.std": torch.ones(modality.shape),
        }
    weights |= {
        "action_normalizer.mean": torch.zeros(spec.action.size),
        "action_normalizer.std": torch.ones(spec.action.size),
    }
    return filled(lambda: WorldModel(config), weights, where)


def _config(
    weights: dict[str, Tensor], published: Published, spec: Spec, heads: int | None, predictor_heads: int | None
) -> WorldModelConfig:
    shapes = {name: tuple(value.shape) for name, value in weights.items()}
    block = shapes["action_encoder.layers.0.weight"][1]
    features = shapes["encoder.projector.layers.0.weight"][1]
    sees = "vit.patches.weight" in shapes
    seen = spec.cameras if sees else tuple(name for name, one in spec.modalities.items() if one.shape == (features,))
    if len(seen) != 1 or not spec.action.size or block % spec.action.size:
        what = "sees one camera" if sees else f"has no encoder and sees one vector of {features} features"
        raise CheckpointError(
            f"{published.where} {what} and takes blocks of {block} action components in all; got a Spec of "
            f"{', '.join(spec.modalities)} and actions of {spec.action.size}."
        )
    width = shapes["predictor.norm.weight"][0]
    said = published.config.get("predictor", {})
    attention = shapes["predictor.blocks.0.qkv.weight"][0] // 3
    predictor_heads = heads_of(
        predictor_heads or said.get("heads"), attention, "predictor's attention", published.where, "predictor_heads"
    )
    options: dict[str, Any] = {
        "modalities": seen,
        "encoders": {seen[0]: "identity"},
        "frameskip": block // spec.action.size,
        "history": shapes["predictor.position"][0],
        "latent": shapes["predictor.position"][1],
        "projector_width": shapes["encoder.projector.layers.0.weight"][0],
        "action_width": shapes["action_encoder.layers.0.weight"][0],
        "predictor": "transformer",
        "predictor_width": width,
        "predictor_depth": len([name for name in shapes if "predictor.blocks" in name and name.endswith("qkv.weight")]),
        "predictor_heads": predictor_heads,
        "predictor_head_width": attention // predictor_heads,
        "predictor_mlp": shapes["predictor.blocks.0.up.weight"][0],
        "predictor_out": shapes["predictor.out.layers.0.weight"][0],
        "dropout": said.get("dropout", 0.1),
        "inner_norm": True,
    }
    if sees:
        encoder_width, _, patch, _ = shapes["vit.patches.weight"]
        options |= {
            "encoders": {seen[0]: "vit"},
            "patch": patch,
            "encoder_width": encoder_width,
            "encoder_depth": len([name for name in shapes if name.startswith("vit.") and name.endswith("qkv.weight")]),
            "encoder_heads": heads_of(
                heads or HEADS.get(encoder_width), encoder_width, "encoder", published.where, "heads"
            ),
        }
    return WorldModelConfig(spec, **options)
