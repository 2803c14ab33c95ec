"""Linear layer on oneDNN for the CPU, where PyTorch's float32 default can be several times slower."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

import torch
from torch import Tensor, nn

__all__ = ["Linear", "available"]

# Number of multiplications below which calling the operator costs more than it saves.
_SMALL = 2**22


@cache
def available() -> bool:
    """Return True if this build of PyTorch has the oneDNN operators of the fast paths."""
    operators = ("mkldnn::_linear_pointwise", "mkldnn::_reorder_linear_weight")
    return bool(torch.backends.mkldnn.is_available()) and all(  # type: ignore[no-untyped-call]
        torch._C._jit_get_schemas_for_operator(operator) for operator in operators
    )


@contextmanager
def plain_layers() -> Iterator[None]:
    """Use PyTorch's own linear operator inside a block, the one that its counter of operations knows."""
    global _SMALL
    before, _SMALL = _SMALL, 2**62
    try:
        yield
    finally:
        _SMALL = before


@cache
def keep_freed_memory() -> None:
    """Keep glibc from returning freed memory to the system, which would cause page faults later.

    glibc returns free memory above twice the size of the largest freed block, counting blocks up to 32 MB. This
    function allocates and frees such a block.
    """
    torch.empty(31 * 2**18)


class Linear(nn.Linear):
    """``torch.nn.Linear`` on oneDNN, with the same parameters and, to rounding, the same results and gradients."""

    def forward(self, x: Tensor) -> Tensor:
        """Map ``[..., inputs]`` to ``[..., outputs]``."""
        if (
            x.numel() * self.out_features < _SMALL
            or x.ndim < 2
            or x.dtype != torch.float32
            or x.device.type != "cpu"
            or self.weight.dtype != torch.float32
            or torch.is_autocast_enabled("cpu")
            or torch.compiler.is_compiling()
            or torch.onnx.is_in_onnx_export()
            or not available()
        ):
            return super().forward(x)
        if not torch.is_grad_enabled():
            return _multiply(x, self.weight, self.bias)
        out: Tensor = _Linear.apply(x, self.weight, self.bias)  # type: ignore[no-untyped-call]
        return out


class _Linear(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        ctx.save_for_backward(x, weight)
        return _multiply(x, weight, bias)

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        x, weight = ctx.saved_tensors
        wants_x, wants_weight, wants_bias = ctx.needs_input_grad
        (change,) = gradients
        flat = change.flatten(0, -2)
        return (
            _multiply(change.contiguous(), weight.t(), None) if wants_x else None,
            _multiply(flat.t().contiguous(), x.flatten(0, -2).contiguous().t(), None) if wants_weight else None,
            flat.sum(0) if wants_bias else None,
        )


def _multiply(x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    # A non-contiguous weight makes oneDNN fall back on code that is a thousand times slower.
    out: Tensor = torch.ops.mkldnn._linear_pointwise(x, weight, bias, "none", [], "")
    return out
