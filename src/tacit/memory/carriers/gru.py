"""Gated recurrent unit over latents and action blocks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from tacit.memory.carriers._module import CarrierModule, check_sizes
from tacit.nn.mlp import MLP

__all__ = ["GRU", "GRUConfig"]


@dataclass(frozen=True)
class GRUConfig:
    """Configuration of a :class:`GRU`.

    Args:
        latent: Size ``D`` of a latent.
        block: Size ``A'`` of an action block.
        width: Size of the hidden state, and of the layer before it.
        longest: Blocks over which new weights remember: the biases of the update gates are drawn so that the numbers of
            the state forget over 1 to this many blocks (arXiv 1804.11188).

    Raises:
        ConfigError: if a size is below 1.
    """

    latent: int
    block: int
    width: int = 128
    longest: int = 64

    def __post_init__(self) -> None:
        check_sizes(self, latent=self.latent, block=self.block, width=self.width, longest=self.longest)


class GRU(CarrierModule):
    """Gated recurrent unit (arXiv 1406.1078) over features of each latent with its block.

    A layer before the unit lets its gates tell apart what single numbers of a latent do not. Its state is
    ``hidden [B, W]``, which is also what is read.

    Args:
        config: Configuration of the unit.
    """

    configuration = GRUConfig
    config: GRUConfig

    def __init__(self, config: GRUConfig) -> None:
        super().__init__(config)
        self.features = MLP(config.latent + config.block, (config.width,), config.width, activation="silu")
        self.gru = nn.GRU(config.width, config.width, batch_first=True)
        gates = slice(config.width, 2 * config.width)
        weights = dict(self.gru.named_parameters())
        with torch.no_grad():
            weights["bias_ih_l0"][gates] = torch.empty(config.width).uniform_(1, max(config.longest, 2)).log()
            weights["bias_hh_l0"][gates] = 0.0

    @property
    def size(self) -> int:
        """Return ``M``: the width."""
        return self.config.width

    def begin(self, batch: int) -> dict[str, Tensor]:
        """Return the state before the first latent; see :class:`CarrierModule`."""
        return {"hidden": self.mean.new_zeros(batch, self.config.width)}

    def write(self, carry: Mapping[str, Tensor], latents: Tensor, blocks: Tensor) -> dict[str, Tensor]:
        """Return the next state; see :class:`CarrierModule`."""
        features = self.features(torch.cat([latents, blocks], dim=1))[:, None]
        return {"hidden": self.gru(features, carry["hidden"][None])[0][:, 0]}

    def recall(self, carry: Mapping[str, Tensor]) -> Tensor:
        """Return the hidden state ``[B, W]``; see :class:`CarrierModule`."""
        return carry["hidden"]

    def read_along(self, latents: Tensor, blocks: Tensor) -> Tensor:
        """Return the memory along sequences in one pass; see :meth:`CarrierModule.read_along`."""
        hidden, _ = self.gru(self.features(self.inputs(latents, blocks)))
        return torch.cat([torch.zeros_like(hidden[:, :1]), hidden], dim=1)
