"""Latents that change slowly."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional as F

from tacit.objectives._objective import Term
from tacit.types import Forecast

__all__ = ["TimeSimilarity"]


class TimeSimilarity(Term):
    """The mean squared change of the latent from one observation to the next (PLDM, arXiv 2502.14819).

    Args:
        name: What logs call it.
    """

    def __init__(self, name: str = "time_similarity") -> None:
        super().__init__(name)

    def loss(self, forecast: Forecast, _seed: int, /) -> Tensor:
        """Scalar, in squared latent units."""
        return F.mse_loss(forecast.latents[:, 1:], forecast.latents[:, :-1])
