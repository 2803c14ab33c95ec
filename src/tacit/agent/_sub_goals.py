"""Planning toward sub-goals on the recorded way to a goal."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from tacit.agent._memory import model_digest
from tacit.agent._owned import read_owned, write_owned
from tacit.agent._sub_goal_search import Targets
from tacit.costs import TemporalCritic
from tacit.errors import ConfigError, SpecError
from tacit.memory import Graph, Recorded, Route, Router
from tacit.types import Situation, WorldModel

__all__ = ["LENGTH", "UNREACHABLE", "SubGoals"]

LENGTH = "length of the way to the goal"
"""The evidence with the length of the way through the graph; infinite without one."""
UNREACHABLE = "nearest node to an unreachable goal"
"""The evidence with the node that a world heads for in place of its goal; NaN where there is a way."""
GRAPH, CRITIC = "graph.", "critic."
SETTINGS = {"ahead", "near", "error", "graph", "critic"}


@dataclass(frozen=True, eq=False)
class SubGoals:
    """Sub-goals for far goals: states on the shortest recorded way, each about one horizon ahead.

    Where a goal is further than ``near``, an agent plans toward the next sub-goal, which it chooses again in each
    decision; near the goal it plans toward the goal itself. Where no way leads to a goal, it heads for the nearest
    state that can be reached, and the evidence of its verdict names the node.

    Args:
        graph: Recorded states and transitions; see :func:`tacit.exploration.map_episodes`.
        critic: The learned distance that the graph was built with.
        ahead: The distance of a sub-goal.
        near: The distance at which the goal itself takes over; None: ``ahead``.
        error: The usual distance of latents that are imagined a horizon ahead from the true ones; 0: unknown.

    Raises:
        ConfigError: if the graph is empty or for latents of another size, or a distance is out of range.
    """

    graph: Graph
    critic: TemporalCritic
    ahead: float
    near: float | None = None
    error: float = 0.0
    router: Router = field(init=False, repr=False)

    def __post_init__(self) -> None:
        if len(self.graph) and self.graph.latents.shape[1] != self.critic.config.latent:
            raise ConfigError(
                f"the graph holds latents of size {self.graph.latents.shape[1]} and the critic compares those of size "
                f"{self.critic.config.latent}. They belong to different models."
            )
        if not 0 <= self.error < np.inf:
            raise ConfigError(f"the error of imagined latents is a distance of at least 0; got {self.error}.")
        near = self.ahead if self.near is None else self.near
        object.__setattr__(self, "router", Router(self.graph, self.critic, self.ahead, near))

    def __str__(self) -> str:
        return f"{self.graph}, sub-goals {self.ahead:.3g} ahead"

    def require_model(self, model: WorldModel) -> None:
        """Refuse a model that the latents of the graph are not from.

        Raises:
            ConfigError: if they are from another one.
        """
        if self.graph.model and self.graph.model != model_digest(model):
            raise ConfigError(
                "the graph of sub-goals belongs to another model, or to other weights of this one. Map the episodes "
                "again: tc.exploration.map_episodes(model, critic, episodes, horizon=...)."
            )

    def targets(self, situation: Situation) -> Targets:
        """Return the next sub-goals; see :class:`tacit.agent.SubGoalSearch`.

        Raises:
            SpecError: if there is no goal.
        """
        if not isinstance(situation.goal, Tensor):
            raise SpecError("planning with sub-goals needs a goal: start(goal=...).")
        route = self.route(situation.context.latents[:, -1], situation.goal)
        nearest = np.where(route.reachable, np.nan, route.nearest)
        return Targets(route.targets, {LENGTH: torch.from_numpy(route.lengths), UNREACHABLE: torch.from_numpy(nearest)})

    def route(self, start: Tensor, goal: Tensor) -> Route:
        """Return the next sub-goals between latents ``[B, D]``; see :class:`tacit.memory.Route`."""
        return self.router(start, goal)

    def extended(self, recorded: Recorded, model: WorldModel | None = None) -> SubGoals:
        """Return sub-goals with a graph that has further recorded states; see :meth:`tacit.memory.Graph.extended`."""
        return replace(self, graph=self.graph.extended(self.critic, recorded, model))

    def pack(self) -> tuple[dict[str, Any], dict[str, Tensor]]:
        """Return all as JSON values and tensors."""
        graph, arrays = self.graph.pack()
        critic, weights = write_owned(self.critic) or ({}, {})
        values = {"ahead": self.ahead, "near": self.near, "error": self.error, "graph": graph, "critic": critic}
        return values, {GRAPH + name: value for name, value in arrays.items()} | {
            CRITIC + name: value for name, value in weights.items()
        }

    @staticmethod
    def unpack(values: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> SubGoals:
        """Return the sub-goals of :meth:`pack`.

        Raises:
            ConfigError: if they are incomplete, or their parts do not fit together.
            CheckpointError: if the weights of the critic do not fit.
        """
        values = {"error": 0.0, **values}
        if set(values) != SETTINGS or not isinstance(values["graph"], Mapping):
            raise ConfigError(f"sub-goals hold {', '.join(sorted(SETTINGS))}; got {', '.join(map(str, values))}.")
        under = {
            prefix: {name.removeprefix(prefix): value for name, value in tensors.items() if name.startswith(prefix)}
            for prefix in (GRAPH, CRITIC)
        }
        critic = read_owned(values["critic"], under[CRITIC])
        if not isinstance(critic, TemporalCritic):
            raise ConfigError(f"the critic of sub-goals is a TemporalCritic; got {type(critic).__name__}.")
        graph = Graph.unpack(values["graph"], under[GRAPH])
        return SubGoals(graph, critic, values["ahead"], values["near"], values["error"])
