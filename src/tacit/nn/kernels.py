"""Kernels of linear layers: PyTorch's own, or weights packed for this CPU, in float32 or bfloat16.

Rollouts call their layers through one of these, so that the fast and the plain path are the same code. Packed weights
are a copy: :func:`kernels_for` rebuilds it when a parameter has changed.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, Protocol
from weakref import WeakKeyDictionary

import torch
from torch import Tensor, nn
from torch.optim.optimizer import register_optimizer_step_post_hook

from tacit.nn import linear
from tacit.nn._choice import kernel_choice
from tacit.nn.mlp import ACTIVATIONS, MLP, Activation

__all__ = ["PLAIN", "Kernels", "Packed", "kernels_for"]


class Kernels(Protocol):
    """Interface of layer computations."""

    def linear(self, layer: nn.Linear, x: Tensor, activation: Activation = "none") -> Tensor:
        """Compute ``activation(layer(x))`` for ``x [..., inputs]``."""

    def mlp(self, block: MLP, x: Tensor) -> Tensor:
        """Compute ``block(x)``."""


class _Plain:
    """PyTorch's own kernels: differentiable, any device, any dtype."""

    def linear(self, layer: nn.Linear, x: Tensor, activation: Activation = "none") -> Tensor:
        return ACTIVATIONS[activation](layer(x))

    def mlp(self, block: MLP, x: Tensor) -> Tensor:
        out: Tensor = block(x)
        return out


PLAIN: Kernels = _Plain()


class Packed:
    """Inference kernels on the CPU: oneDNN's blocked weights, activations fused, BatchNorm folded.

    Args:
        modules: Modules with the linear layers to compute, with BatchNorm in evaluation mode.
        dtype: The type of the products; inputs and outputs are float32.
    """

    def __init__(self, *modules: nn.Module, dtype: torch.dtype = torch.float32) -> None:
        self._dtype = dtype
        self._packed: dict[int, tuple[Tensor, Tensor | None]] = {}
        for block in (block for module in modules for block in module.modules()):
            if isinstance(block, MLP):
                for index, layer in enumerate(block.linears):
                    norm = block.norms[index] if index < len(block.norms) else None
                    weight, bias = _folded(layer, norm if isinstance(norm, nn.BatchNorm1d) else None)
                    self._packed[id(layer)] = _pack(weight, bias, dtype)
            elif isinstance(block, nn.Linear) and id(block) not in self._packed:
                weight, bias = _folded(block, None)
                self._packed[id(block)] = _pack(weight, bias, dtype)

    def linear(self, layer: nn.Linear, x: Tensor, activation: Activation = "none") -> Tensor:
        """Compute ``activation(layer(x))``, with the normalisation of :class:`MLP` folded in."""
        weight, bias = self._packed[id(layer)]
        name, algorithm = _FUSED[activation]
        out: Tensor = torch.ops.mkldnn._linear_pointwise(x.to(self._dtype), weight, bias, name, [], algorithm)
        return out.float()

    def mlp(self, block: MLP, x: Tensor) -> Tensor:
        """Compute ``block(x)``."""
        folded = not any(isinstance(norm, nn.LayerNorm) for norm in block.norms)
        for index, layer in enumerate(block.linears):
            last = index == len(block.layers) - 1
            x = self.linear(layer, x, block.activation if folded and not last else "none")
            if not folded and not last:
                x = ACTIVATIONS[block.activation](block.norms[index](x))
        return x


_FUSED: dict[Activation, tuple[str, str]] = {
    "none": ("none", ""),
    "gelu": ("gelu", "none"),
    "relu": ("relu", ""),
    "silu": ("swish", ""),
}


class _OptimizerSteps:
    """Counter of the steps of every optimizer.

    Fused optimizers write to parameters without a change of their version.
    """

    def __init__(self) -> None:
        self.count = 0
        self.registered = False

    def register(self) -> None:
        """Count from now on."""
        if not self.registered:
            register_optimizer_step_post_hook(self._add)
            self.registered = True

    def _add(self, *_: Any) -> None:
        self.count += 1


_steps = _OptimizerSteps()
_packed: WeakKeyDictionary[nn.Module, dict[torch.dtype, tuple[tuple[int, ...], Packed]]] = WeakKeyDictionary()
_low_precision: ContextVar[bool] = ContextVar("low_precision", default=False)


@contextmanager
def low_precision() -> Iterator[None]:
    """Let :func:`kernels_for` use bfloat16 inside a block, where this CPU multiplies it faster than float32."""
    token = _low_precision.set(True)
    try:
        yield
    finally:
        _low_precision.reset(token)


def allow_packing() -> None:
    """Let :func:`kernels_for` pack weights, with a hook on all optimizers of the process."""
    _steps.register()


def kernels_for(*modules: nn.Module) -> Kernels:
    """Return the fastest kernels for the modules now, :data:`PLAIN` where packing does not apply or is not faster.

    Packing applies after :func:`tacit.tune_cpu`, without gradients, on the CPU, in float32, in evaluation mode, outside
    autocast. The packed copy is kept until a parameter or buffer is written to, or an optimizer makes a step.
    """
    tensors = [tensor for module in modules for tensor in (*module.parameters(), *module.buffers())]
    if (
        not _steps.registered
        or torch.is_grad_enabled()
        or any(module.training for module in modules)
        or torch.is_autocast_enabled("cpu")
        or any(t.device.type != "cpu" or (t.is_floating_point() and t.dtype != torch.float32) for t in tensors)
        or not linear.available()
    ):
        return PLAIN
    choice = kernel_choice()
    dtype = torch.bfloat16 if choice.low_precision and _low_precision.get() else torch.float32
    if dtype == torch.float32 and not choice.packed:
        return PLAIN
    if any(t.is_inference() for t in tensors):
        return Packed(*modules, dtype=dtype)
    stamp = (_steps.count, *(part for t in tensors for part in (t.data_ptr(), t._version)))
    copies = _packed.setdefault(modules[0], {})
    if dtype not in copies or copies[dtype][0] != stamp:
        with torch.no_grad():
            copies[dtype] = stamp, Packed(*modules, dtype=dtype)
    return copies[dtype][1]


def _pack(weight: Tensor, bias: Tensor | None, dtype: torch.dtype) -> tuple[Tensor, Tensor | None]:
    packed: Tensor = torch.ops.mkldnn._reorder_linear_weight(weight.to(dtype).contiguous())
    return packed, None if bias is None else bias.to(dtype)


def _folded(layer: nn.Linear, norm: nn.BatchNorm1d | None) -> tuple[Tensor, Tensor | None]:
    """Return weight and bias of ``norm(layer(x))`` with the running statistics."""
    weight, bias = layer.weight.detach(), None if layer.bias is None else layer.bias.detach()
    if norm is None or norm.running_mean is None or norm.running_var is None:
        return weight, bias
    scale = norm.weight.detach() * torch.rsqrt(norm.running_var + norm.eps)
    bias = torch.zeros_like(scale) if bias is None else bias
    return weight * scale[:, None], (bias - norm.running_mean) * scale + norm.bias.detach()
