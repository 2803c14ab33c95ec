"""Modules without memory, to validate names and shapes before allocating. They are given their tensors then."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import torch
from torch import nn
from torch.overrides import TorchFunctionMode

from tacit.errors import CheckpointError, TacitError

__all__ = ["shell"]

CALLS, MORE = 16, 2000
"""Calls of torch to make one tensor, at the most, and beyond those; our models need about five."""

M = TypeVar("M", bound=nn.Module)


def shell(build: Callable[[], M], tensors: int, where: str) -> M:
    """Return the module of ``build`` on the meta device. Fill it with ``load_state_dict(..., assign=True)``.

    Args:
        build: Makes the module, from options that a file gave.
        tensors: How many tensors there are to fill it with; one that needs many more is not built to its end.
        where: The name of the file in errors.

    Raises:
        CheckpointError: if the options cannot be built, or make a module of many more tensors.
    """
    try:
        with _Undrawn(CALLS * tensors + MORE), torch.device("meta"):
            return build()
    except _TooLarge:
        raise CheckpointError(
            f"{where} describes a model of many more tensors than the {tensors} that are there. It is damaged, or "
            "belongs to other weights."
        ) from None
    except CheckpointError:
        raise
    except TacitError as error:
        raise CheckpointError(f"{where} describes a model that cannot be built: {error}") from error
    except Exception as error:  # sizes that overflow make torch and Python raise many kinds
        said = (str(error).splitlines() or [type(error).__name__])[0]
        raise CheckpointError(f"{where} describes a model that cannot be built ({said}). It is damaged.") from error


class _TooLarge(Exception):
    """Error of a module that takes more calls of torch than its tensors explain."""


class _Undrawn(TorchFunctionMode):
    """Mode that skips drawing the initial weights. On the meta device, drawing would load torch's compiler for nothing.

    Args:
        calls: Calls of torch after which it gives up.
    """

    def __init__(self, calls: int) -> None:
        super().__init__()
        self._left = calls

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        self._left -= 1
        if self._left < 0:
            raise _TooLarge
        if func.__name__ in vars(nn.init):
            return args[0] if args else (kwargs or {})["tensor"]
        return func(*args, **(kwargs or {}))
