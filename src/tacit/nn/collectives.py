"""What the processes of a distributed run do together: means that gradients flow through, verdicts, weights."""

from __future__ import annotations

from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn

__all__ = ["all_mean", "broadcast", "everywhere", "world_size"]


def world_size() -> int:
    """Processes of the run; one where ``torch.distributed`` is not initialised."""
    return dist.get_world_size() if dist.is_available() and dist.is_initialized() else 1


def all_mean(x: Tensor) -> Tensor:
    """The mean of ``x`` over all processes, the same on each of them; ``x`` itself in a run of one process.

    Every process must call it with the same shape. The gradient is exact: the gradients that the processes
    hold for the mean are added and divided by their number.
    """
    if world_size() == 1:
        return x
    mean: Tensor = _AllMean.apply(x)  # type: ignore[no-untyped-call]
    return mean


def everywhere(x: Tensor) -> Tensor:
    """Where the booleans ``x`` hold on every process, the same on each of them."""
    return all_mean(x.float()) == 1


@torch.no_grad()
def broadcast(module: nn.Module) -> None:
    """Give every process the parameters and buffers of the first one."""
    if world_size() == 1:
        return
    for value in (*module.parameters(), *module.buffers()):
        # A copy, because gloo takes no tensor laid out channels last.
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

    # A sum, because gloo knows no average.
    total: Tensor = functional.all_reduce(x.contiguous(), "sum", dist.group.WORLD)  # type: ignore[arg-type]
    return total / world_size()
