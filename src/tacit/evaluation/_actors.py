"""Actors of an evaluation: an actor, an actor with its goal, or a function of an observation."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from tacit._seeds import draw_seeds
from tacit.collection.policies import Act, Acting, Each, Steps, policy_called
from tacit.errors import ConfigError, SpecError
from tacit.evaluation._interaction import observed
from tacit.types import ActionSpace, Actor, Array, Environment, Observation, Verdict

__all__ = ["AnyActor", "Goal", "Privileged", "as_actor", "goal_of"]

AnyActor: TypeAlias = Actor | Acting | Each | Steps
"""An actor, an actor with its goal, or a function of the observation of one world."""
Goal: TypeAlias = Observation | Callable[[Observation], Observation]
"""The observation of a goal for one world, or a function of first observations ``[B, ...]`` to goals ``[B, ...]``."""


class Privileged:
    """Marker of actors that receive the true state. Such an actor is an oracle, never a competitor."""


@dataclass(frozen=True)
class _FunctionActor:
    """Actor that calls a function for the action of each world in turn."""

    function: Each
    space: ActionSpace

    def start(self, *, seed: int | Sequence[int], batch: int = 1, goal: Observation | None = None) -> tuple[Act, int]:
        """Return the actions of new episodes, and the step."""
        del goal  # a function has its observation alone
        seeds = draw_seeds(seed, batch) if isinstance(seed, int) else list(seed)
        return self.function.acts(self.space, seeds), 0

    def act(
        self, state: tuple[Act, int], observation: Observation
    ) -> tuple[npt.NDArray[np.float32], Verdict, tuple[Act, int]]:
        """Return actions ``[B, A]``."""
        act, step = state
        action = act(step, observation)
        return action, Verdict.acting(len(action)), (act, step + 1)


def as_actor(actor: AnyActor, space: ActionSpace) -> tuple[Actor, Goal | None]:
    """Return an actor, and its goal where it has one.

    Raises:
        ConfigError: if it is none.
    """
    policy = policy_called(actor)
    if isinstance(policy, Acting):
        return policy.actor, policy.goal
    if isinstance(policy, Each):
        return _FunctionActor(policy, space), None
    raise ConfigError(
        f"an evaluation needs an actor, such as an agent or tacit.agent.RandomActor, or a function of an observation; "
        f"got {type(actor).__name__}."
    )


def goal_of(env: Environment, goal: Goal | None, observation: Observation) -> Observation | None:
    """Return goals ``[B, ...]`` for all worlds.

    Raises:
        SpecError: if the goal has a modality or a shape that the environment does not have.
    """
    if goal is None or callable(goal):
        return None if goal is None else goal(observed(env, observation))
    out: dict[str, Array] = {}
    for name, value in goal.items():
        if name not in env.spec.modalities:
            raise SpecError(f"the goal has {name!r}; the environment has {', '.join(env.spec.modalities)}.")
        modality = env.spec.modalities[name]
        array = np.asarray(value, modality.dtype)
        if array.shape != modality.shape:
            raise SpecError(f"the goal needs {name!r} of shape {list(modality.shape)}; got {list(array.shape)}.")
        out[name] = np.broadcast_to(array, (env.num_envs, *array.shape))
    return out
