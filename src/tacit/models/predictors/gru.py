"""Gated recurrent unit as a predictor."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from tacit.models.predictors._predictor import PredictorConfig
from tacit.nn.kernels import Kernels
from tacit.nn.linear import Linear
from tacit.nn.predictors import Predictor

__all__ = ["GRU"]


@dataclass(frozen=True)
class GRU(PredictorConfig):
    """Gated recurrent unit whose hidden state is the latent and whose input is the action latent.

    The predictor of eb_jepa's action-conditioned example; Cho et al. 2014 (arXiv 1406.1078) for the cell. Its size is
    that of the latent.

    Args:
        final_norm: Layer-normalise the output, for an encoder that ends in a LayerNorm too.
    """

    final_norm: bool = False

    def build(self, latent: int, action: int) -> GRUPredictor:
        """Return a new predictor; see :meth:`PredictorConfig.build`."""
        return GRUPredictor(self, latent, action)


class GRUPredictor(Predictor):
    """Network of :class:`GRU`."""

    def __init__(self, config: GRU, latent: int, action: int) -> None:
        super().__init__()
        self.from_action = Linear(action, 3 * latent)
        self.from_latent = Linear(latent, 3 * latent)
        for layer in (self.from_action, self.from_latent):
            nn.init.uniform_(layer.weight, -(latent**-0.5), latent**-0.5)
            nn.init.uniform_(layer.bias, -(latent**-0.5), latent**-0.5)
        self.norm = nn.LayerNorm(latent) if config.final_norm else nn.Identity()

    def step(self, latents: Tensor, actions: Tensor, kernels: Kernels) -> Tensor:
        """Compute the next latents; see :meth:`Predictor.step`."""
        reset, update, new = kernels.linear(self.from_action, actions).chunk(3, dim=-1)
        kept_reset, kept_update, kept_new = kernels.linear(self.from_latent, latents).chunk(3, dim=-1)
        new = torch.tanh(new + torch.sigmoid(reset + kept_reset) * kept_new)
        out: Tensor = self.norm(torch.lerp(new, latents, torch.sigmoid(update + kept_update)))
        return out
