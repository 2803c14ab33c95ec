"""AdamW without decay of vectors, its step, and the learning-rate schedule."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

import torch
from torch import Tensor, nn
from torch.optim import AdamW, Optimizer

from tacit.nn.collectives import all_mean, all_true

__all__ = ["adamw", "lr_factor", "optimizer_step"]


def adamw(
    parameters: Iterable[nn.Parameter], lr: float, weight_decay: float, betas: tuple[float, float] = (0.9, 0.999)
) -> AdamW:
    """Return an AdamW that decays matrices only (no biases, norms or other vectors), fused where torch has it."""
    parameters = list(parameters)
    groups = [
        {"params": [p for p in parameters if p.ndim >= 2], "weight_decay": weight_decay, "decays": True},
        {"params": [p for p in parameters if p.ndim < 2], "weight_decay": 0.0, "decays": False},
    ]
    fused = all(p.device.type in ("cpu", "cuda") for p in parameters)
    return AdamW([group for group in groups if group["params"]], lr=lr, betas=betas, fused=fused)


def optimizer_step(
    optimizer: Optimizer,
    parameters: Sequence[nn.Parameter],
    loss: Tensor,
    lr: float,
    weight_decay: float,
    clip_norm: float | None,
    together: bool = False,
) -> tuple[Tensor, bool]:
    """Take one gradient step on ``loss``, or none if the loss or the gradient is not finite.

    Args:
        optimizer: The optimizer of ``parameters``.
        parameters: The parameters to differentiate by.
        loss: Scalar.
        lr: Learning rate of the step.
        weight_decay: Decay of the step, for the group with decay.
        clip_norm: Largest norm of the gradient; None does not clip.
        together: Every process of a distributed run calls this: gradients are averaged over them, and all take the
            step or none does.

    Returns:
        The norm of the gradient before clipping, and whether the step was taken.
    """
    for group in optimizer.param_groups:
        group["lr"] = lr
        group["weight_decay"] = weight_decay if group["decays"] else 0.0
    optimizer.zero_grad(set_to_none=True)
    loss.backward()  # type: ignore[no-untyped-call]
    if together:
        for parameter in parameters:
            if parameter.grad is not None:
                parameter.grad = all_mean(parameter.grad)
    norm = nn.utils.clip_grad_norm_(parameters, clip_norm or math.inf)
    finite = torch.isfinite(loss.detach() + norm)
    stepped = bool(all_true(finite) if together else finite)
    if stepped:
        optimizer.step()
    return norm, stepped


def lr_factor(
    step: int, steps: int, *, warmup: float, end: float, falls: bool = True, cooldown: float = 0.0, start: float = 0.0
) -> float:
    """Return the learning rate of ``step``, as a share of the largest.

    It rises from ``start`` over a share ``warmup`` of the steps, then falls along a half cosine to ``end`` or is
    constant, and over the last share ``cooldown`` of the steps falls linearly to ``end``.
    """
    rising = round(warmup * steps)
    if step < rising:
        return start + (1 - start) * (step + 1) / rising
    share = end + (1 - end) * (1 + math.cos(math.pi * (step - rising) / max(steps - rising, 1))) / 2 if falls else 1.0
    falling = round(cooldown * steps)
    left = steps - step
    return share if left > falling else min(share, end + (1 - end) * left / (falling + 1))
