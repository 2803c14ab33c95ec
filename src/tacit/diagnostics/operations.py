"""Floating-point operations of computations on the CPU, and the best rate of the machine."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from tacit.nn.kernels import Packed
from tacit.nn.linear import plain_layers

__all__ = ["operations", "peak_rate", "training_operations"]


def operations(work: Callable[[], object]) -> int:
    """Return the floating-point operations of a call, as PyTorch counts products and attention."""
    with plain_layers(), sdpa_kernel(SDPBackend.MATH), FlopCounterMode(display=False) as counter:
        work()
    return int(counter.get_total_flops())


def training_operations(loss: Callable[[int], Tensor], steps: int = 4) -> float:
    """Return the mean operations of a training step, forward and backward.

    Args:
        loss: The loss of a step by its number.
        steps: Steps to count.
    """

    def whole(index: int) -> None:
        loss(index).backward()  # type: ignore[no-untyped-call]

    return sum(operations(partial(whole, index)) for index in range(steps)) / steps


def peak_rate(rows: int = 1024, size: int = 2048, rounds: int = 15) -> float:
    """Return the operations per CPU second of a large packed matrix product, the median of several."""
    x, layer = torch.randn(rows, size), nn.Linear(size, size)
    packed, seconds = Packed(layer), []
    with torch.inference_mode():
        for _ in range(rounds + 1):
            begin = time.process_time()
            packed.linear(layer, x)
            seconds.append(time.process_time() - begin)
    return 2 * rows * size * size / statistics.median(seconds[1:])
