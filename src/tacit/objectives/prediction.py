"""Prediction error in latent space, one or several steps ahead."""

from __future__ import annotations

from typing import Literal, TypeAlias, get_args

import torch
from torch import Tensor
from torch.nn import functional as F

from tacit.errors import ConfigError, SpecError
from tacit.objectives._objective import Term
from tacit.types import Forecast, ForecastRequest
from tacit.types.outcomes import Starts

__all__ = ["Prediction"]

Distance: TypeAlias = Literal["mse", "smooth_l1", "l1"]
DISTANCES = {"mse": F.mse_loss, "smooth_l1": F.smooth_l1_loss, "l1": F.l1_loss}


class Prediction(Term):
    """Distance between predicted and encoded latents, averaged over 1 to ``steps`` steps ahead.

    One step is teacher forcing; each further step feeds the model its own prediction. The distance is a mean over
    batch, time and channels, and the steps weigh equally for any number of predictions. Gradients flow into the
    targets as in LeWorldModel (arXiv 2603.19312), unless ``stop_gradient``; the target of an EMA encoder has none.

    Args:
        steps: Largest number of steps ahead.
        starts: Predict from ``every`` observation, or from the ``first`` alone as PLDM does (arXiv 2502.14819);
            ``mixed``: one step from every one, further steps from the first alone.
        distance: ``mse``, ``smooth_l1`` (I-JEPA) or ``l1`` (V-JEPA 2).
        stop_gradient: Keep gradients out of the targets.
        name: Name in logs.
    """

    def __init__(
        self,
        steps: int = 1,
        starts: Starts = "every",
        distance: Distance = "mse",
        stop_gradient: bool = False,
        name: str = "prediction",
    ) -> None:
        super().__init__(name)
        if steps < 1:
            raise ConfigError(f"term {name!r} needs steps >= 1; got {steps}.")
        if starts not in get_args(Starts):
            raise ConfigError(f"term {name!r} needs starts to be 'every', 'first' or 'mixed'; got {starts!r}.")
        if distance not in get_args(Distance):
            raise ConfigError(f"distance is one of {', '.join(get_args(Distance))}; got {distance!r}.")
        self.steps, self.starts = steps, starts
        self.distance, self.stop_gradient = distance, stop_gradient

    def requires(self) -> ForecastRequest:
        """Return the number of steps to predict, and the observations to start from."""
        return ForecastRequest(steps=self.steps, starts=self.starts)

    def loss(self, forecast: Forecast, _seed: int, /) -> Tensor:
        """Return the scalar distance, in squared (or plain) latent units."""
        if len(forecast.predictions) < self.steps:
            raise SpecError(
                f"term {self.name!r} needs predictions {self.steps} steps ahead; "
                f"the forecast has {len(forecast.predictions)}. Ask the model for ForecastRequest(steps={self.steps})."
            )
        targets = forecast.targets.detach() if self.stop_gradient else forecast.targets
        distance = DISTANCES[self.distance]
        errors = [
            distance(predicted, targets[:, ahead : ahead + predicted.shape[1]])
            for ahead, predicted in enumerate(forecast.predictions[: self.steps], start=1)
        ]
        return torch.stack(errors).mean()
