"""Oracles: a planner with the true dynamics, and the expert of an environment.

Both are :class:`tacit.evaluation.Privileged`: they receive states.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from tacit._check import require_expert, require_simulation
from tacit.agent import Agent, possible_fallback
from tacit.costs import CostTerm, Goal
from tacit.costs._horizon import considered, over_horizon
from tacit.errors import ConfigError
from tacit.evaluation.trace import Privileged
from tacit.types import (
    Context,
    GoalEnvironment,
    Observation,
    Planner,
    Rollout,
    State,
    Verdict,
)

__all__ = ["ExpertActor", "TrueDynamicsActor"]

OF_LATENTS = ("guard", "memory", "sub_goals", "carrier")
"""The options of an agent that read latents of its model."""
ROWS = 4096
"""Plans simulated together: few enough that numpy's temporaries stay in the cache."""


class ExpertActor(Privileged):
    """The environment's own expert: the score that the task allows with full knowledge.

    Raises:
        ConfigError: if the environment has no expert.
    """

    def __init__(self, env: GoalEnvironment) -> None:
        self._env = require_expert(env, "ExpertActor")

    def start(self, *, seed: int, batch: int = 1, goal: State | None = None) -> State:  # noqa: ARG002
        """Return the goal states ``[B, ...]``; the expert has no randomness."""
        if goal is None or {len(values) for values in goal.values()} != {batch}:
            raise ConfigError(f"the expert pursues goal states; give start(goal=...) {batch} of them.")
        return goal

    def act(self, state: State, observation: State) -> tuple[npt.NDArray[np.float32], Verdict, State]:
        """Return the expert's actions ``[B, A]`` in the states ``observation``."""
        action = self._env.expert(observation, state)
        return action, Verdict.acting(len(action)), state


class TrueDynamicsActor(Agent, Privileged):
    """Oracle with the true dynamics as its model and the true distance as its cost.

    Everything else is :class:`tacit.Agent`: the same planner, horizon, warm start and repeated actions, the distance
    computed after each block, as a model does. The gap between the two is what the learned model and its latent space
    cost.

    Args:
        env: The world whose ``simulate`` and ``distance`` are used; its running episodes are untouched.
        planner: The planner of the agent it is compared with.
        horizon: Number of blocks in a plan.
        frameskip: Actions in a block.
        goal: Says what becomes of the distances over the horizon, and whether they are squared (``l2``).
        options: Further fields of :class:`tacit.agent.AgentConfig`; a fallback policy receives observations.

    Raises:
        ConfigError: if the environment has no ``simulate``, or an option does not fit.
    """

    def __init__(
        self,
        env: GoalEnvironment,
        planner: Planner,
        *,
        horizon: int,
        frameskip: int = 1,
        goal: Goal | None = None,
        **options: Any,
    ) -> None:
        world = _World(env, frameskip)
        super().__init__(world, planner, _Distance(world, goal or Goal()), horizon=horizon, **options)
        self._env = env

    def _shown(self, observation: State) -> Observation:
        """Return the observations of the states."""
        return self._env.observe(observation)

    @classmethod
    def like(cls, agent: Agent, env: GoalEnvironment) -> TrueDynamicsActor:
        """Build the oracle of ``agent``.

        It has its planner, horizon and clocks, and reduces distances over the horizon as its goal cost does.

        Other terms of the agent's cost, such as effort, are left out, and so are the parts that read latents of its
        model: guard, memory, sub-goals and carrier. The constraints on actions are the agent's and so is the fallback,
        or the last action where neither the agent nor the environment says what does nothing.
        """
        config = agent.config
        terms = config.cost.terms() if isinstance(config.cost, CostTerm) else ()
        goal = next((term.cost for term in terms if isinstance(term.cost, Goal)), None)
        options = {option.name: getattr(config, option.name) for option in fields(config)}
        for name in ("planner", "cost", *OF_LATENTS):
            del options[name]
        options |= {"fallback": possible_fallback(config.fallback, env.spec), "constraints": config.action_constraints}
        return cls(env, config.planner, frameskip=agent.frameskip, goal=goal, **options)


class _World:
    """The true dynamics as a world model: a latent is a state, flattened to one row of numbers."""

    def __init__(self, env: GoalEnvironment, frameskip: int) -> None:
        self.env = require_simulation(env, "TrueDynamicsActor")
        self.spec, self.frameskip, self.history = env.spec, frameskip, 1
        self.latent_parts: Mapping[str, slice] = {}
        self.device = torch.device("cpu")
        self._shapes = {name: values.shape[1:] for name, values in env.state().items()}

    def encode(self, observation: Mapping[str, Any]) -> Tensor:
        """Map states to ``[B, D]``."""
        rows = [np.asarray(observation[name], np.float64).reshape(len(observation[name]), -1) for name in self._shapes]
        return torch.from_numpy(np.concatenate(rows, axis=1))

    def states(self, latents: npt.NDArray[np.float64]) -> State:
        """Return the states of latents ``[N, D]``."""
        ends = np.cumsum([int(np.prod(shape)) for shape in self._shapes.values()])
        parts = np.split(latents, ends[:-1], axis=1)
        return {n: part.reshape(-1, *shape) for part, (n, shape) in zip(parts, self._shapes.items(), strict=True)}

    def rollout(self, context: Context, actions: Tensor, /) -> Tensor:
        """Return the states at the end of each block. Only the current state matters: earlier ones change nothing."""
        if actions.ndim == 3:
            return self.rollout(context, actions[:, None])[:, 0]
        latents = context.latents
        worlds, samples, horizon, _ = actions.shape
        current = latents[:, -1].double().numpy().repeat(samples, axis=0)
        blocks = actions.float().numpy().reshape(worlds * samples, horizon, self.frameskip, -1)
        out = np.empty((worlds * samples, horizon, current.shape[1]))
        for first in range(0, len(out), ROWS):
            rows = slice(first, first + ROWS)
            state = self.states(current[rows])
            for step in range(horizon):
                state = {name: v[:, -1] for name, v in self.env.simulate(state, blocks[rows, step]).items()}
                out[rows, step] = self.encode(state).numpy()
        return torch.from_numpy(out.reshape(worlds, samples, horizon, -1))


@dataclass(frozen=True)
class _Distance:
    """The true distance as a cost."""

    world: _World
    goal: Goal

    def __call__(self, rollout: Rollout, /) -> Tensor:
        goal = rollout.goal
        if goal is None:
            raise ConfigError("the oracle pursues goal states; give start(goal=...).")
        latents = considered(rollout.latents, self.goal.reduce)
        worlds, samples, steps, size = latents.shape
        goals = goal.double().numpy().repeat(samples * steps, axis=0)
        distance = self.world.env.distance(
            self.world.states(latents.reshape(-1, size).numpy()), self.world.states(goals)
        )
        energy = torch.from_numpy(distance.reshape(worlds, samples, steps)).to(rollout.blocks.dtype)
        found: Tensor = over_horizon(energy.square() if self.goal.metric == "l2" else energy, self.goal.reduce)
        return found
