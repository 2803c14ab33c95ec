"""Construction of a world model's modules from its configuration."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from tacit.errors import ConfigError
from tacit.models._config import WorldModelConfig
from tacit.models._eye import Eye, PooledEye
from tacit.models.frame_encoder import FrameEncoderConfig
from tacit.nn.encoders import ConvEncoder, VectorEncoder
from tacit.nn.mlp import MLP
from tacit.nn.predictors import GRUPredictor, MLPPredictor, Predictor
from tacit.nn.transformer import TransformerPredictor
from tacit.nn.vit import PooledVisionTransformer

__all__ = ["ObservationEncoder", "build_action_encoder", "build_predictor"]

_KINDS = {"pixels": ("conv", "vit"), "series": ("conv",), "vector": ("mlp", "identity")}


class ObservationEncoder(nn.Module):
    """Encoders of all modalities, whose features a projector fuses into one latent."""

    def __init__(self, config: WorldModelConfig) -> None:
        super().__init__()
        self.kinds = [config.spec.modalities[name].kind for name in config.seen]
        built = {name: _encoder(config, name) for name in config.seen}
        self.encoders = nn.ModuleDict({name: module for name, (module, _) in built.items()})
        width = sum(features for _, features in built.values())
        hidden = (config.projector_width,) if config.projector_width else ()
        self.projector = MLP(width, hidden, config.latent, norm="batch")
        self.norm = nn.LayerNorm(config.latent) if config.latent_norm else nn.Identity()

    def forward(self, parts: Sequence[tuple[Tensor, Tensor, Tensor]], tokens: Tensor | None = None) -> Tensor:
        """Encode the values ``[N, ...]``, mean and standard deviation of each modality to latents ``[N, D]``.

        Precomputed ``tokens [N, n, D']`` of the one camera's pretrained encoder replace a call of it.
        """
        features = []
        for kind, encoder, (value, mean, std) in zip(self.kinds, self.encoders.values(), parts, strict=True):
            if kind == "series":
                value = value.transpose(1, 2)
            if tokens is not None and isinstance(encoder, PooledEye):
                features.append(encoder.pooled(tokens))
            else:
                features.append(encoder(value, mean, std))
        out: Tensor = self.norm(self.projector(torch.cat(features, dim=-1)))
        return out


def build_action_encoder(config: WorldModelConfig) -> tuple[MLP | None, int]:
    """Build the encoder of action blocks; return it, or None without an encoder, and its output size."""
    if not config.action_width:
        return None, config.action_size
    return MLP(config.action_size, (config.action_width,), config.latent, activation="silu"), config.latent


def build_predictor(config: WorldModelConfig, action: int) -> Predictor:
    """Build the predictor, for action latents of size ``action``."""
    if config.predictor == "mlp":
        return MLPPredictor(config.latent, action, config.predictor_width, config.predictor_depth, config.latent_norm)
    if config.predictor == "gru":
        return GRUPredictor(config.latent, action, config.latent_norm)
    return TransformerPredictor(
        config.latent,
        config.predictor_width,
        config.predictor_depth,
        config.predictor_heads,
        config.predictor_head_width,
        config.predictor_mlp,
        config.history,
        dropout=config.dropout,
        inner_norm=config.inner_norm,
        out_width=config.predictor_out,
        action=action,
    )


def _encoder(config: WorldModelConfig, name: str) -> tuple[nn.Module, int]:
    modality = config.spec.modalities[name]
    kinds = _KINDS[modality.kind]
    kind = config.encoders.get(name, kinds[0])
    if kind not in kinds:
        raise ConfigError(f"{modality.kind} {name!r} is encoded by {' or '.join(map(repr, kinds))}; got {kind!r}.")
    if modality.kind == "vector":
        size = modality.shape[0]
        if kind == "identity":
            return VectorEncoder(size, 0, size), size
        return VectorEncoder(size, config.features, config.features), config.features
    if modality.kind == "series":
        samples = config.spec.samples(name, config.frameskip)
        return ConvEncoder(modality.shape[0], (samples,), config.encoder_width, config.features), config.features
    channels, height, width = modality.shape
    if config.perception is not None:
        tokens = math.prod(FrameEncoderConfig(config.spec, config.perception, name).grid)
        eye = Eye(config.perception, config.tune, config.tune_last, config.tune_rank)
        pooled = PooledEye(eye, tokens, config.pool)
        return pooled, pooled.features
    if kind == "conv":
        conv = ConvEncoder(channels, (height, width), config.encoder_width, config.features, config.patch)
        return conv, config.features
    vit = PooledVisionTransformer(
        channels, (height, width), config.patch, config.encoder_width, config.encoder_depth, config.encoder_heads
    )
    return vit, config.encoder_width
