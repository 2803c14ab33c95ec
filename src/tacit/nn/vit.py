"""The vision transformer that encodes pixels."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from tacit.nn.encoders import patch_embed
from tacit.nn.linear import Linear

__all__ = ["VisionTransformer"]


class VisionTransformer(nn.Module):
    """A pre-norm vision transformer with learned positions (arXiv 2010.11929), laid out as ViT-Tiny in LeWorldModel.

    Args:
        channels: Channels ``C``.
        size: Height and width of the pictures; what does not fill a patch is cut off.
        patch: Side of a patch.
        width: Size of a token, and of the output.
        depth: Blocks.
        heads: Attention heads.
        pool: ``cls`` returns a learned class token, ``mean`` the mean of the patches.
    """

    def __init__(
        self,
        channels: int,
        size: tuple[int, int],
        patch: int,
        width: int,
        depth: int,
        heads: int,
        pool: Literal["cls", "mean"] = "cls",
    ) -> None:
        super().__init__()
        self.pool = pool
        count = (size[0] // patch) * (size[1] // patch)
        self.patches = nn.Conv2d(channels, width, patch, patch)
        self.cls = nn.Parameter(nn.init.normal_(torch.empty(1, 1, width), std=0.02)) if pool == "cls" else None
        self.position = nn.Parameter(nn.init.normal_(torch.empty(1, count + (pool == "cls"), width), std=0.02))
        self.blocks = nn.ModuleList(_Block(width, heads) for _ in range(depth))
        self.norm = nn.LayerNorm(width, eps=1e-12)

    def forward(self, x: Tensor, mean: Tensor, std: Tensor) -> Tensor:
        """``[N, C, H, W]`` of any number type, with the ``[C]`` statistics of its values, to ``[N, width]``."""
        x = patch_embed(self.patches, x, mean, std).flatten(2).transpose(1, 2)
        if self.cls is not None:
            x = torch.cat([self.cls.expand(len(x), -1, -1).to(x.dtype), x], dim=1)
        x = x + self.position
        for block in self.blocks:
            x = block(x)
        out: Tensor = self.norm(x[:, 0] if self.pool == "cls" else x.mean(dim=1))
        return out


class _Block(nn.Module):
    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.attention_norm = nn.LayerNorm(width, eps=1e-12)
        self.qkv = Linear(width, 3 * width)
        self.merge = Linear(width, width)
        self.mlp_norm = nn.LayerNorm(width, eps=1e-12)
        self.up = Linear(width, 4 * width)
        self.down = Linear(4 * width, width)

    def forward(self, x: Tensor) -> Tensor:
        """``[N, n, width]``, every token sees every other."""
        qkv = self.qkv(self.attention_norm(x))
        query, key, value = qkv.reshape(*x.shape[:2], 3, self.heads, -1).permute(2, 0, 3, 1, 4)
        mixed = F.scaled_dot_product_attention(query, key, value).transpose(1, 2).flatten(2)
        x = x + self.merge(mixed)
        out: Tensor = x + self.down(F.gelu(self.up(self.mlp_norm(x))))
        return out
