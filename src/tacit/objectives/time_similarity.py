"""Temporal similarity: latents that change slowly."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional as F

from tacit.objectives._objective import Term
from tacit.types import Forecast

__all__ = ["TimeSimilarity"]


class TimeSimilarity(Term):
    """Mean squared change of the latent between consecutive observations (PLDM, arXiv 2502.14819).

    Args:
        name: Name in logs.
    """

    def __init__(self, name: str = "time_similarity") -> None:
        super().__init__(name)

    def loss(self, forecast: Forecast, _seed: int, /) -> Tensor:
        """Return a scalar, in squared latent units."""
        return F.mse_loss(forecast.latents[:, 1:], forecast.latents[:, :-1])
