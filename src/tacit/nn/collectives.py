"""Collective operations of a distributed run: differentiable means, joint booleans, broadcast of weights."""

from __future__ import annotations

from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn

__all__ = ["all_mean", "all_true", "broadcast", "world_size"]


def world_size() -> int:
    """Return the number of processes; 1 where ``torch.distributed`` is not initialised."""
    return dist.get_world_size() if dist.is_available() and dist.is_initialized() else 1


def all_mean(x: Tensor) -> Tensor:
    """Return the mean of ``x`` over all processes, identical on each; ``x`` itself for one process.

    Every process must call it with the same shape. The gradient is exact: the gradients of the mean on all processes
    are added and divided by their number.
    """
    if world_size() == 1:
        return x
    mean: Tensor = _AllMean.apply(x)  # type: ignore[no-untyped-call]
    return mean


def all_true(x: Tensor) -> Tensor:
    """Return the logical AND of the booleans ``x`` over all processes, identical on each."""
    return all_mean(x.float()) == 1


@torch.no_grad()
def broadcast(module: nn.Module) -> None:
    """Copy the parameters and buffers of the first process to all processes."""
    if world_size() == 1:
        return
    for value in (*module.parameters(), *module.buffers()):
        # A copy, because gloo does not support channels-last tensors.
        first = value.contiguous()
        dist.broadcast(first, src=0)
        value.copy_(first)


class _AllMean(torch.autograd.Function):
    @staticmethod
    def forward(_ctx: Any, x: Tensor) -> Tensor:
        return _reduced(x)

    @staticmethod
    def backward(_ctx: Any, *gradients: Tensor) -> Tensor:
        return _reduced(gradients[0])


def _reduced(x: Tensor) -> Tensor:
    # Imported here because builds of torch without distributed lack it.
    from torch.distributed import _functional_collectives as functional

    # A sum, because gloo has no average.
    total: Tensor = functional.all_reduce(x.contiguous(), "sum", dist.group.WORLD)  # type: ignore[arg-type]
    return total / world_size()
