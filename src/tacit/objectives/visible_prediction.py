"""Prediction error at the places that a mask leaves: the dense loss of V-JEPA 2.1."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from tacit.errors import ConfigError
from tacit.objectives._objective import Term
from tacit.types import Completion

__all__ = ["VisiblePrediction"]


class VisiblePrediction(Term):
    """L1 at visible tokens, each weighted by ``1 / sqrt(d)``, ``d`` its distance to the nearest hidden token.

    V-JEPA 2.1 (arXiv 2603.14482) adds it with weight 0.5, for features that are good at every place. Alone it
    spoils what the tokens say together: the paper warms its weight up and predicts several depths of the encoder.

    Args:
        warmup: Share of the training over which the weight rises in a straight line from 0.
        name: What logs call it.

    Raises:
        ConfigError: if ``warmup`` is not between 0 and 1.
    """

    reads = (Completion,)

    def __init__(self, warmup: float = 0.0, name: str = "visible_prediction") -> None:
        super().__init__(name)
        if not 0.0 <= warmup <= 1.0:
            raise ConfigError(f"warmup is a share of the training, between 0 and 1; got {warmup}.")
        self.warmup = warmup

    def asks(self) -> Mapping[str, Any]:
        """The visible tokens are to be predicted too."""
        return {"visible": True}

    def loss(self, completion: Completion, _seed: int, /) -> Tensor:
        """Scalar, in units of the targets."""
        parts = zip(completion.visible, completion.visible_targets, completion.distances, strict=True)
        errors = [((predicted - there).abs().mean(-1) / far.sqrt()).mean() for predicted, there, far in parts]
        return torch.stack(errors).mean()
