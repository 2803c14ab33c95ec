"""Questions that several parts ask of a value."""

from __future__ import annotations

from typing import TypeGuard

from tacit.errors import ConfigError
from tacit.types import Environment, GoalEnvironment

__all__ = ["has_goals", "require", "require_goals"]

GOAL_METHODS = ("rules", "tasks", "begin", "observe", "state", "distance", "simulate", "expert")


def require(condition: bool, who: str, message: str) -> None:
    """Refuse an option or a call.

    Raises:
        ConfigError: unless ``condition`` holds, that ``who`` needs what the message says.
    """
    if not condition:
        raise ConfigError(f"{who} needs {message}.")


def has_goals(env: Environment) -> TypeGuard[GoalEnvironment]:
    """Whether ``env`` offers what :class:`tacit.types.GoalEnvironment` asks for."""
    return all(name in dir(env) for name in GOAL_METHODS)


def require_goals(env: Environment, purpose: str) -> GoalEnvironment:
    """``env``, if it has goals.

    Raises:
        ConfigError: if it has none, naming what it lacks.
    """
    if not has_goals(env):
        lacking = ", ".join(name for name in GOAL_METHODS if name not in dir(env))
        raise ConfigError(f"{purpose} needs an environment with goals; {type(env).__name__} lacks {lacking}.")
    return env
