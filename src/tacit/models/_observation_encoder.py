"""Encoders of all modalities of a world model, and the projector after them."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from tacit.models._config import WorldModelConfig
from tacit.models._custom import CustomModules
from tacit.models.encoders.pretrained import PooledEncoder
from tacit.nn.mlp import MLP

__all__ = ["ObservationEncoder"]


class ObservationEncoder(nn.Module):
    """Encoders of all modalities, whose features a projector fuses into one latent.

    Args:
        config: Configuration of the world model.
        modules: The user's modules in it.
    """

    def __init__(self, config: WorldModelConfig, modules: CustomModules) -> None:
        super().__init__()
        self.kinds = [config.spec.modalities[name].kind for name in config.inputs]
        built = {name: modules.encoder(config, name) for name in config.inputs}
        self.encoders = nn.ModuleDict(built)
        width = sum(encoder.features for encoder in built.values())
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
            if tokens is not None and isinstance(encoder, PooledEncoder):
                features.append(encoder.pooled(tokens))
            else:
                features.append(encoder(value, mean, std))
        out: Tensor = self.norm(self.projector(torch.cat(features, dim=-1)))
        return out
