"""Parameter names of V-JEPA 2-AC (arXiv 2506.09985, section 3); its encoder is that of V-JEPA 2."""

from __future__ import annotations

from collections.abc import MutableMapping

from torch import Tensor

from tacit.published.layouts._rename import Layout, rename
from tacit.published.layouts.vjepa2 import encoder

__all__ = ["encoder", "predictor"]

_PREDICTOR = Layout(
    "a V-JEPA 2-AC predictor",
    {
        "from_latent": "predictor_embed",
        "from_action": "action_encoder",
        "from_state": "state_encoder",
        "from_extrinsics": "extrinsics_encoder",
        "norm": "predictor_norm",
        "out": "predictor_proj",
    },
    "predictor_blocks",
)


def predictor(weights: MutableMapping[str, Tensor]) -> dict[str, Tensor]:
    """Return weights of a :class:`tacit.nn.block_causal.BlockCausalPredictor`."""
    return rename(weights, _PREDICTOR)
