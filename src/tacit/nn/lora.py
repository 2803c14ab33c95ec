"""Low-rank adaptation: train a small addition to each linear layer and leave the layer alone."""

from __future__ import annotations

from typing import TypeVar

import torch
from torch import Tensor, nn

from tacit.errors import ConfigError

__all__ = ["LoRALinear", "add_lora", "original_parameters"]

M = TypeVar("M", bound=nn.Module)


class LoRALinear(nn.Linear):
    """``layer(x) + alpha / rank * (x @ a.T) @ b.T`` (Hu et al. 2021, arXiv 2106.09685), the layer as it is at first.

    Args:
        layer: The layer, whose parameters become fixed.
        rank: Rows of ``a``.
        alpha: What the addition is scaled by, in ranks.
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
        """The weight with the addition in it: what those who compute the layer in their own way are to read."""
        return torch.addmm(self.layer.weight, self.b, self.a, alpha=self.scale)

    @property
    def bias(self) -> Tensor | None:  # type: ignore[override]
        """The layer's bias."""
        return self.layer.bias

    def forward(self, x: Tensor) -> Tensor:
        """``[..., inputs]`` to ``[..., outputs]``."""
        out: Tensor = self.layer(x)
        low = nn.functional.linear(nn.functional.linear(x, self.a), self.b)
        return out + self.scale * low


def add_lora(module: M, rank: int, alpha: float) -> M:
    """Put an addition of low rank beside every linear layer, in place; nothing else of the module stays trainable.

    Args:
        module: Its outputs stay what they are until the additions are trained.
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
    """The parameters of what :func:`add_lora` was given, by the names that they had before, without the additions."""
    added = {path for path, part in module.named_modules() if isinstance(part, LoRALinear)}
    found: dict[str, nn.Parameter] = {}
    for path, part in module.named_modules():
        if path not in added:
            inside = path.rpartition(".")[0] in added
            found.update(part.named_parameters(path.removesuffix(".layer") if inside else path, recurse=False))
    return found


def _layers(module: nn.Module) -> list[tuple[nn.Module, str, nn.Linear]]:
    """The linear layers with who holds them and under which name, the outermost only."""
    found = []
    for name, child in module.named_children():
        if isinstance(child, nn.Linear):
            found.append((module, name, child))
        else:
            found += _layers(child)
    return found
