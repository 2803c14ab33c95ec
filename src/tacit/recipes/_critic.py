"""Critics of a recipe, which costs of its agent use."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

import torch

from tacit._config import to_json
from tacit.costs import ReturnCritic, ReturnCriticConfig, TemporalCritic, TemporalCriticConfig
from tacit.data import Clips
from tacit.errors import ConfigError
from tacit.models import Dynamics
from tacit.training import CriticTraining, train_critic
from tacit.training.config import ReturnTraining

__all__ = ["DISTANCE", "RETURN", "Critics", "RecipeCritic", "RecipeReturns"]

DISTANCE, RETURN = "temporal_distance", "expected_return"
"""The costs that use a critic."""
Critics: TypeAlias = Mapping[str, TemporalCritic | ReturnCritic]
"""Critics by the cost that uses them."""


@dataclass(frozen=True)
class RecipeCritic:
    """A critic of the latents of a model, trained after it; see :func:`tacit.training.train_critic`.

    Args:
        method: Method by which it learns; see :class:`tacit.costs.TemporalCriticConfig`.
        steps: Updates.
        training: Options of its training.

    Raises:
        ConfigError: if there are no updates.
    """

    method: Literal["expectile", "pair", "quasimetric"] = "expectile"
    steps: int = 3_000
    training: CriticTraining = field(default_factory=CriticTraining)

    def __post_init__(self) -> None:
        if self.steps < 1:
            raise ConfigError(f"a critic is trained for at least 1 step; got {self.steps}.")

    def build(self, model: Dynamics, seed: int) -> TemporalCritic:
        """Return a new critic. Its weights are drawn from ``seed``."""
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            return TemporalCritic(TemporalCriticConfig(model.config.latent, self.method)).to(model.device)

    def stand_in(self, model: Dynamics) -> TemporalCritic:
        """Return an untrained critic that counts as calibrated, to check an agent with."""
        critic = self.build(model, 0)
        for values in (critic.distances, critic.squares):
            values.fill_(1.0)
        return critic.eval()

    def train(self, model: Dynamics, clips: Clips, seed: int) -> TemporalCritic:
        """Return a critic that is trained on the frozen latents of a model."""
        critic = self.build(model, seed)
        train_critic(model, critic, clips, steps=self.steps, seed=seed, **to_json(self.training))
        return critic


@dataclass(frozen=True)
class RecipeReturns:
    """A critic of returns of a model, trained after it; see :func:`tacit.training.train_critic`.

    Args:
        discount: Weight of a reward one block later.
        steps: Updates.
        training: Options of its training.

    Raises:
        ConfigError: if there are no updates, or the discount is not between 0 and 1.
    """

    discount: float = 0.95
    steps: int = 3_000
    training: ReturnTraining = field(default_factory=ReturnTraining)

    def __post_init__(self) -> None:
        if self.steps < 1 or not 0 <= self.discount < 1:
            raise ConfigError(
                f"a critic of returns is trained for at least 1 step, and 0 <= discount < 1; got {self.steps} and "
                f"{self.discount}."
            )

    def stand_in(self, model: Dynamics) -> ReturnCritic:
        """Return an untrained critic, to check an agent with."""
        block = model.frameskip * model.config.spec.action.size
        return ReturnCritic(ReturnCriticConfig(model.config.latent, block, self.discount)).to(model.device).eval()

    def train(self, model: Dynamics, clips: Clips, seed: int) -> ReturnCritic:
        """Return a critic that is trained on the frozen latents of a model."""
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            critic = self.stand_in(model)
        train_critic(model, critic, clips, steps=self.steps, seed=seed, **to_json(self.training))
        return critic
