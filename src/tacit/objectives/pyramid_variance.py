"""Variance and covariance regularisation of every level of a pyramid."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from tacit.errors import ConfigError
from tacit.objectives._motion import require
from tacit.objectives._objective import Term
from tacit.objectives.vicreg import Covariance, Variance
from tacit.types import FlowForecast, ForecastRequest, ViewEmbeddings

__all__ = ["PyramidVariance"]


class PyramidVariance(Term):
    """Sum over levels of ``m_l`` :class:`Variance` and ``n_l`` covariance of the latents of places.

    The samples of a statistic are all places of both images of all pairs. The covariance is the sum of its squared
    entries off the diagonal divided by the channels ``d``, as VICReg's paper writes it: ``d - 1`` times
    :class:`Covariance`. MC-JEPA (arXiv 2307.12698) regularises every level; the weights here are those of third-party
    code, whose own default leaves the term out, from the finest of six levels, with cells of 2 px, to the coarsest.

    Args:
        variance: A weight for each level, from the finest on; weights of levels that a pyramid lacks are not used.
        covariance: The same.
        name: Name in logs.
    """

    reads = (FlowForecast,)
    prevents_collapse = True

    def __init__(
        self,
        variance: Sequence[float] = (0.01, 0.01, 0.01, 0.01, 0.001, 0.0001),
        covariance: Sequence[float] = (0.04, 0.04, 0.001, 0.0, 0.0, 0.0),
        name: str = "pyramid_variance",
    ) -> None:
        super().__init__(name)
        if len(variance) != len(covariance) or min(*variance, *covariance) < 0:
            raise ConfigError(f"each level has two weights of 0 or more; got {variance} and {covariance}.")
        self.variance, self.covariance = tuple(variance), tuple(covariance)
        self._variance, self._covariance = Variance("pooled"), Covariance("pooled")

    def requires(self) -> ForecastRequest:
        """Return the request for the levels, which come with a flow."""
        return ForecastRequest(directions=1)

    def loss(self, motion: FlowForecast, seed: int, /) -> Tensor:
        """Return a scalar of at least 0.

        Raises:
            ConfigError: if there are more levels than weights.
        """
        require(motion, 1, self.name)
        if len(motion.features) > len(self.variance):
            raise ConfigError(
                f"term {self.name!r} has weights for {len(self.variance)} levels; the pyramid has "
                f"{len(motion.features)}. Give it as many, from the finest to the coarsest."
            )
        total = []
        finest_first = reversed(motion.features)
        for features, variance, covariance in zip(finest_first, self.variance, self.covariance, strict=False):
            places = ViewEmbeddings(features.movedim(2, -1).flatten(1, 3), num_global=1)
            if variance:
                total.append(variance * self._variance.loss(places, seed))
            if covariance:
                total.append(covariance * (places.latents.shape[-1] - 1) * self._covariance.loss(places, seed))
        return torch.stack(total).sum() if total else motion.flow.new_zeros(())
