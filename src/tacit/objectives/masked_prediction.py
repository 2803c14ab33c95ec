"""Prediction error at masked places."""

from __future__ import annotations

from typing import get_args

import torch
from torch import Tensor

from tacit.errors import ConfigError
from tacit.objectives._objective import Term
from tacit.objectives.prediction import DISTANCES, Distance
from tacit.types import MaskedForecast

__all__ = ["MaskedPrediction"]


class MaskedPrediction(Term):
    """Mean distance between predictions and targets of hidden tokens; target blocks weigh equally.

    ``smooth_l1`` is I-JEPA's (arXiv 2301.08243, as released; the paper writes L2), ``l1`` that of V-JEPA
    (arXiv 2404.08471) and V-JEPA 2 (arXiv 2506.09985), ``mse`` that of MAE (arXiv 2111.06377) on pixels.

    Args:
        distance: ``smooth_l1``, ``l1`` or ``mse``.
        name: Name in logs.
    """

    reads = (MaskedForecast,)

    def __init__(self, distance: Distance = "smooth_l1", name: str = "masked_prediction") -> None:
        super().__init__(name)
        if distance not in get_args(Distance):
            raise ConfigError(f"distance is one of {', '.join(get_args(Distance))}; got {distance!r}.")
        self.distance = distance

    def loss(self, completion: MaskedForecast, _seed: int, /) -> Tensor:
        """Return a scalar, in units of the targets (or their squares)."""
        distance = DISTANCES[self.distance]
        pairs = zip(completion.predictions, completion.targets, strict=True)
        return torch.stack([distance(predicted, target) for predicted, target in pairs]).mean()
