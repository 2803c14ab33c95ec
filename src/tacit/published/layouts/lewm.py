"""Parameter names of LeWorldModel (arXiv 2603.19312), for every version of the library of its ViT."""

from __future__ import annotations

import re
from collections.abc import Mapping

import torch
from torch import Tensor

from tacit.errors import CheckpointError
from tacit.published.layouts._rename import axes_of, check_shape, checked

__all__ = ["renamed", "world_model"]

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
_WHAT = "LeWorldModel"
# Sizes are read from these, and from those that _fused takes.
_SIZES = (
    "predictor.pos_embedding",
    "predictor.transformer.norm.weight",
    "predictor.transformer.layers.0.attn.to_qkv.weight",
    "predictor.transformer.layers.0.mlp.net.1.weight",
    "projector.net.0.weight",
    "pred_proj.net.0.weight",
)
_PATCHES = "encoder.embeddings.patch_embeddings.projection.weight"


def world_model(weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return weights of a :class:`tacit.models.WorldModel`. The names of its ViT begin with ``vit.``.

    Raises:
        CheckpointError: if a name is unknown, if a required name is missing (one that defines sizes, or one of several
            that are joined), or if a tensor is empty, not floating point or has other axes.
    """
    for key in _SIZES:
        _taken(weights, key)
    if any(key.startswith("encoder.") for key in weights):
        checked(_PATCHES, _taken(weights, _PATCHES), (4,), _WHAT)
    return renamed(_fused(weights))


def renamed(weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return the weights under Tacit's names; the first two layers of the action encoder must be joined already."""
    out: dict[str, Tensor] = {}
    for key, value in weights.items():
        module, _, kind = key.rpartition(".")
        block = re.fullmatch(
            r"(predictor\.transformer\.layers|encoder\.(?:encoder\.layer|layers))\.(\d+)\.(.+)", module
        )
        parts = {key: value}
        if key in _WHOLE:
            name = _WHOLE[key]
        elif module in _MODULES:
            name = f"{_MODULES[module]}.{kind}"
        elif block is None:
            raise CheckpointError(f"{key!r} is not a parameter of LeWorldModel.")
        elif block[1].startswith("predictor"):
            name = f"predictor.blocks.{block[2]}.{_named(_BLOCK, block[3], key)}.{kind}"
        elif block[3] in _VIT_QUERY:
            name = f"vit.blocks.{block[2]}.qkv.{kind}"
            others = [f"{block[1]}.{block[2]}.{other}.{kind}" for other in _VIT_QUERY[block[3]]]
            parts |= {other: _taken(weights, other) for other in others}
        elif any(block[3] in names for names in _VIT_QUERY.values()):
            continue  # already joined with the query
        else:
            name = f"vit.blocks.{block[2]}.{_named(_VIT_BLOCK, block[3], key)}.{kind}"
        out[name] = _joined(parts, name)
    return out


def _joined(parts: Mapping[str, Tensor], name: str) -> Tensor:
    """Join the rows of all parts into one parameter. The parts must have the same shape."""
    (first, value), *others = parts.items()
    if not name.endswith("num_batches_tracked"):
        for key, part in parts.items():
            checked(key, part, axes_of(name), _WHAT)
            check_shape(key, part, value.shape, _WHAT)
    if name == "predictor.position":
        check_shape(first, value, (1, *value.shape[1:]), _WHAT)
        return value[0]
    return torch.cat([value, *(part for _, part in others)]) if others else value


def _fused(weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return the weights with the action encoder's first two layers as one linear layer.

    They are a convolution of kernel 1 and the linear layer after it.
    """
    names = [f"action_encoder.{part}.{kind}" for part in ("patch_embed", "embed.0") for kind in ("weight", "bias")]
    mix, shift, linear, bias = (
        checked(name, _taken(weights, name), (axes,), _WHAT) for name, axes in zip(names, (3, 1, 2, 1), strict=True)
    )
    inner, block = mix.shape[:2]
    shapes = (inner, block, 1), (inner,), (len(linear), inner), (len(linear),)
    for name, value, shape in zip(names, (mix, shift, linear, bias), shapes, strict=True):
        check_shape(name, value, shape, _WHAT)
    one = {"action_encoder.embed.0.weight": linear @ mix[:, :, 0], "action_encoder.embed.0.bias": linear @ shift + bias}
    return {
        key: value for key, value in {**weights, **one}.items() if not key.startswith("action_encoder.patch_embed.")
    }


def _taken(weights: Mapping[str, Tensor], key: str) -> Tensor:
    if key not in weights:
        raise CheckpointError(f"LeWorldModel's weights lack {key!r}.")
    return weights[key]


def _named(table: Mapping[str, str], name: str, key: str) -> str:
    if name not in table:
        raise CheckpointError(f"{key!r} is not a parameter of LeWorldModel.")
    return table[name]
