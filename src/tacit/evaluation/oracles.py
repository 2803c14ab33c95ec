"""What a score is read against: a planner that knows the world, and a walker that knows the way.

Both are :class:`tacit.evaluation.Privileged`: they are shown states, which no competitor is.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from tacit._check import require_expert, require_simulation
from tacit.agent import Agent, NamedFallback
from tacit.agent._fallback import possible
from tacit.costs import Goal, Summable
from tacit.errors import ConfigError
from tacit.evaluation.closed_loop import Privileged
from tacit.types import ActionConstraint, FallbackPolicy, GoalEnvironment, Observation, Planner, Spec, State, Verdict

__all__ = ["ExpertActor", "TrueDynamicsActor"]

ROWS = 4096
"""Plans simulated together: few enough that numpy's temporaries stay in the cache."""


class ExpertActor(Privileged):
    """The environment's own expert: what the task allows to someone who knows the way.

    Raises:
        ConfigError: if the environment has no expert.
    """

    def __init__(self, env: GoalEnvironment) -> None:
        self._env = require_expert(env, "ExpertActor")

    def start(self, *, seed: int, batch: int = 1, goal: State | None = None) -> State:  # noqa: ARG002
        """The goal states ``[B, ...]``; the expert has no randomness."""
        if goal is None or {len(values) for values in goal.values()} != {batch}:
            raise ConfigError(f"the expert pursues goal states; give start(goal=...) {batch} of them.")
        return goal

    def act(self, state: State, observation: State) -> tuple[npt.NDArray[np.float32], Verdict, State]:
        """The expert's actions ``[B, A]`` in the states ``observation``."""
        action = self._env.expert(observation, state)
        return action, Verdict(True, np.full(len(action), np.nan, np.float32)), state


class TrueDynamicsActor(Agent, Privileged):
    """The ceiling: an agent whose model is the world itself and whose cost is the true distance to the goal.

    Everything else is :class:`tacit.Agent`: the same planner, horizon, warm start and repeated actions, the
    distance looked at after each block, as a model does. The gap between the two is what the learnt model and
    its latent space cost.

    Args:
        env: The world whose ``simulate`` and ``distance`` are used; its running episodes are untouched.
        planner: The planner of the agent it is compared with.
        horizon: Blocks to look ahead.
        frameskip: Actions in a block.
        execute: Blocks to carry out before planning again.
        deadline: Step not to look beyond.
        hold: Search one action for each block and repeat it.
        goal: Says what becomes of the distances over the horizon, and whether they are squared (``l2``).
        fallback: See :class:`tacit.Agent`; a policy is shown observations.
        constraints: See :class:`tacit.Agent`.

    Raises:
        ConfigError: if the environment has no ``simulate``.
    """

    def __init__(
        self,
        env: GoalEnvironment,
        planner: Planner,
        *,
        horizon: int,
        frameskip: int = 1,
        execute: int = 1,
        deadline: int | None = None,
        hold: bool = False,
        goal: Goal | None = None,
        fallback: NamedFallback | FallbackPolicy | None = None,
        constraints: Sequence[ActionConstraint] = (),
    ) -> None:
        world = _World(env, frameskip)
        super().__init__(
            world,
            planner,
            _Distance(world, goal or Goal()),
            horizon=horizon,
            execute=execute,
            deadline=deadline,
            hold=hold,
            fallback=fallback,
            constraints=constraints,
        )
        self._env = env

    def _shown(self, observation: State) -> Observation:
        """Return what the states look like."""
        return self._env.observe(observation)

    @classmethod
    def like(cls, agent: Agent, env: GoalEnvironment) -> TrueDynamicsActor:
        """The ceiling of ``agent``: its planner, horizon and clocks, and what its goal cost makes of the horizon.

        What else the agent's cost weighs, such as effort, is left out. The constraints are the agent's and so is the
        fallback, or the last action where neither the agent nor the environment says what does nothing.
        """
        terms = agent.cost.parts if isinstance(agent.cost, Summable) else ()
        goal = next((term.cost for term in terms if isinstance(term.cost, Goal)), None)
        return cls(
            env,
            agent.planner,
            horizon=agent.horizon,
            frameskip=agent.frameskip,
            execute=agent.execute,
            deadline=agent.deadline,
            hold=agent.hold,
            goal=goal,
            fallback=possible(agent.fallback, env.spec),
            constraints=agent.constraints,
        )


@dataclass(frozen=True)
class _Config:
    spec: Spec
    frameskip: int
    history: int = 1


class _World:
    """The true dynamics in the shape of a world model: a latent is a state, laid out in one row of numbers."""

    def __init__(self, env: GoalEnvironment, frameskip: int) -> None:
        self.env = require_simulation(env, "TrueDynamicsActor")
        self.config = _Config(env.spec, frameskip)
        self.device = torch.device("cpu")
        self._shapes = {name: values.shape[1:] for name, values in env.state().items()}

    def encode(self, observation: Mapping[str, Any]) -> Tensor:
        """States to ``[B, D]``."""
        rows = [np.asarray(observation[name], np.float64).reshape(len(observation[name]), -1) for name in self._shapes]
        return torch.from_numpy(np.concatenate(rows, axis=1))

    def states(self, latents: npt.NDArray[np.float64]) -> State:
        """States of latents ``[N, D]``."""
        ends = np.cumsum([int(np.prod(shape)) for shape in self._shapes.values()])
        parts = np.split(latents, ends[:-1], axis=1)
        return {n: part.reshape(-1, *shape) for part, (n, shape) in zip(parts, self._shapes.items(), strict=True)}

    def rollout(self, latents: Tensor, actions: Tensor, past_actions: Tensor | None = None) -> Tensor:
        """The states at the end of each block; ``past_actions`` change nothing, for a state says it all."""
        del past_actions
        if actions.ndim == 3:
            return self.rollout(latents, actions[:, None])[:, 0]
        worlds, samples, horizon, _ = actions.shape
        current = latents[:, -1].double().numpy().repeat(samples, axis=0)
        blocks = actions.float().numpy().reshape(worlds * samples, horizon, self.config.frameskip, -1)
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
    """The true distance in the shape of a cost."""

    world: _World
    goal: Goal

    def __call__(self, latents: Tensor, actions: Tensor, goal: Tensor | None) -> Tensor:
        if goal is None:
            raise ConfigError("the ceiling pursues goal states; give start(goal=...).")
        looked = self.goal.seen(latents)
        worlds, samples, steps, size = looked.shape
        goals = goal.double().numpy().repeat(samples * steps, axis=0)
        distance = self.world.env.distance(
            self.world.states(looked.reshape(-1, size).numpy()), self.world.states(goals)
        )
        energy = torch.from_numpy(distance.reshape(worlds, samples, steps)).to(actions.dtype)
        return self.goal.over_horizon(energy.square() if self.goal.metric == "l2" else energy)
