"""Prediction error of a short rollout from the first observation."""

from __future__ import annotations

from typing import get_args

import torch
from torch import Tensor

from tacit.errors import ConfigError, SpecError
from tacit.objectives._objective import Term
from tacit.objectives.prediction import DISTANCES, Distance
from tacit.types import Forecast, ForecastRequest

__all__ = ["Rollout"]


class Rollout(Term):
    """Distance between encoded latents and a rollout of ``steps`` steps from the first one.

    V-JEPA 2-AC (arXiv 2506.09985) adds it to teacher forcing, with two steps and L1: the second one is predicted from
    the first latent and the first prediction.

    Args:
        steps: Length of the rollout.
        distance: ``l1``, ``smooth_l1`` or ``mse``.
        name: Name in logs.
    """

    def __init__(self, steps: int = 2, distance: Distance = "l1", name: str = "rollout") -> None:
        super().__init__(name)
        if steps < 1:
            raise ConfigError(f"term {name!r} needs steps >= 1; got {steps}.")
        if distance not in get_args(Distance):
            raise ConfigError(f"distance is one of {', '.join(get_args(Distance))}; got {distance!r}.")
        self.steps, self.distance = steps, distance

    def requires(self) -> ForecastRequest:
        """Return the number of steps to predict; every choice of ``starts`` includes the first observation."""
        return ForecastRequest(steps=self.steps)

    def loss(self, forecast: Forecast, _seed: int, /) -> Tensor:
        """Return a scalar, in units of the latents (or their squares)."""
        if len(forecast.predictions) < self.steps:
            raise SpecError(
                f"term {self.name!r} needs predictions {self.steps} steps ahead; the forecast has "
                f"{len(forecast.predictions)}. Ask the model for ForecastRequest(steps={self.steps})."
            )
        predicted = torch.cat([ahead[:, :1] for ahead in forecast.predictions[: self.steps]], dim=1)
        return DISTANCES[self.distance](predicted, forecast.targets[:, 1 : self.steps + 1])
