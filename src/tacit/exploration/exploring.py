"""Agents that map the world they act in, and the exploration of an unknown one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import numpy.typing as npt
import torch

from tacit.agent import Agent, SubGoals, SubGoalSearch
from tacit.agent._sub_goal_search import Targets
from tacit.collection import Acting, collect
from tacit.data import Episodes
from tacit.errors import ConfigError
from tacit.exploration.explorer import Explorer
from tacit.exploration.mapping import encode_recorded
from tacit.memory import Graph
from tacit.planners import seeds_of
from tacit.types import Environment, Observation, Situation, Verdict

if TYPE_CHECKING:
    from tacit.models import Dynamics

__all__ = ["ExploringAgent", "explore"]


@dataclass(frozen=True, eq=False)
class _Running:
    """The state of an exploring agent: its maps, and the actor that heads for their goals."""

    explorers: Sequence[Explorer]
    actor: Any
    state: Any

    def targets(self, situation: Situation) -> Targets:
        """Return the next sub-goals; see :class:`tacit.agent.SubGoalSearch`."""
        goals = [None] * len(self.explorers) if situation.goal is None else list(situation.goal)
        rows = zip(self.explorers, situation.context.latents[:, -1], goals, strict=True)
        return Targets(torch.stack([one.target(latent, goal) for one, latent, goal in rows]))


class ExploringAgent:
    """An actor that maps each world of a batch while it acts, and heads for the frontier of the map.

    With goals, it takes the way through its map where there is one, and explores where there is none. It plans as the
    agent does. Its maps change while it acts, other than the state of an agent.

    Args:
        agent: An agent with sub-goals, whose distance, radii and horizon the maps take; see
            :func:`tacit.exploration.map_episodes`.
        maps: The maps of the worlds of a batch, to go on with; None: empty ones at every start.

    Raises:
        ConfigError: if the agent has no sub-goals from a graph.
    """

    def __init__(self, agent: Agent, maps: Sequence[Explorer] | None = None) -> None:
        self.agent, self.maps, self._like = agent, maps, sub_goals_of(agent)

    def explorer(self, seed: int, resume: bool = False) -> Explorer:
        """Return a new map of a world, empty or with the graph of the agent."""
        return Explorer(self.agent.model, self._like, horizon=self.agent.config.horizon, seed=seed, resume=resume)

    def start(self, *, seed: int | Sequence[int], batch: int = 1, goal: Observation | None = None) -> Any:
        """Return the state of ``batch`` new episodes; see :class:`tacit.types.Actor`.

        Raises:
            ConfigError: if there are maps of another number of worlds.
        """
        maps = [self.explorer(one) for one in seeds_of(seed, batch)] if self.maps is None else self.maps
        if len(maps) != batch:
            raise ConfigError(f"the agent has maps of {len(maps)} worlds; got a batch of {batch}.")
        for explorer in maps:
            explorer.restart()
        search = self.agent.decider
        assert isinstance(search, SubGoalSearch)
        running = _Running(maps, None, None)
        actor = self.agent.replaced(self.agent.model, SubGoalSearch(search.search, running))
        return replace(running, actor=actor, state=actor.start(seed=seed, batch=batch, goal=goal))

    def act(self, state: Any, observation: Observation) -> tuple[npt.NDArray[np.float32], Verdict, Any]:
        """Return actions ``[B, A]``, the verdict and the next state; see :class:`tacit.types.Actor`."""
        actions, verdict, following = state.actor.act(state.state, observation)
        return actions, verdict, replace(state, state=following)


def explore(
    agent: Agent,
    env: str | Environment | Callable[..., Environment],
    *,
    steps: int,
    seed: int,
    resume: bool = False,
    progress: bool | None = None,
) -> tuple[Agent, Episodes]:
    """Explore an unknown world, and return the agent with a map of it and the recorded episode.

    The agent heads for places that its world model imagines beyond the map, near ones and far from all that it saw
    first. The map is made of the recorded episode alone; nothing is trained.

    Args:
        agent: An agent with sub-goals, whose distance, radii and horizon the map takes.
        env: One world; see :func:`tacit.collect`.
        steps: Steps to act for.
        seed: Seed of the start and of the agent.
        resume: Add to the map of the agent, which is of this world; else begin with an empty one.
        progress: Show a progress bar; None: on a terminal and in a notebook.

    Raises:
        ConfigError: if the agent has no sub-goals from a graph, or an option is out of range.
    """
    like, exploring, model = sub_goals_of(agent), ExploringAgent(agent), agent.model
    if resume:
        exploring = ExploringAgent(agent, [exploring.explorer(seed, resume=True)])
    episodes = collect(env, Acting(exploring), episodes=1, steps=steps, seed=seed, num_envs=1, progress=progress)
    known = like.graph if resume else Graph(like.graph.radius, like.graph.longest, like.graph.hops, like.graph.model)
    with torch.no_grad():
        graph = known.extended(like.critic, encode_recorded(cast("Dynamics", model), episodes), model)
    return agent.replace(sub_goals=replace(like, graph=graph)), episodes


def sub_goals_of(agent: Agent) -> SubGoals:
    """Return the sub-goals of an agent.

    Raises:
        ConfigError: if it has none from a graph.
    """
    found = agent.config.sub_goals
    if not isinstance(found, SubGoals):
        raise ConfigError(
            "exploration takes the learned distance and the radii of the agent's sub-goals, and this agent has none. "
            "Train one with the recipe unknown_rooms, or use agent.replace(sub_goals=tc.exploration.map_episodes(...))."
        )
    return found
