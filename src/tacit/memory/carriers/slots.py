"""Slots that attend to chunks of the past."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from tacit.errors import ConfigError
from tacit.memory.carriers._module import CarrierModule, check_sizes
from tacit.nn.mlp import MLP

__all__ = ["Slots", "SlotsConfig"]


@dataclass(frozen=True)
class SlotsConfig:
    """Configuration of :class:`Slots`.

    Args:
        latent: Size ``D`` of a latent.
        block: Size ``A'`` of an action block.
        slots: The number of slots.
        width: Size of a slot.
        heads: Heads of the attention, which divide the width.
        chunk: Latents that are written at once.

    Raises:
        ConfigError: if a size is below 1, or the heads do not divide the width.
    """

    latent: int
    block: int
    slots: int = 8
    width: int = 64
    heads: int = 4
    chunk: int = 4

    def __post_init__(self) -> None:
        check_sizes(self, latent=self.latent, block=self.block, slots=self.slots, heads=self.heads, chunk=self.chunk)
        if self.width < 1 or self.width % self.heads:
            raise ConfigError(f"the heads of Slots divide their width; got {self.heads} and {self.width}.")


class Slots(CarrierModule):
    """A few vectors that attend to each chunk of latents and blocks, and take over a part of what they find.

    The chunked writer of LeWorldModel-Memory, ``M_t = f(M_(t-K), z_(t-K+1) ... z_t)``, with a gate for each number of a
    slot, which is almost closed in new weights; the numbers are from -1 to 1. The latents of an unfinished chunk are
    read as if it ended here, so that the memory is never behind. Its state is ``slots [B, S, W]``, the unfinished chunk
    ``chunk [B, K, D + A']``, and ``filled [B]``, the number of its latents.

    Args:
        config: Configuration of the slots.
    """

    configuration = SlotsConfig
    config: SlotsConfig

    def __init__(self, config: SlotsConfig) -> None:
        super().__init__(config)
        width = config.width
        self.initial = nn.Parameter(torch.randn(config.slots, width))
        self.place = nn.Parameter(0.02 * torch.randn(config.chunk, width))
        self.token = MLP(config.latent + config.block, (2 * width,), width)
        self.norm = nn.LayerNorm(width)
        self.attention = nn.MultiheadAttention(width, config.heads, batch_first=True)
        self.update = MLP(2 * width, (2 * width,), 2 * width)
        with torch.no_grad():
            self.update.linears[-1].bias[width:] = -2.0

    @property
    def size(self) -> int:
        """Return ``M``: all slots."""
        return self.config.slots * self.config.width

    def begin(self, batch: int) -> dict[str, Tensor]:
        """Return the state before the first latent; see :class:`CarrierModule`."""
        config = self.config
        return {
            "slots": self.initial.expand(batch, -1, -1),
            "chunk": self.mean.new_zeros(batch, config.chunk, config.latent + config.block),
            "filled": torch.zeros(batch, dtype=torch.int64, device=self.mean.device),
        }

    def write(self, carry: Mapping[str, Tensor], latents: Tensor, blocks: Tensor) -> dict[str, Tensor]:
        """Return the next state; see :class:`CarrierModule`."""
        here = torch.arange(self.config.chunk, device=latents.device) == carry["filled"][:, None]
        chunk = torch.where(here[:, :, None], torch.cat([latents, blocks], dim=1)[:, None], carry["chunk"])
        filled, slots = carry["filled"] + 1, carry["slots"]
        full = filled == self.config.chunk
        if full.any():
            slots = torch.where(full[:, None, None], self._attended(slots, chunk, filled), slots)
            chunk = torch.where(full[:, None, None], torch.zeros_like(chunk), chunk)
            filled = torch.where(full, torch.zeros_like(filled), filled)
        return {"slots": slots, "chunk": chunk, "filled": filled}

    def recall(self, carry: Mapping[str, Tensor]) -> Tensor:
        """Return all slots ``[B, S W]``; see :class:`CarrierModule`."""
        return self._attended(carry["slots"], carry["chunk"], carry["filled"]).flatten(1)

    def read_along(self, latents: Tensor, blocks: Tensor) -> Tensor:
        """Return the memory along sequences, one pass for each chunk; see :meth:`CarrierModule.read_along`."""
        inputs = self.inputs(latents, blocks)
        batch, length, size = inputs.shape
        slots, reads = self.initial.expand(batch, -1, -1), []
        counts = torch.arange(self.config.chunk + 1, device=inputs.device)
        for first in range(0, length + 1, self.config.chunk):
            some = inputs[:, first : first + self.config.chunk]
            known = some.shape[1]
            chunk = torch.cat([some, some.new_zeros(batch, self.config.chunk - known, size)], dim=1)
            filled = counts[: known + 1]
            times = len(filled)
            found = self._attended(
                slots.repeat_interleave(times, 0), chunk.repeat_interleave(times, 0), filled.repeat(batch)
            ).reshape(batch, times, *slots.shape[1:])
            reads.append(found.flatten(2) if known < self.config.chunk else found[:, :-1].flatten(2))
            slots = found[:, -1]
        return torch.cat(reads, dim=1)

    def _attended(self, slots: Tensor, chunk: Tensor, filled: Tensor) -> Tensor:
        """Return slots ``[B, S, W]`` after the first ``filled [B]`` entries of a chunk ``[B, K, D + A']``."""
        unknown = torch.arange(self.config.chunk, device=chunk.device) >= filled[:, None].clamp(min=1)
        tokens = self.token(chunk) + self.place
        found, _ = self.attention(self.norm(slots), tokens, tokens, key_padding_mask=unknown, need_weights=False)
        new, gate = self.update(torch.cat([self.norm(slots), found], dim=2)).chunk(2, dim=2)
        written = torch.lerp(slots, torch.tanh(new), torch.sigmoid(gate))
        return torch.where((filled > 0)[:, None, None], written, slots)
