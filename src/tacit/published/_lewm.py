"""LeWorldModel's published weights as a world model."""

from __future__ import annotations

import warnings
from typing import Any

import torch
from torch import Tensor

from tacit.errors import CheckpointError, ConfigError
from tacit.models.encoders import Identity, ViT
from tacit.models.predictors import Transformer
from tacit.models.world_model import WorldModel, WorldModelConfig
from tacit.published._file import PublishedFile
from tacit.published._lazy_tensors import single
from tacit.published._networks import HEADS, heads_of
from tacit.published._weights import image_statistics, with_weights
from tacit.published.layouts import lewm
from tacit.types import Spec, Statistics

__all__ = ["world_model"]


def world_model(
    published: PublishedFile,
    spec: Spec | None,
    heads: int | None,
    predictor_heads: int | None,
    statistics: Statistics | None,
) -> WorldModel:
    """Return the model in a file.

    Warns:
        UserWarning: if there are no statistics to standardise actions with.

    Raises:
        CheckpointError: if there is no Spec, it or the statistics do not fit, or heads are neither known nor given.
    """
    where = published.where
    if spec is None:
        raise CheckpointError(
            f"{where} does not say what its world accepts: give the Spec, with the bounds of actions."
        )
    weights = lewm.world_model({name: single((value,)) for name, value in published.mapped("world_model").items()})
    config = _config(weights, published, spec, heads, predictor_heads)
    name = config.inputs[0]
    modality = spec.modalities[name]
    if modality.kind == "pixels":
        weights = {key.replace("vit.", f"encoder.encoders.{name}."): value for key, value in weights.items()}
        weights |= image_statistics(name, modality.shape[0])
    else:  # what the encoder says comes from elsewhere, as it is
        weights |= {
            f"normalizers.{name}.mean": torch.zeros(modality.shape),
            f"normalizers.{name}.std": torch.ones(modality.shape),
        }
    weights |= _action_statistics(statistics, spec.action.size, where)
    return with_weights(lambda: WorldModel(config), weights, where)


def _action_statistics(statistics: Statistics | None, size: int, where: str) -> dict[str, Tensor]:
    """Return the statistics that standardise actions, under the names of the model's buffers."""
    if statistics is None:
        warnings.warn(
            f"{where} expects standardised actions and does not hold their mean and standard deviation: the model "
            "takes raw actions as they are. Give the statistics of the episodes that the weights were trained on, "
            "convert(..., statistics=episodes.statistics()), or a mean of 0 and a standard deviation of 1 if those "
            "actions were raw.",
            stacklevel=4,
        )
        return {"action_normalizer.mean": torch.zeros(size), "action_normalizer.std": torch.ones(size)}
    parts = {"mean": statistics.mean, "std": statistics.std}
    found = {kind: len(values.get("action", ())) for kind, values in parts.items()}
    if set(found.values()) != {size}:
        raise CheckpointError(
            f"the statistics need a mean and a standard deviation of 'action' with {size} components each, as the Spec "
            f"has; got {found['mean']} and {found['std']}. Take those of the episodes that {where} was trained on."
        )
    return {f"action_normalizer.{kind}": torch.tensor(values["action"]) for kind, values in parts.items()}


def _config(
    weights: dict[str, Tensor], published: PublishedFile, spec: Spec, heads: int | None, predictor_heads: int | None
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
    found = PublishedFile(published.where, {}, (), published.again, published.setting("predictor", dict) or {})
    attention, dropout = shapes["predictor.blocks.0.qkv.weight"][0] // 3, found.setting("dropout", float)
    predictor_heads = heads_of(
        predictor_heads or found.setting("heads", int),
        attention,
        "predictor's attention",
        published.where,
        "predictor_heads",
    )
    options: dict[str, Any] = {
        "modalities": seen,
        "encoders": {seen[0]: Identity()},
        "frameskip": block // spec.action.size,
        "latent": shapes["predictor.position"][1],
        "projector_width": shapes["encoder.projector.layers.0.weight"][0],
        "action_width": shapes["action_encoder.layers.0.weight"][0],
        "predictor": Transformer(
            history=shapes["predictor.position"][0],
            width=width,
            depth=_blocks(shapes, "predictor.blocks"),
            heads=predictor_heads,
            head_width=attention // predictor_heads,
            mlp_width=shapes["predictor.blocks.0.up.weight"][0],
            out_width=shapes["predictor.out.layers.0.weight"][0],
            dropout=0.1 if dropout is None else dropout,
            inner_norm=True,
        ),
    }
    if heads and not sees:
        raise ConfigError(f"{published.where} has no encoder, so heads={heads} says nothing. Leave it out.")
    if sees:
        encoder_width, _, patch, _ = shapes["vit.patches.weight"]
        heads = heads_of(heads or HEADS.get(encoder_width), encoder_width, "encoder", published.where, "heads")
        vit = ViT(patch, encoder_width, _blocks(shapes, "vit."), heads)
        options |= {"encoders": {seen[0]: vit}}
    return WorldModelConfig(spec, **options)


def _blocks(shapes: dict[str, tuple[int, ...]], prefix: str) -> int:
    """Return the number of attention blocks below a prefix."""
    return len([name for name in shapes if name.startswith(prefix) and name.endswith("qkv.weight")])
