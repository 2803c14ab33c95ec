"""Policies that act while episodes are recorded."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from inspect import signature
from types import FunctionType
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from tacit._check import require_expert
from tacit._foreign import foreign
from tacit._registry import suggest
from tacit._states import concatenated
from tacit.errors import ConfigError, SpecError
from tacit.types import ActionSpace, Actor, Array, Box, Discrete, Environment, Observation

__all__ = [
    "KINDS",
    "Act",
    "Acting",
    "Each",
    "Expert",
    "Policy",
    "Random",
    "Steps",
    "arguments",
    "named",
    "policy_called",
]

Act: TypeAlias = Callable[[int, Observation], npt.NDArray[np.float32]]
"""Function that returns actions ``[B, A]`` for step ``t`` and observations ``[B, ...]``."""
Policy: TypeAlias = Callable[[Environment, Sequence[int], int], tuple[Observation, Act]]
"""Function that starts episodes in every world of an environment, from a seed for each and the steps."""
Steps: TypeAlias = (
    Callable[[Observation, int, np.random.Generator], Array | int]
    | Callable[[Observation, int], Array | int]
    | Callable[[Observation], Array | int]
)
"""User-defined policy: returns the action for one world's observation at step ``t``, with its generator.

It may omit the generator, or the step as well.
"""
KINDS = (
    "A policy is 'random', 'expert', 'module:function', an actor such as an agent, a function (observation) or "
    "(observation, step) that returns the action of one world, Each(function) of (observation, step, generator), or a "
    "function (env, seeds, steps) that starts every world and returns the observation and a function "
    "(step, observation) of the actions [B, A]."
)
"""Advice of errors on policies."""


@dataclass(frozen=True)
class Random:
    """Policy that repeats each random action for a random time, which crosses a world instead of jittering.

    Args:
        repeat: Mean number of steps of an action (geometric), 1 for a new one at each step.
    """

    repeat: float = 8.0

    def __post_init__(self) -> None:
        if not self.repeat >= 1:
            raise ConfigError(f"an action is repeated for a mean of at least 1 step; got {self.repeat}.")

    def __call__(self, env: Environment, seeds: Sequence[int], steps: int) -> tuple[Observation, Act]:
        """Start episodes; see :data:`Policy`."""
        plan = np.stack([self.plan(env.spec.action, np.random.default_rng([1, seed]), steps) for seed in seeds])
        return env.reset(seeds), lambda step, _observation: plan[:, step]

    def plan(self, space: ActionSpace, rng: np.random.Generator, steps: int) -> npt.NDArray[np.float32]:
        """Draw actions ``[steps, A]``, uniform in the space."""
        fresh = rng.random(steps) < 1 / self.repeat
        source = np.maximum.accumulate(np.where(fresh, np.arange(steps), 0))
        return np.concatenate([_drawn(part, rng, steps) for _, part in space.parts], axis=1)[source]


@dataclass(frozen=True)
class Acting:
    """Policy of an actor, such as an agent; each world has its own seed.

    Args:
        actor: The actor.
        goal: Its goal: an observation of the goal for one world, or a function of first observations
            ``[B, ...]`` to goals ``[B, ...]``. None: no goal.
    """

    actor: Actor
    goal: Observation | Callable[[Observation], Observation] | None = None

    def __call__(self, env: Environment, seeds: Sequence[int], _steps: int) -> tuple[Observation, Act]:
        """Start episodes; see :data:`Policy`."""
        observation = env.reset(seeds)
        shown = {name: np.array(observation[name]) for name in env.spec.modalities}
        goal = self.goal(shown) if callable(self.goal) else self.goal
        if goal is not None and not callable(self.goal):
            goal = {name: np.broadcast_to(value, (len(seeds), *np.shape(value))) for name, value in goal.items()}
        state = self.actor.start(seed=seeds, batch=len(seeds), goal=goal)

        def act(_step: int, observation: Observation) -> npt.NDArray[np.float32]:
            nonlocal state
            shown = {name: np.array(observation[name]) for name in env.spec.modalities}
            action, _, state = self.actor.act(state, shown)
            return action

        return observation, act


@dataclass(frozen=True)
class Expert:
    """Policy of the environment's own expert, on tasks drawn by the environment."""

    def __call__(self, env: Environment, seeds: Sequence[int], _steps: int) -> tuple[Observation, Act]:
        """Start episodes; see :data:`Policy`.

        Raises:
            ConfigError: if the environment has no tasks or no expert.
        """
        world = require_expert(env, "policy='expert'")
        tasks = [world.tasks(1, seed) for seed in seeds]
        start, goal = concatenated([task.start for task in tasks]), concatenated([task.goal for task in tasks])
        return world.begin(start), lambda _step, _observation: world.expert(world.state(), goal)


@dataclass(frozen=True)
class Each:
    """Policy that calls a function for the action of each world in turn.

    Args:
        function: See :data:`Steps`.
    """

    function: Steps

    def __call__(self, env: Environment, seeds: Sequence[int], _steps: int) -> tuple[Observation, Act]:
        """Start episodes; see :data:`Policy`.

        Raises:
            SpecError: while acting, if the function gives another shape than the action space's.
            TacitError: while acting, if the function fails.
        """
        return env.reset(seeds), self.acts(env.spec.action, seeds)

    def acts(self, space: ActionSpace, seeds: Sequence[int]) -> Act:
        """Return the actions of new episodes in a batch of worlds, one generator for each seed."""
        count = arguments(self.function, 3, 2, 1) or 3
        ask: Callable[..., Array | int] = self.function
        generators = [np.random.default_rng([1, seed]) for seed in seeds]
        border = foreign(f"policy {named(self.function)}")

        def act(step: int, observation: Observation) -> npt.NDArray[np.float32]:
            rows = []
            for world, generator in enumerate(generators):
                mine = {name: batch[world] for name, batch in observation.items()}
                with border:
                    action = ask(*(mine, step, generator)[:count])
                rows.append(_row(space, action))
            return np.stack(rows)

        return act


def policy_called(policy: str | Policy | Steps | Actor) -> Policy:
    """Return ``random``, ``expert``, ``module:function`` or a function of an observation as a policy.

    Raises:
        ConfigError: if there is none of that name, or it is no policy.
    """
    if not isinstance(policy, str):
        return _given(policy)
    module, colon, function = policy.partition(":")
    if colon:
        try:
            names = vars(importlib.import_module(module))
        except Exception as error:  # an import runs code of others
            raise ConfigError(
                f"found no policy {policy!r}: {type(error).__name__}: {error}. Name a module that can be imported."
            ) from error
        found = names.get(function)
        if not callable(found):
            functions = [name for name, value in names.items() if callable(value)]
            raise ConfigError(
                f"found no policy {policy!r}: the module has no function {function!r}.{suggest(function, functions)}"
            )
        return Each(found)
    words: dict[str, Policy] = {"random": Random(), "expert": Expert()}
    if policy not in words:
        raise ConfigError(
            f"no policy called {policy!r}.{suggest(policy, words)} There are: random, expert, and module:function."
        )
    return words[policy]


def _given(policy: Any) -> Policy:
    """Return a policy that was given as a value; call a function of an observation for each world."""
    if isinstance(policy, type):
        raise ConfigError(f"{policy.__name__} is a class; give an instance of it, {policy.__name__}(). {KINDS}")
    if callable(getattr(policy, "start", None)) and callable(getattr(policy, "act", None)):
        return Acting(policy)
    if not callable(policy):
        raise ConfigError(f"a {type(policy).__name__} is no policy. {KINDS}")
    count = arguments(policy, 3, 2, 1)
    if count is None:
        raise ConfigError(f"{named(policy)} takes other arguments than a policy does, {signature(policy)}. {KINDS}")
    started: Policy = policy
    return started if count == 3 else Each(policy)


def arguments(function: Callable[..., object], *counts: int) -> int | None:
    """Return the first of ``counts`` of positional arguments that a function accepts; None if none fits."""
    try:
        known = signature(function)
    except (TypeError, ValueError):  # a function in C may have no signature
        return counts[0]
    for count in counts:
        with suppress(TypeError):
            known.bind(*range(count))
            return count
    return None


def named(function: object) -> str:
    """Return the name of a function for errors."""
    kind = function if isinstance(function, FunctionType) else type(function)
    return f"{kind.__module__}:{kind.__qualname__}"


def _drawn(space: Box | Discrete, rng: np.random.Generator, steps: int) -> npt.NDArray[np.float32]:
    """Draw actions ``[steps, A]``: uniform in a box, one-hot in a discrete space."""
    if isinstance(space, Discrete):
        return np.eye(space.n, dtype=np.float32)[rng.integers(0, space.n, steps)]
    return rng.uniform(space.low, space.high, (steps, space.size)).astype(np.float32)


def _row(space: ActionSpace, action: Array | int) -> npt.NDArray[np.float32]:
    """Return one world's action from a function, which may give the number of a discrete one."""
    if isinstance(space, Discrete) and np.ndim(action) == 0:
        return np.asarray(np.eye(space.n)[int(action)], np.float32)
    row = np.asarray(action, np.float32)
    if row.shape != (space.size,):
        raise SpecError(f"a policy gives actions of shape ({space.size},); got shape {row.shape}.")
    return row
