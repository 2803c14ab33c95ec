"""Attentive probe: cross-attention from a learned query to the tokens."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from tacit.errors import ConfigError
from tacit.probing.probes._heads import StackedLinear, StackedNorm, Sweep, check_sweep, matrix, train_heads
from tacit.probing.probes._probe import Prediction, Probe, Task

__all__ = ["Attentive"]


@dataclass(frozen=True)
class Attentive(Probe):
    """Cross-attention from one learned query to all tokens, then a linear layer (V-JEPA, arXiv 2404.08471).

    With more blocks, self-attention among the tokens comes first: four, of which the last is the cross-attention, is
    the probe of V-JEPA 2 (arXiv 2506.09985), whose sweep of 20 heads is the default here. All heads train in one pass
    of AdamW on the same batches. The best head
    and the end of training are chosen on validation rows, never on held-out ones.

    Args:
        blocks: Number of blocks, including the cross-attention.
        heads: Attention heads of a block; 0: heads of about 64 features.
        lrs: Learning rates to try.
        weight_decays: Weight decays to try.
        epochs: Passes over the rows, at least 300 steps.
        batch: Rows in a step.
    """

    blocks: int = 1
    heads: int = 0
    lrs: tuple[float, ...] = (5e-3, 3e-3, 1e-3, 3e-4, 1e-4)
    weight_decays: tuple[float, ...] = (0.01, 0.1, 0.4, 0.8)
    epochs: int = 20
    batch: int = 128

    def __post_init__(self) -> None:
        check_sweep(self.lrs, self.weight_decays, self.epochs, self.batch)
        if self.blocks < 1 or self.heads < 0:
            raise ConfigError(f"blocks is at least 1 and heads at least 0; got {self.blocks} and {self.heads}.")

    def fit_predict(self, task: Task) -> Prediction:
        """Train on the rows to fit, choose on validation rows, and predict held-out rows."""
        width = task.fit.x.shape[-1]
        heads = self.heads or min(
            (h for h in range(1, width + 1) if width % h == 0), key=lambda h: (abs(width // h - 64), h)
        )
        if width % heads:
            raise ConfigError(f"the size of a token is a multiple of the attention heads; got {width} and {heads}.")
        sweep = Sweep(tuple(product(self.lrs, self.weight_decays)), self.epochs, self.batch)
        return train_heads(
            task, sweep, lambda stack, outputs: AttentiveHeads(stack, width, heads, self.blocks, outputs), _tokens
        )


class AttentiveHeads(nn.Module):
    """``S`` attentive readouts."""

    def __init__(self, stack: int, width: int, heads: int, blocks: int, outputs: int) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(_SelfAttention(stack, width, heads) for _ in range(blocks - 1))
        self.cross = _CrossAttention(stack, width, heads)
        self.out = StackedLinear(stack, width, outputs, zero=True)

    def forward(self, x: Tensor) -> Tensor:
        """Map tokens ``[B, n, D]`` to ``[S, B, outputs]``."""
        if self.blocks:
            x = x.expand(len(self.out.bias), *x.shape)
            for block in self.blocks:
                x = block(x)
        out: Tensor = self.out(self.cross(x))
        return out


class _CrossAttention(nn.Module):
    """Cross-attention from one query to tokens, and an MLP.

    With a single query the products are turned round: keys are never computed, the query is carried back through their
    weights instead, and values are computed of the mean that the attention has taken, not of every token. A key's bias
    adds the same to every score, so there is none. The rest of the computation on tokens, their LayerNorm without gain,
    is the same for all heads.
    """

    def __init__(self, stack: int, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.query = nn.Parameter(torch.empty(width).normal_(std=0.02).repeat(stack, 1))
        self.norm = StackedNorm(stack, width)
        self.to_query = StackedLinear(stack, width, width)
        self.to_key = matrix(stack, width, width)
        self.to_value = StackedLinear(stack, width, width)
        self.merge = StackedLinear(stack, width, width)
        self.mlp = _MLP(stack, width)

    def forward(self, x: Tensor) -> Tensor:
        """Map tokens to ``[S, B, D]``. They are ``[B, n, D]`` for all heads, or ``[S, B, n, D]`` for each."""
        width = x.shape[-1]
        size = width // self.heads
        plain = F.layer_norm(x, (width,))
        query = self.to_query(self.query[:, None]).reshape(-1, self.heads, size)
        back = torch.einsum("shd,sehd->she", query, self.to_key.reshape(-1, width, self.heads, size))
        back = back * self.norm.weight[:, None] * size**-0.5
        axes = "bne" if x.ndim == 3 else "sbne"
        weights = torch.einsum(f"{axes},she->bshn", plain, back).softmax(dim=-1)
        mean = torch.einsum(f"bshn,{axes}->sbhe", weights, plain)
        mean = torch.addcmul(self.norm.bias[:, None, None], mean, self.norm.weight[:, None, None])
        values = torch.einsum("sbhe,sehd->sbhd", mean, self.to_value.weight.reshape(-1, width, self.heads, size))
        out = self.query[:, None] + self.merge(values.flatten(2) + self.to_value.bias[:, None])
        result: Tensor = out + self.mlp(out)
        return result


class _SelfAttention(nn.Module):
    """A pre-norm block of a vision transformer."""

    def __init__(self, stack: int, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.norm = StackedNorm(stack, width)
        self.qkv = StackedLinear(stack, width, 3 * width)
        self.merge = StackedLinear(stack, width, width)
        self.mlp = _MLP(stack, width)

    def forward(self, x: Tensor) -> Tensor:
        """Map ``[S, B, n, D]`` to the same shape, with attention among all tokens."""
        shape, flat = x.shape, x.flatten(1, 2)
        qkv = self.qkv(self.norm(flat)).reshape(*shape[:3], 3, self.heads, -1).permute(3, 0, 1, 4, 2, 5)
        query, key, value = qkv.flatten(1, 2)
        mixed = F.scaled_dot_product_attention(query, key, value).transpose(1, 2).reshape(flat.shape)
        flat = flat + self.merge(mixed)
        out: Tensor = flat + self.mlp(flat)
        return out.reshape(shape)


class _MLP(nn.Module):
    """LayerNorm and an MLP four times as wide."""

    def __init__(self, stack: int, width: int) -> None:
        super().__init__()
        self.norm = StackedNorm(stack, width)
        self.up = StackedLinear(stack, width, 4 * width)
        self.down = StackedLinear(stack, 4 * width, width)

    def forward(self, x: Tensor) -> Tensor:
        """Return the change to ``[S, N, D]``."""
        out: Tensor = self.down(F.gelu(self.up(self.norm(x))))
        return out


def _tokens(x: Tensor) -> Tensor:
    return (x if x.ndim == 3 else x[:, None]).float()
