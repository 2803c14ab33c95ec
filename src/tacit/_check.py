"""Shared checks of values."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeGuard

from tacit.errors import ConfigError
from tacit.types import Environment, ExpertEnvironment, GoalEnvironment, SimulatedEnvironment

__all__ = [
    "has_expert",
    "has_goals",
    "has_simulation",
    "require",
    "require_environment",
    "require_expert",
    "require_goals",
    "require_simulation",
]

METHODS = ("spec", "num_envs", "reset", "step", "labels", "close")
GOAL_METHODS = ("rules", "tasks", "begin", "observe", "state", "distance")


def require(condition: bool, who: str, message: str) -> None:
    """Refuse an option or a call.

    Raises:
        ConfigError: unless ``condition`` holds; ``who`` and the message state the requirement.
    """
    if not condition:
        raise ConfigError(f"{who} needs {message}.")


def has_goals(env: Environment) -> TypeGuard[GoalEnvironment]:
    """Return whether ``env`` is a :class:`tacit.types.GoalEnvironment`, itself or by delegation."""
    return not _lacking(env, GOAL_METHODS)


def has_simulation(env: Environment) -> TypeGuard[SimulatedEnvironment]:
    """Return whether ``env`` is a :class:`tacit.types.SimulatedEnvironment`."""
    return not _lacking(env, (*GOAL_METHODS, "simulate"))


def has_expert(env: Environment) -> TypeGuard[ExpertEnvironment]:
    """Return whether ``env`` is a :class:`tacit.types.ExpertEnvironment`."""
    return not _lacking(env, (*GOAL_METHODS, "expert"))


def require_environment(env: Any, purpose: str) -> Environment:
    """Return ``env``, if it is an environment.

    Raises:
        ConfigError: if it is none, naming what it lacks.
    """
    if lacking := ", ".join(_lacking(env, METHODS)):
        raise ConfigError(
            f"{purpose} needs an environment; {type(env).__name__} lacks {lacking}. One of Gymnasium is adapted by "
            "tacit.envs.GymnasiumEnvironment(make), where make() makes it, or (env) of a vector environment."
        )
    found: Environment = env
    return found


def require_goals(env: Environment, purpose: str) -> GoalEnvironment:
    """Return ``env``, if it has goals.

    Raises:
        ConfigError: if it has none, naming what it lacks.
    """
    if not has_goals(env):
        raise _error(env, purpose, "with goals", GOAL_METHODS)
    return env


def require_simulation(env: Environment, purpose: str) -> SimulatedEnvironment:
    """Return ``env``, if it computes its dynamics.

    Raises:
        ConfigError: if it does not, naming what it lacks.
    """
    if not has_simulation(env):
        raise _error(env, purpose, "with goals that simulates its dynamics", (*GOAL_METHODS, "simulate"))
    return env


def require_expert(env: Environment, purpose: str) -> ExpertEnvironment:
    """Return ``env``, if it has an expert.

    Raises:
        ConfigError: if it has none, naming what it lacks.
    """
    if not has_expert(env):
        raise _error(env, purpose, "with goals and an expert", (*GOAL_METHODS, "expert"))
    return env


def _lacking(env: Any, names: Sequence[str]) -> list[str]:
    """Return the names that ``env`` lacks; None in place of a method means that it is absent."""
    return [name for name in names if getattr(env, name, None) is None]


def _error(env: Environment, purpose: str, kind: str, names: Sequence[str]) -> ConfigError:
    lacking = ", ".join(_lacking(env, names))
    return ConfigError(f"{purpose} needs an environment {kind}; {type(env).__name__} lacks {lacking}.")
