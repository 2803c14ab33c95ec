"""V-JEPA 2 (arXiv 2506.09985): parameters as in its repository, and as in the library transformers."""

from __future__ import annotations

from collections.abc import MutableMapping

from torch import Tensor

from tacit.published.layouts._rename import BLOCK, Layout, rename, stack_masks

__all__ = ["encoder", "predictor"]

# The released files hold tables of positions that the released code, which rotates, does not read.
_ENCODER = Layout(
    "a V-JEPA 2 encoder", {"patches": "patch_embed.proj", "norm": "norm"}, "blocks", unused=("pos_embed",)
)
_PREDICTOR = Layout(
    "a V-JEPA 2 predictor",
    {"from_latent": "predictor_embed", "norm": "predictor_norm", "out": "predictor_proj"},
    "predictor_blocks",
    tensors={"mask": "mask_tokens"},
    unused=("predictor_pos_embed",),
)
_BLOCK = {
    **BLOCK,
    "qkv": ("attention.query", "attention.key", "attention.value"),
    "merge": ("attention.proj",),
}
_ENCODER_IN_TRANSFORMERS = Layout(
    "a V-JEPA 2 encoder of transformers",
    {"patches": "embeddings.patch_embeddings.proj", "norm": "layernorm"},
    "layer",
    _BLOCK,
)
_PREDICTOR_IN_TRANSFORMERS = Layout(
    "a V-JEPA 2 predictor of transformers",
    {"from_latent": "embeddings.predictor_embeddings", "norm": "layernorm", "out": "proj"},
    "layer",
    _BLOCK,
    {"mask": "embeddings.mask_tokens"},
)


def encoder(weights: MutableMapping[str, Tensor]) -> dict[str, Tensor]:
    """Return weights of a :class:`tacit.nn.vit.VisionTransformer` with ``positions="rope"``."""
    return rename(weights, _ENCODER, _ENCODER_IN_TRANSFORMERS)


def predictor(weights: MutableMapping[str, Tensor]) -> dict[str, Tensor]:
    """Return weights of a :class:`tacit.nn.masked_predictor.MaskedPredictor` with ``positions="rope"``."""
    out = rename(stack_masks(weights, _PREDICTOR.what), _PREDICTOR, _PREDICTOR_IN_TRANSFORMERS)
    return {**out, "mask": out["mask"].flatten(0, -2)}
