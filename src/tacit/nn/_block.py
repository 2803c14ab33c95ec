"""Pre-norm transformer block of encoders and predictors."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.checkpoint import checkpoint

from tacit.errors import ConfigError
from tacit.nn.linear import Linear
from tacit.nn.positions import Rotation, rotate

__all__ = ["Block", "Memory", "initialise", "run", "stack"]


class Memory(NamedTuple):
    """Rotated keys, and values, of the previous tokens, ``[B, heads, n, head width]``."""

    key: Tensor
    value: Tensor


class Block(nn.Module):
    """Residual attention and MLP, each on a LayerNorm of the tokens (arXiv 2010.11929).

    Args:
        width: Size of a token.
        heads: Attention heads.
        hidden: Hidden width of the MLP.
        norm_eps: Epsilon that the LayerNorms add to a variance.
    """

    def __init__(self, width: int, heads: int, hidden: int, norm_eps: float) -> None:
        super().__init__()
        self.heads = heads
        self.attention_norm = nn.LayerNorm(width, eps=norm_eps)
        self.qkv = Linear(width, 3 * width)
        self.merge = Linear(width, width)
        self.mlp_norm = nn.LayerNorm(width, eps=norm_eps)
        self.up = Linear(width, hidden)
        self.down = Linear(hidden, width)

    def forward(self, x: Tensor, rotation: Rotation | None = None, mask: Tensor | None = None) -> Tensor:
        """Transform tokens ``[B, n, width]``; each attends to all, or to those that ``mask [n, n]`` allows."""
        return self.extend(x, rotation, mask)[0]

    def extend(
        self, x: Tensor, rotation: Rotation | None = None, mask: Tensor | None = None, memory: Memory | None = None
    ) -> tuple[Tensor, Memory]:
        """Transform tokens ``[B, n, width]``, which attend to those in memory too.

        Args:
            x: The new tokens.
            rotation: Rotation of the new tokens.
            mask: ``[n, memory and n]``, True where a token may attend; by default everywhere.
            memory: The previous tokens.

        Returns:
            The tokens, and the memory extended by them.
        """
        qkv = self.qkv(self.attention_norm(x))
        query, key, value = qkv.reshape(*x.shape[:2], 3, self.heads, -1).permute(2, 0, 3, 1, 4)
        if rotation is not None:
            query, key = rotate(query, rotation), rotate(key, rotation)
            # A view would keep the unrotated queries and keys in memory, next to the rotated ones.
            value = value.contiguous()
        if memory is not None:
            key, value = torch.cat([memory.key, key], dim=2), torch.cat([memory.value, value], dim=2)
        mixed = F.scaled_dot_product_attention(query, key, value, attn_mask=mask).transpose(1, 2).flatten(2)
        x = x + self.merge(mixed)
        out: Tensor = x + self.down(F.gelu(self.up(self.mlp_norm(x))))
        return out, Memory(key, value)


def stack(width: int, depth: int, heads: int, mlp_ratio: float, norm_eps: float) -> nn.ModuleList:
    """Build blocks of one width.

    Raises:
        ConfigError: if the heads cannot share the width.
    """
    if width % heads:
        raise ConfigError(f"heads share the width equally; got a width of {width} and {heads} heads.")
    return nn.ModuleList(Block(width, heads, round(mlp_ratio * width), norm_eps) for _ in range(depth))


def run(
    blocks: Iterable[nn.Module], x: Tensor, rotation: Rotation | None, checkpointing: bool, mask: Tensor | None = None
) -> Tensor:
    """Apply every block to tokens ``[B, n, width]``; with ``checkpointing``, backward recomputes each one."""
    for block in blocks:
        if checkpointing and torch.is_grad_enabled():
            x = checkpoint(block, x, rotation, mask, use_reentrant=False)
        else:
            x = block(x, rotation, mask)
    return x


def initialise(module: nn.Module, blocks: nn.ModuleList) -> None:
    """Draw weights as BEiT (arXiv 2106.08254) and the JEPAs do: small, with depth-scaled residual outputs.

    The deeper a block, the smaller the weights of its residual outputs.

    Patch embeddings are an exception: they are drawn like a linear layer, as in MAE (arXiv 2111.06377). With the 0.02
    of the JEPAs, made for patches of 768 and more values, the embedding of a patch of 16 values is small next to its
    position, and a masked model ignores it in early training.
    """
    for part in module.modules():
        if isinstance(part, nn.Conv1d | nn.Conv2d | nn.Conv3d):
            nn.init.xavier_uniform_(part.weight.view(len(part.weight), -1))
        elif isinstance(part, nn.Linear):
            nn.init.trunc_normal_(part.weight, std=0.02)
        else:
            continue
        if part.bias is not None:
            nn.init.zeros_(part.bias)
    for depth, block in enumerate(blocks, start=1):
        if isinstance(block, Block):
            for layer in (block.merge, block.down):
                nn.init.trunc_normal_(layer.weight, std=0.02 * (2.0 * depth) ** -0.5)
