"""Weak or strong actuators."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from tacit.errors import ConfigError
from tacit.stress._actions import ActionChange, Actions, Changed
from tacit.types import Box, GoalEnvironment

__all__ = ["ActionGain"]


@dataclass(frozen=True)
class ActionGain(ActionChange):
    """Actions that are multiplied by a factor, from the middle of their range.

    Args:
        factor: The factor.

    Raises:
        ConfigError: unless factor >= 0.
    """

    LEVELS: ClassVar = ({"factor": 0.9}, {"factor": 0.75}, {"factor": 0.6}, {"factor": 0.45}, {"factor": 0.3})

    factor: float = 0.6

    def __post_init__(self) -> None:
        if not self.factor >= 0:
            raise ConfigError(f"ActionGain needs factor >= 0; got {self}.")

    def changed(self, env: GoalEnvironment, seed: int) -> Changed:
        """See :class:`ActionChange`."""
        return _Env(env, seed, self)


class _Env(Changed):
    """Environment of :class:`ActionGain`."""

    def __init__(self, env: GoalEnvironment, seed: int, options: ActionGain) -> None:
        self._options = options
        super().__init__(env, seed)

    def executed(self, action: Actions) -> Actions:
        """Return the executed actions ``[B, A]``."""
        space = self.env.spec.action
        assert isinstance(space, Box)
        middle = ((np.array(space.low) + np.array(space.high)) / 2).astype(np.float32)
        return np.asarray(middle + self._options.factor * (action - middle), np.float32)
