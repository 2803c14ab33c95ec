"""Macro-actions: a model of several blocks at a time, on the latents of a world model."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from tacit.errors import ConfigError, SpecError
from tacit.models._check import check_sizes
from tacit.nn.mlp import MLP

__all__ = ["MacroModel"]


@dataclass(frozen=True)
class MacroModelConfig:
    """Configuration of a :class:`MacroModel`.

    Args:
        latent: Size ``D`` of a latent.
        block: Size ``A'`` of a block of raw actions.
        stride: Blocks ``K`` of a macro-action.
        size: Size ``M`` of a macro-action. Too small, plans are invalid; too large, they are out of reach: 4 to 8 are
            usual.
        bank: Largest number of encoded recorded chunks.
        encoder_width: Width of both hidden layers of the encoder of chunks.
        width: Width of the hidden layers of the predictor.
        depth: Hidden layers of the predictor.

    Raises:
        ConfigError: if a number is below 1 or too large.
    """

    latent: int
    block: int
    stride: int = 4
    size: int = 8
    bank: int = 4096
    encoder_width: int = 32
    width: int = 256
    depth: int = 2

    def __post_init__(self) -> None:
        check_sizes(self)
        if min(vars(self).values()) < 1:
            raise ConfigError(f"the numbers of a MacroModel are at least 1; got {self}.")


class MacroModel(nn.Module):
    """Model of macro-actions: an encoder of chunks of blocks, and a predictor of the latent after a chunk.

    The high level of a hierarchy in one latent space (HWM, arXiv 2604.03208): ``z' = P(z, l)`` over ``K`` blocks, with
    the macro-action ``l`` of an encoder of the blocks. It owns a bank of encoded recorded chunks, since not every
    macro-action is one that blocks can carry out. :func:`tacit.training.macros.train_macros` trains it.

    Args:
        config: Configuration of the model.

    Attributes:
        latents: ``[2, D]`` mean and standard deviation of the latents.
        blocks: ``[2, A']`` of the blocks.
        bank: ``[N, M]`` the encoded chunks; ``N`` is 1, and the chunk 0, before the training.
        box: ``[2, M]`` low and high quantiles of the macro-actions of recorded chunks.
        reach: The median mean absolute difference of latents that are ``K`` blocks apart.
        known: The number of chunks in the bank.
    """

    latents: Tensor
    blocks: Tensor
    bank: Tensor
    box: Tensor
    reach: Tensor
    known: Tensor

    def __init__(self, config: MacroModelConfig) -> None:
        super().__init__()
        self.config = config
        wide, size = config.encoder_width, config.size
        self.encoder = MLP(config.stride * config.block, (wide, wide), size, activation="silu")
        hidden = (config.width,) * config.depth
        self.predictor = MLP(config.latent + size, hidden, config.latent, "layer", "silu")
        for name, shape in (("latents", config.latent), ("blocks", config.block)):
            self.register_buffer(name, torch.stack([torch.zeros(shape), torch.ones(shape)]))
        self.register_buffer("bank", torch.zeros(config.bank, size))
        self.register_buffer("box", torch.stack([-torch.ones(size), torch.ones(size)]))
        self.register_buffer("reach", torch.zeros(()))
        self.register_buffer("known", torch.ones((), dtype=torch.int64))

    @property
    def recorded(self) -> Tensor:
        """Return the encoded recorded chunks ``[N, M]``."""
        return self.bank[: int(self.known)]

    def encode(self, chunks: Tensor) -> Tensor:
        """Return the macro-actions ``[..., M]`` of chunks of raw blocks ``[..., K, A']``.

        Raises:
            SpecError: if the chunks have another shape.
        """
        wanted = (self.config.stride, self.config.block)
        if tuple(chunks.shape[-2:]) != wanted:
            raise SpecError(f"a chunk is [K, A'] = {list(wanted)}; got {list(chunks.shape[-2:])}.")
        found: Tensor = self.encoder(((chunks - self.blocks[0]) / self.blocks[1]).flatten(-2))
        return found

    def rollout(self, start: Tensor, macros: Tensor) -> Tensor:
        """Return the latents ``[..., H, D]`` after each of the macro-actions ``[..., H, M]``.

        Args:
            start: ``[..., D]`` current latents.
            macros: The macro-actions, each of ``K`` blocks.

        Raises:
            SpecError: if latents or macro-actions have another size.
        """
        for name, part, size in (("latents", start, self.config.latent), ("macro-actions", macros, self.config.size)):
            if part.shape[-1] != size:
                raise SpecError(f"the model is for {name} of size {size}; got {list(part.shape)}.")
        now, found = (start - self.latents[0]) / self.latents[1], []
        for step in range(macros.shape[-2]):
            now = now + self.predictor(torch.cat([now, macros[..., step, :]], dim=-1))
            found.append(now)
        return self.latents[0] + self.latents[1] * torch.stack(found, dim=-2)
