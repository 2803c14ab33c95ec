"""Multilayer perceptron of projectors, heads and policies."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Literal, TypeAlias

from torch import Tensor, nn
from torch.nn import functional as F

from tacit.nn.linear import Linear

__all__ = ["ACTIVATIONS", "MLP", "Activation"]

Activation: TypeAlias = Literal["none", "gelu", "relu", "silu"]
ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "none": lambda x: x,
    "gelu": F.gelu,
    "relu": F.relu,
    "silu": F.silu,
}


class MLP(nn.Module):
    """Linear layers with an activation and an optional normalisation between them.

    Args:
        inputs: Size of the last axis of the input.
        hidden: Width of each hidden layer; none makes this one linear layer.
        outputs: Size of the last axis of the output.
        norm: Normalisation of each hidden layer before its activation.
        activation: Activation after each hidden layer.
    """

    def __init__(
        self,
        inputs: int,
        hidden: Sequence[int],
        outputs: int,
        norm: Literal["none", "batch", "layer"] = "none",
        activation: Activation = "gelu",
    ) -> None:
        super().__init__()
        widths = (inputs, *hidden, outputs)
        kinds: dict[str, Callable[[int], nn.Module]] = {"batch": nn.BatchNorm1d, "layer": nn.LayerNorm}
        self.activation: Activation = activation
        self.layers = nn.ModuleList(Linear(a, b) for a, b in pairwise(widths))
        self.norms = nn.ModuleList(kinds[norm](width) for width in hidden) if norm != "none" else nn.ModuleList()

    def forward(self, x: Tensor) -> Tensor:
        """Map ``[..., inputs]`` to ``[..., outputs]``; batch statistics run over all leading axes."""
        leading = x.shape[:-1]
        x = x.reshape(-1, x.shape[-1])
        for index, layer in enumerate(self.layers[:-1]):
            x = layer(x)
            if self.norms:
                x = self.norms[index](x)
            x = ACTIVATIONS[self.activation](x)
        out: Tensor = self.layers[-1](x)
        return out.reshape(*leading, out.shape[-1])

    @property
    def linears(self) -> list[nn.Linear]:
        """Return the linear layers, first to last."""
        return [layer for layer in self.layers if isinstance(layer, nn.Linear)]
