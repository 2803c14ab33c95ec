"""Grids of rooms: far goals, reached by way of sub-goals."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from tacit.agent import Agent
from tacit.costs import CostTerm, TemporalDistance
from tacit.data import Episodes
from tacit.errors import ConfigError
from tacit.exploration import map_episodes
from tacit.models import Dynamics
from tacit.recipes._critic import RecipeCritic
from tacit.recipes._recipe import Acting, AgentRecipe, Part
from tacit.recipes.two_rooms import TwoRooms
from tacit.training import TrainingConfig

__all__ = ["Rooms"]


@dataclass(frozen=True)
class Rooms(AgentRecipe):
    """The world model of ``two_rooms``, a learned temporal distance, and a graph of the recorded states.

    A search looks five blocks of four steps ahead, by the distance to a state on the shortest recorded way to the goal.

    Args:
        mapped: Recorded episodes in the graph; None: all of them.
    """

    model: Mapping[str, Any] = field(default_factory=lambda: {"latent": 32, "frameskip": 4})
    objective: tuple[Part, ...] = TwoRooms.objective
    clip: int = TwoRooms.clip
    steps: int = 3_000
    training: TrainingConfig = field(default_factory=lambda: TrainingConfig(lr=2e-3, weight_decay=1e-4, threads=1))
    policy_steps: int = 0
    mapped: int | None = None
    critic: RecipeCritic = field(default_factory=lambda: RecipeCritic(steps=4_000))
    acting: Acting = field(
        default_factory=lambda: Acting(
            planner=Part("icem", {"samples": 64, "iterations": 3, "elites": 8, "std": 0.7, "beta": 2.0}),
            cost=(Part("temporal_distance", {"near": 2}),),
            horizon=5,
            repeat_action=True,
        )
    )

    def check(self, model: Any) -> None:
        """Refuse options that do not fit; see :meth:`AgentRecipe.check`.

        Raises:
            ConfigError: if the temporal distance is not among the costs, or no episode is to be mapped.
        """
        super().check(model)
        if self.mapped is not None and self.mapped < 1:
            raise ConfigError(f"the recipe rooms maps at least 1 episode; got mapped={self.mapped}.")
        if "temporal_distance" not in {part.name for part in self.acting.cost}:
            raise ConfigError("the recipe rooms maps its episodes by temporal_distance, which must be among its costs.")

    def train_agent(self, model: Dynamics, episodes: Episodes, *, seed: int) -> Agent:
        """Train the critic, build the agent and map the episodes; see :meth:`AgentRecipe.train_agent`."""
        agent = super().train_agent(model, episodes, seed=seed)
        terms = agent.config.cost.terms() if isinstance(agent.config.cost, CostTerm) else ()
        critic = next(term.cost.critic for term in terms if isinstance(term.cost, TemporalDistance))
        known = episodes if self.mapped is None else episodes[: self.mapped]
        return agent.replace(sub_goals=map_episodes(model, critic, known, horizon=self.acting.horizon))
