"""Temporal distance: a learned map from two latents to the number of blocks between them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from tacit._arrays import like
from tacit.errors import ConfigError, SpecError
from tacit.nn.mlp import MLP
from tacit.types import Numbers

__all__ = ["TemporalCritic", "TemporalCriticConfig"]

SMALLEST = 1e-6
"""Added to squared lengths, so that the slope of a length of 0 is finite."""


@dataclass(frozen=True)
class TemporalCriticConfig:
    """Configuration of a :class:`TemporalCritic`.

    Args:
        latent: Size ``D`` of a latent.
        method: ``expectile``: the length of a difference of embeddings, learned by bootstrapping. ``pair``: an MLP on
            both latents, learned by regression on the blocks between them. Both are symmetric at best.
            ``quasimetric``: a length and the largest component that grows, which may differ between there and back.
        width: Width of the hidden layers.
        depth: Hidden layers.
        embedding: Size of an embedding.
        calibrated: Largest number of blocks ``K`` with a calibrated distance.

    Raises:
        ConfigError: if a size is below 1.
    """

    latent: int
    method: Literal["expectile", "pair", "quasimetric"] = "expectile"
    width: int = 256
    depth: int = 2
    embedding: int = 32
    calibrated: int = 32

    def __post_init__(self) -> None:
        if min(self.latent, self.width, self.depth, self.embedding, self.calibrated) < 1:
            raise ConfigError("latent, width, depth, embedding and calibrated of a TemporalCritic are at least 1.")


class TemporalCritic(nn.Module):
    """Learned temporal distance of latents, 0 for equal ones.

    :func:`tacit.training.train_critic` trains it and calibrates it on the same episodes: it knows the median of its
    distances, and of the squared distances of latents, between states that are 1, 2, ... blocks apart.

    Args:
        config: Configuration of the critic.

    Attributes:
        mean: ``[D]`` mean of the latents.
        scale: ``[D]`` their standard deviation.
        distances: ``[K]`` median distance of states 1 to ``K`` blocks apart; NaN where there are none.
        squares: ``[K]`` median of the mean squared difference of their latents.
    """

    mean: Tensor
    scale: Tensor
    distances: Tensor
    squares: Tensor

    def __init__(self, config: TemporalCriticConfig) -> None:
        super().__init__()
        self.config = config
        hidden = (config.width,) * config.depth
        if config.method == "pair":
            self.net = MLP(4 * config.latent, hidden, 1, activation="silu")
        else:
            halves = 2 if config.method == "quasimetric" else 1
            self.net = MLP(config.latent, hidden, halves * config.embedding, norm="layer")
        self.register_buffer("mean", torch.zeros(config.latent))
        self.register_buffer("scale", torch.ones(config.latent))
        self.register_buffer("distances", torch.full((config.calibrated,), torch.nan))
        self.register_buffer("squares", torch.full((config.calibrated,), torch.nan))

    def forward(self, latents: Tensor, goals: Tensor) -> Tensor:
        """Return distances ``[...]`` from ``latents [..., D]`` to ``goals [..., D]``, whose leading axes broadcast.

        Raises:
            SpecError: if the latents have another size.
        """
        for part in (latents, goals):
            if part.shape[-1] != self.config.latent:
                raise SpecError(
                    f"the critic compares latents of size {self.config.latent}; got {list(part.shape)}. It belongs to "
                    "another model."
                )
        return self.between(self.embed(latents), self.embed(goals))

    def __call__(self, latents: Numbers, goals: Numbers) -> Numbers:
        """Return distances; NumPy arrays in are NumPy arrays out. See :meth:`forward`."""
        if not isinstance(latents, np.ndarray):
            return super().__call__(latents, goals)
        with torch.no_grad():
            parts = [like(part, self.mean) for part in (latents, goals)]
            return np.asarray(super().__call__(*parts).cpu().numpy(), latents.dtype)

    def embed(self, latents: Tensor) -> Tensor:
        """Return what :meth:`between` compares, ``[..., E]``: standardised latents or their embeddings."""
        standard = (latents - self.mean) / self.scale
        return standard if self.config.method == "pair" else self.net(standard)

    def between(self, one: Tensor, other: Tensor) -> Tensor:
        """Return distances ``[...]`` of embeddings ``[..., E]``."""
        difference = other - one
        if self.config.method == "pair":
            both = (one.expand_as(difference), other.expand_as(difference), difference, difference.abs())
            apart = 1 - torch.exp(-difference.square().sum(-1))  # equal latents are at distance 0
            return F.softplus(self.net(torch.cat(both, dim=-1))[..., 0]) * apart
        if self.config.method == "expectile":
            return _length(difference)
        symmetric, growing = difference.chunk(2, dim=-1)
        return _length(symmetric) + F.relu(growing).amax(dim=-1)

    def distance_at(self, blocks: int) -> float:
        """Return the calibrated distance of states ``blocks`` blocks apart.

        Raises:
            ConfigError: if it is not known.
        """
        return self._known(self.distances, blocks)

    def square_at(self, blocks: int) -> float:
        """Return the mean squared difference of latents ``blocks`` blocks apart; see :meth:`distance_at`."""
        return self._known(self.squares, blocks)

    def _known(self, values: Tensor, blocks: int) -> float:
        if not 1 <= blocks <= len(values) or not bool(values[blocks - 1].isfinite()):
            known = int(values.isfinite().sum())
            raise ConfigError(
                f"the critic is calibrated up to {known} blocks; got {blocks}. Train it with calibrated={blocks} or "
                "more, on episodes that are long enough."
            )
        return float(values[blocks - 1])


def _length(difference: Tensor) -> Tensor:
    """Return Euclidean lengths ``[...]`` with finite slopes, 0 for 0."""
    length: Tensor = (difference.square().sum(-1) + SMALLEST).sqrt() - SMALLEST**0.5
    return length
