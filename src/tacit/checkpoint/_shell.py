"""Modules without memory, to compare names and shapes before any is allocated, and to be given their tensors then."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import torch
from torch import nn
from torch.overrides import TorchFunctionMode

__all__ = ["shell"]

M = TypeVar("M", bound=nn.Module)


def shell(build: Callable[[], M]) -> M:
    """What ``build`` makes, on the meta device; ``load_state_dict(..., assign=True)`` fills it."""
    with _Undrawn(), torch.device("meta"):
        return build()


class _Undrawn(TorchFunctionMode):
    """Leaves out drawing the initial weights, which on the meta device would load torch's compiler for nothing."""

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        if func.__name__ in vars(nn.init):
            return args[0] if args else (kwargs or {})["tensor"]
        return func(*args, **(kwargs or {}))
