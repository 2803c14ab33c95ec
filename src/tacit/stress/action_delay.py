"""Actuators that act late."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from tacit.errors import ConfigError
from tacit.stress._actions import ActionChange, Actions, Changed
from tacit.types import Box, GoalEnvironment

__all__ = ["ActionDelay"]


@dataclass(frozen=True)
class ActionDelay(ActionChange):
    """Actions that are executed some steps late; until then the middle of their range is.

    Args:
        steps: The delay.

    Raises:
        ConfigError: unless steps >= 1.
    """

    LEVELS: ClassVar = ({"steps": 1}, {"steps": 2}, {"steps": 3}, {"steps": 5}, {"steps": 8})

    steps: int = 3

    def __post_init__(self) -> None:
        if not self.steps >= 1:
            raise ConfigError(f"ActionDelay needs steps >= 1; got {self}.")

    def changed(self, env: GoalEnvironment, seed: int) -> Changed:
        """See :class:`ActionChange`."""
        return _Env(env, seed, self)


class _Env(Changed):
    """Environment of :class:`ActionDelay`."""

    _waiting: list[Actions]

    def __init__(self, env: GoalEnvironment, seed: int, options: ActionDelay) -> None:
        self._options = options
        super().__init__(env, seed)

    def executed(self, action: Actions) -> Actions:
        """Return the executed actions ``[B, A]``."""
        space = self.env.spec.action
        assert isinstance(space, Box)
        if not self._waiting:
            rest = ((np.array(space.low) + np.array(space.high)) / 2).astype(np.float32)
            self._waiting = [np.broadcast_to(rest, action.shape)] * self._options.steps
        self._waiting = [*self._waiting, action.copy()]
        return self._waiting.pop(0)

    def _rest(self, count: int) -> None:
        super()._rest(count)
        self._waiting = []
