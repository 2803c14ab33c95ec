"""Causal transformer as a predictor, conditioned on actions through AdaLN-zero."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, NamedTuple, TypeAlias

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from tacit._check import require
from tacit._config import WEIGHTLESS
from tacit.models.predictors._predictor import PredictorConfig
from tacit.nn.kernels import PLAIN, Kernels
from tacit.nn.linear import Linear
from tacit.nn.mlp import MLP
from tacit.nn.predictors import Predictor

__all__ = ["Transformer"]

_FEW = 4


class _Memory(NamedTuple):
    """Keys and values of the previous tokens, in parts ``[B, S or 1, n, heads, head width]``."""

    keys: tuple[Tensor, ...] = ()
    values: tuple[Tensor, ...] = ()


_Memories: TypeAlias = list[_Memory]


@dataclass(frozen=True)
class Transformer(PredictorConfig):
    """LeWorldModel's predictor: one token per step, causal attention, action-modulated blocks (AdaLN-zero).

    Learned positions count from the start of a window of ``history`` steps, so a sliding window is recomputed; while
    the window grows, the keys and values of the previous tokens are kept. Source: LeWorldModel (arXiv 2603.19312);
    AdaLN-zero from DiT (arXiv 2212.09748).

    Args:
        history: Latents, the current one included, that the predictor reads: the length of the window.
        width: Size of a token.
        depth: Blocks.
        heads: Attention heads of ``head_width`` each.
        head_width: Size of a head.
        mlp_width: Hidden width of the MLP of a block.
        out_width: Hidden width of the output MLP with BatchNorm; 0 for one linear layer.
        dropout: Probability, while training.
        inner_norm: Add a LayerNorm after the modulation, as in LeWorldModel's released weights.

    Raises:
        ConfigError: if ``history`` is below 1.
    """

    sizes: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "small": {"width": 512, "depth": 3},
        "base": {
            "history": 3,
            "width": 192,
            "depth": 6,
            "heads": 16,
            "head_width": 64,
            "mlp_width": 2048,
            "out_width": 2048,
            "dropout": 0.1,
        },
    }
    history: int = 1
    width: int = 128
    depth: int = 2
    heads: int = 4
    head_width: int = 32
    mlp_width: int = 256
    out_width: int = 0
    dropout: float = field(default=0.0, metadata=WEIGHTLESS)
    inner_norm: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        require(self.history >= 1, "Transformer", f"history >= 1; got {self.history}")

    def build(self, latent: int, action: int) -> TransformerPredictor:
        """Return a new predictor; see :meth:`PredictorConfig.build`."""
        return TransformerPredictor(self, latent, action)


class TransformerPredictor(Predictor):
    """Network of :class:`Transformer`."""

    rows = 160

    def __init__(self, config: Transformer, latent: int, action: int) -> None:
        super().__init__()
        width = config.width
        self.history, self.dropout = config.history, config.dropout
        self.position = nn.Parameter(nn.init.normal_(torch.empty(config.history, latent), std=0.02))
        self.from_latent = Linear(latent, width) if latent != width else None
        self.from_action = Linear(action, width) if action != width else None
        self.blocks = nn.ModuleList(_Block(config) for _ in range(config.depth))
        self.norm = nn.LayerNorm(width)
        hidden = (config.out_width,) if config.out_width else ()
        self.out = MLP(width, hidden, latent, norm="batch" if hidden else "none")

    def forward(self, latents: Tensor, actions: Tensor) -> Tensor:
        """Forecast: entry ``t`` of the result ``[N, T, D]`` is the forecast of latent ``t + 1``.

        ``latents`` is ``[N, T, D]``, ``actions`` ``[N, T, E]``. A forecast depends on the window of ``history`` steps
        that ends at ``t``.
        """
        steps = latents.shape[1]
        out = self._features(latents[:, : self.history], actions[:, : self.history])
        if steps > self.history:
            windows = latents.unfold(1, self.history, 1)[:, 1:].transpose(2, 3).flatten(0, 1)
            conditions = actions.unfold(1, self.history, 1)[:, 1:].transpose(2, 3).flatten(0, 1)
            last = self._features(windows, conditions)[:, -1]
            out = torch.cat([out, last.reshape(len(latents), steps - self.history, -1)], dim=1)
        result: Tensor = self.out(out)
        return result

    def unroll(self, latents: Tensor, actions: Tensor, steps: int) -> tuple[Tensor, ...]:
        """Forecast from every start; see :meth:`Predictor.unroll`.

        The context before a start holds true latents, and forecasts follow after it.
        """
        count = latents.shape[1]
        predictions = [self.forward(latents, actions)]
        for k in range(2, steps + 1):
            starts = torch.arange(count + 1 - k, device=latents.device)
            first = (starts + k - self.history).clamp(min=0)
            time = first[:, None] + torch.arange(self.history, device=latents.device)
            last = starts + k - 1 - first
            ahead = time - starts[:, None]
            # Row j holds the estimate of a latent j steps after its start: row 0 the latents themselves.
            known = [latents[:, : count + 1 - k], *(p[:, : count + 1 - k] for p in predictions)]
            table = torch.stack(known, dim=1)
            windows = torch.where(
                (ahead <= 0)[:, :, None],
                latents[:, time.clamp(max=count - 1)],
                table[:, ahead.clamp(0, k - 1), starts[:, None]],
            )
            conditions = actions[:, time.clamp(max=count - 1)]
            features = self._features(windows.flatten(0, 1), conditions.flatten(0, 1))
            features = features.reshape(len(latents), len(starts), self.history, -1)[:, starts, last]
            predictions.append(self.out(features))
        return tuple(predictions)

    def rollout(self, latents: Tensor, past: Tensor, actions: Tensor, kernels: Kernels = PLAIN) -> Tensor:
        """Imagine latents; compute the shared context once per world; see :meth:`Predictor.rollout`."""
        latents, past = latents[:, -self.history :], past[:, max(past.shape[1] + 1 - self.history, 0) :]
        shared = latents.shape[1] - 1
        before, during = self._modulations(past[:, None], kernels), self._modulations(actions, kernels)
        tokens = [latents[:, None, shared].expand(-1, actions.shape[1], -1)]
        memory = self._empty()
        for step in range(actions.shape[2]):
            start = max(shared + step + 1 - self.history, 0)
            first = step
            if step == 0 or start > 0:
                first, memory = max(start - shared, 0), self._empty()
                if start < shared:
                    memory = self._advance(latents[:, None, start:shared], 0, _cut(before, start), memory, kernels)[1]
            x = torch.stack(tokens[first:], dim=2)
            offset = shared + first - start
            last, memory = self._advance(x, offset, _cut(during, first, step + 1), memory, kernels)
            tokens.append(kernels.mlp(self.out, last[:, :, 0]))
        return torch.stack(tokens[1:], dim=2)

    def _features(self, latents: Tensor, actions: Tensor) -> Tensor:
        """Compute features ``[N, n, width]`` of every token of one window ``[N, n, D]`` and its action latents."""
        modulations = self._modulations(actions[:, None], PLAIN)
        return self._advance(latents[:, None], 0, modulations, self._empty(), PLAIN, last_only=False)[0][:, 0]

    def _modulations(self, actions: Tensor, kernels: Kernels) -> list[Tensor]:
        """Compute each block's modulation by action latents ``[B, S, n, E]``: ``[B, S, n, 6 width]``."""
        if self.from_action is not None:
            actions = kernels.linear(self.from_action, actions)
        actions = F.silu(actions)
        return [kernels.linear(block.modulation, actions) for block in self._typed_blocks]

    def _advance(
        self,
        latents: Tensor,
        offset: int,
        modulations: list[Tensor],
        memory: _Memories,
        kernels: Kernels,
        last_only: bool = True,
    ) -> tuple[Tensor, _Memories]:
        """Apply every block to tokens ``[B, S, n, D]`` at positions from ``offset``, after those in memory.

        Returns:
            The features ``[B, S, n or 1, width]`` and the memory extended by the new tokens.
        """
        x = latents + self.position[offset : offset + latents.shape[2]]
        if self.from_latent is not None:
            x = kernels.linear(self.from_latent, x)
        x = F.dropout(x, self.dropout, self.training)
        grown: _Memories = []
        for index, block in enumerate(self._typed_blocks):
            trim = last_only and index == len(self.blocks) - 1
            x, kept = block(x, modulations[index], memory[index], kernels, trim)
            grown.append(kept)
        return self.norm(x), grown

    def _empty(self) -> _Memories:
        return [_Memory() for _ in self.blocks]

    @property
    def _typed_blocks(self) -> list[_Block]:
        return [block for block in self.blocks if isinstance(block, _Block)]


class _Block(nn.Module):
    """Attention and an MLP, each shifted, scaled and gated by the action."""

    def __init__(self, config: Transformer) -> None:
        super().__init__()
        width, attention = config.width, config.heads * config.head_width
        self.heads, self.width, self.dropout = config.heads, width, config.dropout
        self.attention_norm = nn.LayerNorm(width) if config.inner_norm else None
        self.mlp_norm = nn.LayerNorm(width) if config.inner_norm else None
        self.qkv = Linear(width, 3 * attention, bias=False)
        self.merge = Linear(attention, width)
        self.up = Linear(width, config.mlp_width)
        self.down = Linear(config.mlp_width, width)
        self.modulation = Linear(width, 6 * width)
        # Zero: every block starts as the identity (AdaLN-zero).
        nn.init.zeros_(self.modulation.weight)
        nn.init.zeros_(self.modulation.bias)

    def forward(
        self, x: Tensor, modulation: Tensor, memory: _Memory, kernels: Kernels, trim: bool
    ) -> tuple[Tensor, _Memory]:
        """Transform tokens ``[B, S, n, width]`` after those in memory; with ``trim``, return the last token alone."""
        qkv = kernels.linear(self.qkv, self._modulated(x, modulation, 0, self.attention_norm))
        query, key, value = qkv.reshape(*qkv.shape[:-1], 3, self.heads, -1).unbind(-3)
        memory = _Memory((*memory.keys, key), (*memory.values, value))
        if trim:
            x, modulation, query = x[:, :, -1:], modulation[:, :, -1:], query[:, :, -1:]
        mixed = self._drop(kernels.linear(self.merge, _attend(query, memory)))
        x = torch.addcmul(x, self._part(modulation, 2), mixed)
        hidden = kernels.linear(self.up, self._modulated(x, modulation, 3, self.mlp_norm), "gelu")
        change = self._drop(kernels.linear(self.down, self._drop(hidden)))
        return torch.addcmul(x, self._part(modulation, 5), change), memory

    def _modulated(self, x: Tensor, modulation: Tensor, index: int, norm: nn.LayerNorm | None) -> Tensor:
        x = F.layer_norm(x, (self.width,), eps=1e-6)
        x = torch.addcmul(x + self._part(modulation, index), x, self._part(modulation, index + 1))
        return x if norm is None else norm(x)

    def _part(self, modulation: Tensor, index: int) -> Tensor:
        return modulation[..., index * self.width : (index + 1) * self.width]

    def _drop(self, x: Tensor) -> Tensor:
        return F.dropout(x, self.dropout, self.training) if self.dropout and self.training else x


def _attend(query: Tensor, memory: _Memory) -> Tensor:
    """Compute causal attention of the last ``n`` tokens ``[B, S, n, heads, d]`` to all in memory.

    The result is ``[B, S, n, heads * d]``.
    """
    batch, total = query.shape[:2], sum(key.shape[2] for key in memory.keys)
    if total <= _FEW and query.device.type == "cpu":
        return _attend_few(query, memory)
    key, value = (torch.cat([p.expand(*batch, -1, -1, -1) for p in parts], dim=2) for parts in memory)
    count = query.shape[2]
    mask = None if count == 1 else query.new_ones(count, total, dtype=torch.bool).tril(total - count)
    query, key, value = (part.flatten(0, 1).transpose(1, 2) for part in (query, key, value))
    mixed = F.scaled_dot_product_attention(query, key, value, attn_mask=mask)
    return mixed.transpose(1, 2).reshape(*batch, count, -1)


def _attend_few(query: Tensor, memory: _Memory) -> Tensor:
    """Compute the same pair by pair: a 3 x 3 matrix product costs more to call than to compute."""
    keys, values = ([token for part in parts for token in part.unbind(2)] for parts in memory)
    query = query * query.shape[-1] ** -0.5
    out = []
    for index in range(query.shape[2]):
        seen = len(keys) - query.shape[2] + index + 1
        scores = torch.stack([(query[:, :, index] * key).sum(-1) for key in keys[:seen]])
        weights = scores.softmax(0).unsqueeze(-1)
        mixed = values[0] * weights[0]
        for weight, value in zip(weights[1:], values[1:seen], strict=True):
            mixed = torch.addcmul(mixed, weight, value)
        out.append(mixed.flatten(-2))
    return torch.stack(out, dim=2)


def _cut(modulations: list[Tensor], start: int, end: int | None = None) -> list[Tensor]:
    return [modulation[:, :, start:end] for modulation in modulations]
