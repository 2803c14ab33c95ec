"""Straightening of latent paths."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional as F

from tacit.errors import SpecError
from tacit.objectives._objective import Term
from tacit.types import Forecast

__all__ = ["Straightening"]


class Straightening(Term):
    """Mean of 1 - cosine between successive changes ``v_t = z_{t+1} - z_t`` of the latent.

    The cosine is the straightness that LeWorldModel reports (arXiv 2603.19312, eq. 9): a loss of 0 is a straight line,
    2 is a reversal at every step. The cosine of a zero change counts as 0.

    Args:
        name: Name in logs.
    """

    def __init__(self, name: str = "straightening") -> None:
        super().__init__(name)

    def loss(self, forecast: Forecast, _seed: int, /) -> Tensor:
        """Return a scalar in ``[0, 2]``.

        Raises:
            SpecError: if the clip has fewer than three observations.
        """
        if forecast.latents.shape[1] < 3:
            raise SpecError(
                f"term {self.name!r} needs clips of at least 3 observations; got {forecast.latents.shape[1]}."
            )
        change = forecast.latents.diff(dim=1)
        return 1.0 - F.cosine_similarity(change[:, :-1], change[:, 1:], dim=-1, eps=1e-8).mean()
