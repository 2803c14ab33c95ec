"""AdamW with the usual exceptions, and the learning rate over a training."""

from __future__ import annotations

import math
from collections.abc import Iterable

from torch import nn
from torch.optim import AdamW

__all__ = ["adamw", "rate"]


def adamw(
    parameters: Iterable[nn.Parameter], lr: float, weight_decay: float, betas: tuple[float, float] = (0.9, 0.999)
) -> AdamW:
    """AdamW that decays matrices only (no biases, norms or other vectors), fused where torch has it."""
    parameters = list(parameters)
    groups = [
        {"params": [p for p in parameters if p.ndim >= 2], "weight_decay": weight_decay},
        {"params": [p for p in parameters if p.ndim < 2], "weight_decay": 0.0},
    ]
    fused = all(p.device.type in ("cpu", "cuda") for p in parameters)
    return AdamW([group for group in groups if group["params"]], lr=lr, betas=betas, fused=fused)


def rate(step: int, steps: int, warmup: float, end: float) -> float:
    """The learning rate of ``step``, as a share of the largest.

    It rises from 0 over a share ``warmup`` of the steps and falls along a half cosine to ``end``.
    """
    rising = round(warmup * steps)
    if step < rising:
        return (step + 1) / rising
    done = (step - rising) / max(steps - rising, 1)
    return end + (1 - end) * (1 + math.cos(math.pi * done)) / 2
