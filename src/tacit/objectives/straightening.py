"""Latent paths that bend little."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional as F

from tacit.errors import SpecError
from tacit.objectives._objective import Term
from tacit.types import Forecast

__all__ = ["Straightening"]


class Straightening(Term):
    """One minus the mean cosine between successive changes ``v_t = z_{t+1} - z_t`` of the latent.

    The cosine is the straightness that LeWorldModel reports (arXiv 2603.19312, eq. 9): 0 here is a straight
    line, 2 is turning back at every step. Where nothing moves the cosine counts as 0.

    Args:
        name: What logs call it.
    """

    def __init__(self, name: str = "straightening") -> None:
        super().__init__(name)

    def loss(self, forecast: Forecast, _seed: int, /) -> Tensor:
        """Scalar in ``[0, 2]``.

        Raises:
            SpecError: if the clip has fewer than three observations.
        """
        if forecast.latents.shape[1] < 3:
            raise SpecError(
                f"term {self.name!r} needs clips of at least 3 observations; got {forecast.latents.shape[1]}."
            )
        change = forecast.latents.diff(dim=1)
        return 1.0 - F.cosine_similarity(change[:, :-1], change[:, 1:], dim=-1, eps=1e-8).mean()
