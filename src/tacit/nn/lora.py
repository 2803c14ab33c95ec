"""Low-rank adaptation: train a small addition to each linear layer with the layer frozen."""

from __future__ import annotations

from typing import TypeVar

import torch
from torch import Tensor, nn

from tacit.errors import ConfigError

__all__ = ["LoRALinear", "add_lora", "original_parameters"]

M = TypeVar("M", bound=nn.Module)


class LoRALinear(nn.Linear):
    """Linear layer plus ``alpha / rank * (x @ a.T) @ b.T`` (Hu et al. 2021, arXiv 2106.09685).

    The addition is zero at first.

    Args:
        layer: The layer, whose parameters are frozen.
        rank: Rows of ``a``.
        alpha: Scale of the addition, which is multiplied by ``alpha / rank``.
    """

    def __init__(self, layer: nn.Linear, rank: int, alpha: float) -> None:
        nn.Module.__init__(self)
        self.in_features, self.out_features = layer.in_features, layer.out_features
        self.layer = layer.requires_grad_(False)
        self.scale = alpha / rank
        weight = layer.weight
        self.a = nn.Parameter(torch.empty(rank, layer.in_features, device=weight.device, dtype=weight.dtype))
        self.b = nn.Parameter(torch.zeros(layer.out_features, rank, device=weight.device, dtype=weight.dtype))
        nn.init.kaiming_uniform_(self.a, a=5**0.5)

    @property
    def weight(self) -> Tensor:  # type: ignore[override]
        """Return the weight including the addition, for code that computes the layer itself."""
        return torch.addmm(self.layer.weight, self.b, self.a, alpha=self.scale)

    @property
    def bias(self) -> Tensor | None:  # type: ignore[override]
        """Return the layer's bias."""
        return self.layer.bias

    def forward(self, x: Tensor) -> Tensor:
        """Map ``[..., inputs]`` to ``[..., outputs]``."""
        out: Tensor = self.layer(x)
        low = nn.functional.linear(nn.functional.linear(x, self.a), self.b)
        return out + self.scale * low


def add_lora(module: M, rank: int, alpha: float) -> M:
    """Add a low-rank addition to every linear layer, in place; freeze all other parameters.

    Args:
        module: The module; its outputs are unchanged until the additions are trained.
        rank: Rank of each addition.
        alpha: The additions are scaled by ``alpha / rank``.

    Returns:
        The module.

    Raises:
        ConfigError: if the rank is below 1, the module has no linear layer in it, or it has additions already.
    """
    if rank < 1:
        raise ConfigError(f"the rank of an addition is at least 1; got {rank}.")
    layers = _layers(module)
    if any(isinstance(layer, LoRALinear) for _, _, layer in layers):
        raise ConfigError("the module has additions of low rank already; add them to one without any.")
    if not layers:
        raise ConfigError(f"{type(module).__name__} has no linear layer inside it to add to.")
    module.requires_grad_(False)
    for parent, name, layer in layers:
        setattr(parent, name, LoRALinear(layer, rank, alpha))
    return module


def original_parameters(module: nn.Module) -> dict[str, nn.Parameter]:
    """Return the parameters of a module given to :func:`add_lora`, under their original names, without additions."""
    added = {path for path, part in module.named_modules() if isinstance(part, LoRALinear)}
    found: dict[str, nn.Parameter] = {}
    for path, part in module.named_modules():
        if path not in added:
            inside = path.rpartition(".")[0] in added
            found.update(part.named_parameters(path.removesuffix(".layer") if inside else path, recurse=False))
    return found


def _layers(module: nn.Module) -> list[tuple[nn.Module, str, nn.Linear]]:
    """Return the outermost linear layers, with the parent module and the name of each."""
    found = []
    for name, child in module.named_children():
        if isinstance(child, nn.Linear):
            found.append((module, name, child))
        else:
            found += _layers(child)
    return found
