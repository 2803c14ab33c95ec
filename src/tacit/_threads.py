"""CPU threads: their number in PyTorch, and the waiting of idle ones.

The threads of OpenMP wait for each other by spinning. On a busy machine a spinning thread prevents the thread for which
it waits from running, and a small model computes many times slower with several threads than with one.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import nn

__all__ = ["POLICY", "computing", "suited_threads", "wait_passively"]

POLICY = "OMP_WAIT_POLICY"
"""Environment variable that OpenMP reads once, when torch is imported."""

SMALL = 4_000_000
"""Largest number of parameters for one thread."""


def wait_passively() -> bool:
    """Let idle OpenMP threads sleep instead of spin, unless the user set :data:`POLICY`.

    Returns:
        Whether the setting can take effect: torch was not imported before.
    """
    os.environ.setdefault(POLICY, "PASSIVE")
    return "torch" not in sys.modules


def suited_threads(*modules: nn.Module) -> int | None:
    """Return 1 for models of up to four million parameters in total, else None to keep the number."""
    count = sum(parameter.numel() for module in modules for parameter in module.parameters())
    return 1 if count <= SMALL else None


@contextmanager
def computing(threads: int | None) -> Iterator[None]:
    """Set the number of CPU threads for the block, then restore it; None changes nothing."""
    import torch

    before = torch.get_num_threads()
    if threads is None or threads == before:
        yield
        return
    torch.set_num_threads(threads)
    try:
        yield
    finally:
        torch.set_num_threads(before)
