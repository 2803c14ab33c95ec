"""I-JEPA (arXiv 2301.08243): parameters as in its repository, and as in the library transformers."""

from __future__ import annotations

from collections.abc import Mapping, MutableMapping

from torch import Tensor

from tacit.published.layouts._rename import Layout, check_shape, rename

__all__ = ["encoder", "predictor"]

_ENCODER = Layout(
    "an I-JEPA encoder", {"patches": "patch_embed.proj", "norm": "norm"}, "blocks", tensors={"position": "pos_embed"}
)
_PREDICTOR = Layout(
    "an I-JEPA predictor",
    {"from_latent": "predictor_embed", "norm": "predictor_norm", "out": "predictor_proj"},
    "predictor_blocks",
    tensors={"position": "predictor_pos_embed", "mask": "mask_token"},
)


def _in_transformers(blocks: str, block: Mapping[str, tuple[str, ...]]) -> Layout:
    return Layout(
        "an I-JEPA encoder of transformers",
        {"patches": "embeddings.patch_embeddings.projection", "norm": "layernorm"},
        blocks,
        {"attention_norm": ("layernorm_before",), "mlp_norm": ("layernorm_after",), **block},
        {"position": "embeddings.position_embeddings"},
    )


# The names of a block changed between versions 4 and 5 of the library.
_OLD = _in_transformers(
    "encoder.layer",
    {
        "qkv": ("attention.attention.query", "attention.attention.key", "attention.attention.value"),
        "merge": ("attention.output.dense",),
        "up": ("intermediate.dense",),
        "down": ("output.dense",),
    },
)
_NEW = _in_transformers(
    "layers",
    {
        "qkv": ("attention.q_proj", "attention.k_proj", "attention.v_proj"),
        "merge": ("attention.o_proj",),
        "up": ("mlp.fc1",),
        "down": ("mlp.fc2",),
    },
)


def encoder(weights: MutableMapping[str, Tensor]) -> dict[str, Tensor]:
    """Return weights of a :class:`tacit.nn.vit.VisionTransformer` with ``positions="sincos"``."""
    return rename(weights, _ENCODER, _OLD, _NEW)


def predictor(weights: MutableMapping[str, Tensor]) -> dict[str, Tensor]:
    """Return weights of a :class:`tacit.nn.masked_predictor.MaskedPredictor` with ``positions="sincos"``."""
    out = rename(weights, _PREDICTOR)
    check_shape("mask_token", out["mask"], (1, 1, out["mask"].shape[-1]), _PREDICTOR.what)
    return {**out, "mask": out["mask"].flatten(0, -2)}
