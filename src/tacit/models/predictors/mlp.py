"""Residual perceptron as a predictor."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from tacit.models.predictors._predictor import PredictorConfig
from tacit.nn import mlp
from tacit.nn.kernels import Kernels
from tacit.nn.predictors import Predictor

__all__ = ["MLP"]


@dataclass(frozen=True)
class MLP(PredictorConfig):
    """Residual MLP: the next latent is the current one plus an MLP of latent and action.

    Args:
        width: Width of the hidden layers.
        depth: Hidden layers.
        final_norm: Layer-normalise the output, for an encoder that ends in a LayerNorm too.
    """

    sizes: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "small": {"width": 512, "depth": 3},
        "base": {"width": 192, "depth": 6},
    }
    width: int = 128
    depth: int = 2
    final_norm: bool = False

    def build(self, latent: int, action: int) -> MLPPredictor:
        """Return a new predictor; see :meth:`PredictorConfig.build`."""
        return MLPPredictor(self, latent, action)


class MLPPredictor(Predictor):
    """Network of :class:`MLP`."""

    def __init__(self, config: MLP, latent: int, action: int) -> None:
        super().__init__()
        self.net = mlp.MLP(latent + action, (config.width,) * config.depth, latent)
        self.norm = nn.LayerNorm(latent) if config.final_norm else nn.Identity()

    def step(self, latents: Tensor, actions: Tensor, kernels: Kernels) -> Tensor:
        """Compute the next latents; see :meth:`Predictor.step`."""
        out: Tensor = self.norm(latents + kernels.mlp(self.net, torch.cat([latents, actions], dim=-1)))
        return out
