"""A perception model's encoder inside a world model: frozen, or trained on in part."""

from __future__ import annotations

from contextlib import nullcontext
from typing import Literal, TypeAlias

import torch
from torch import Tensor, nn

from tacit.errors import ConfigError
from tacit.models.joint_embedding import JointEmbedding, JointEmbeddingConfig
from tacit.models.masked import MaskedModel, MaskedModelConfig
from tacit.nn.lora import add_lora

__all__ = ["Eye", "Perception", "PooledEye", "Tune", "check_tune"]

Perception: TypeAlias = MaskedModelConfig | JointEmbeddingConfig
Tune: TypeAlias = Literal["frozen", "last", "lora", "all"]


class Eye(nn.Module):
    """Single pictures to tokens, by the encoder of a perception model with that model's own input statistics.

    An encoder of films sees each picture held still for one tubelet, as V-JEPA 2-AC does (arXiv 2506.09985).

    Args:
        config: Of the perception model.
        tune: ``frozen``; ``last``: the last blocks learn on; ``lora``: additions of low rank do; ``all``.
        last: How many blocks, with ``last``.
        rank: Of the additions, with ``lora``.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, config: Perception, tune: Tune = "frozen", last: int = 1, rank: int = 8) -> None:
        super().__init__()
        with torch.random.fork_rng(devices=[]):  # its weights are replaced: they cost no draws
            model = MaskedModel(config) if isinstance(config, MaskedModelConfig) else JointEmbedding(config)
        self.encoder = model.encoder.requires_grad_(tune == "all")
        self.tubelet = config.tubelet if isinstance(config, MaskedModelConfig) and config.frames > 1 else 0
        self.lead = 0 if self.encoder.cls is None else 1
        self.width = config.width
        mean, std = model.statistics_of(config.modality)
        self.register_buffer("mean", mean.clone())
        self.register_buffer("std", std.clone())
        if tune == "last":
            for part in (*list(self.encoder.blocks)[-last:], self.encoder.norm):
                part.requires_grad_(True)
        elif tune == "lora":
            add_lora(self.encoder.blocks, rank, alpha=float(rank))
        self._learns = tune != "frozen"

    @property
    def grid(self) -> tuple[int, ...]:
        """Tokens of a picture along each axis."""
        return self.encoder.grid[-2:]

    def adopt(self, model: MaskedModel | JointEmbedding) -> None:
        """Take the weights of the encoder that a trained perception model encodes with, and its input statistics."""
        source = model.encoder if model.target_encoder is None else model.target_encoder
        theirs = dict(source.named_parameters())
        with torch.no_grad():
            for name, value in self.encoder.named_parameters():
                if not name.endswith((".a", ".b")):
                    value.copy_(theirs[name.replace(".layer.", ".")])
            mean, std = model.statistics_of(model.config.modality)
            self.mean.copy_(mean)
            self.std.copy_(std)

    def forward(self, pictures: Tensor) -> Tensor:
        """``[N, C, H, W]`` of any number type to tokens ``[N, n, D]``, without a class token."""
        values = pictures.unsqueeze(2).expand(-1, -1, self.tubelet, -1, -1) if self.tubelet else pictures
        with nullcontext() if self._learns else torch.no_grad():
            out: Tensor = self.encoder(values, self.mean, self.std)
        return out[:, self.lead :]


class PooledEye(Eye):
    """The same to one feature vector a picture, the mean of its tokens; the interface of a world model's encoders."""

    def forward(self, x: Tensor, mean: Tensor | None = None, std: Tensor | None = None) -> Tensor:  # noqa: ARG002
        """``[N, C, H, W]`` to ``[N, D]``; normalised as the perception model was, not by ``mean`` and ``std``."""
        return super().forward(x).mean(dim=1)


def check_tune(tune: Tune, last: int, rank: int) -> None:
    """Refuse options of tuning that are out of range.

    Raises:
        ConfigError: naming the option.
    """
    if tune not in ("frozen", "last", "lora", "all"):
        raise ConfigError(f"tune is one of frozen, last, lora, all; got {tune!r}.")
    if last < 1 or rank < 1:
        raise ConfigError(f"tune_last and tune_rank are at least 1; got {last} and {rank}.")
