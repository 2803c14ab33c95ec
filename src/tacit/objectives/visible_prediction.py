"""Prediction error at visible places: the dense loss of V-JEPA 2.1."""

from __future__ import annotations

import torch
from torch import Tensor

from tacit.errors import ConfigError
from tacit.objectives._objective import Term
from tacit.types import ForecastRequest, MaskedForecast

__all__ = ["VisiblePrediction"]


class VisiblePrediction(Term):
    """L1 at visible tokens, weighted by ``1 / sqrt(d)``, ``d`` the distance to the nearest hidden one.

    V-JEPA 2.1 (arXiv 2603.14482) adds it with weight 0.5, for features that are good at every place. Alone it degrades
    the tokens' joint representation: the paper warms its weight up and predicts several depths of the encoder.

    Args:
        warmup: Share of the training over which the weight rises linearly from 0.
        name: Name in logs.

    Raises:
        ConfigError: if ``warmup`` is not between 0 and 1.
    """

    reads = (MaskedForecast,)

    def __init__(self, warmup: float = 0.0, name: str = "visible_prediction") -> None:
        super().__init__(name)
        if not 0.0 <= warmup <= 1.0:
            raise ConfigError(f"warmup is a share of the training, between 0 and 1; got {warmup}.")
        self.warmup = warmup

    def requires(self) -> ForecastRequest:
        """Return the request for predictions of the visible tokens."""
        return ForecastRequest(visible=True)

    def loss(self, completion: MaskedForecast, _seed: int, /) -> Tensor:
        """Return a scalar, in units of the targets."""
        parts = zip(completion.visible, completion.visible_targets, completion.distances, strict=True)
        errors = [((predicted - there).abs().mean(-1) / far.sqrt()).mean() for predicted, there, far in parts]
        return torch.stack(errors).mean()
