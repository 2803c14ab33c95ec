"""V-JEPA (arXiv 2404.08471): parameters as in its repository."""

from __future__ import annotations

from collections.abc import MutableMapping

from torch import Tensor

from tacit.published.layouts._rename import Layout, rename, stack_masks

__all__ = ["encoder", "predictor"]

_ENCODER = Layout(
    "a V-JEPA encoder", {"patches": "patch_embed.proj", "norm": "norm"}, "blocks", tensors={"position": "pos_embed"}
)
_PREDICTOR = Layout(
    "a V-JEPA predictor",
    {"from_latent": "predictor_embed", "norm": "predictor_norm", "out": "predictor_proj"},
    "predictor_blocks",
    tensors={"position": "predictor_pos_embed", "mask": "mask_tokens"},
)


def encoder(weights: MutableMapping[str, Tensor]) -> dict[str, Tensor]:
    """Return weights of a :class:`tacit.nn.vit.VisionTransformer` with ``positions="sincos"``."""
    return rename(weights, _ENCODER)


def predictor(weights: MutableMapping[str, Tensor]) -> dict[str, Tensor]:
    """Return weights of a :class:`tacit.nn.masked_predictor.MaskedPredictor` with ``positions="sincos"``."""
    return rename(stack_masks(weights, _PREDICTOR.what), _PREDICTOR)
