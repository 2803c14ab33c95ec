"""Inverse dynamics: prediction of the action from the latents before and after it."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional as F

from tacit.errors import ConfigError
from tacit.nn.mlp import MLP
from tacit.objectives._objective import Term
from tacit.types import Forecast

__all__ = ["InverseDynamics"]


class InverseDynamics(Term):
    """Mean squared error of an action block read from adjacent latents (PLDM, arXiv 2502.14819).

    The head is a perceptron on the concatenated two latents and belongs to the term; actions are in the model's
    normalised units, so predicting the mean action has an error of 1.

    Args:
        hidden: Width of each hidden layer of the head; none makes it linear.
        name: Name in logs.
    """

    prevents_collapse = True

    def __init__(self, hidden: Sequence[int] = (256,), name: str = "inverse_dynamics") -> None:
        super().__init__(name)
        self.hidden = tuple(hidden)
        self.head: MLP | None = None

    def build(self, latent_size: int, action_size: int) -> None:
        """Build the head, unless it was built before."""
        if self.head is None:
            self.head = MLP(2 * latent_size, self.hidden, action_size)

    def loss(self, forecast: Forecast, _seed: int, /) -> Tensor:
        """Return a scalar, in squared normalised action units.

        Raises:
            ConfigError: if the head was not built.
        """
        if self.head is None:
            raise ConfigError(
                f"term {self.name!r} owns a head that is not built yet; call objective.prepare(latent_size, "
                "action_size) before the first loss."
            )
        pairs = torch.cat([forecast.latents[:, :-1], forecast.latents[:, 1:]], dim=-1)
        return F.mse_loss(self.head(pairs), forecast.actions)
