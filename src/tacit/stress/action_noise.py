"""Noise of actuators."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from tacit.errors import ConfigError
from tacit.stress._actions import ActionChange, Actions, Changed
from tacit.types import Box, GoalEnvironment

__all__ = ["ActionNoise"]


@dataclass(frozen=True)
class ActionNoise(ActionChange):
    """Gaussian noise in each executed action.

    Args:
        std: Its standard deviation, as a share of half the range of the actions.

    Raises:
        ConfigError: unless std > 0.
    """

    LEVELS: ClassVar = ({"std": 0.05}, {"std": 0.1}, {"std": 0.2}, {"std": 0.35}, {"std": 0.5})

    std: float = 0.2

    def __post_init__(self) -> None:
        if not self.std > 0:
            raise ConfigError(f"ActionNoise needs std > 0; got {self}.")

    def changed(self, env: GoalEnvironment, seed: int) -> Changed:
        """See :class:`ActionChange`."""
        return _Env(env, seed, self)


class _Env(Changed):
    """Environment of :class:`ActionNoise`."""

    def __init__(self, env: GoalEnvironment, seed: int, options: ActionNoise) -> None:
        self._options = options
        super().__init__(env, seed)

    def executed(self, action: Actions) -> Actions:
        """Return the executed actions ``[B, A]``."""
        space = self.env.spec.action
        assert isinstance(space, Box)
        half = (np.array(space.high) - np.array(space.low)) / 2
        noise = np.stack([one.standard_normal(action.shape[1]) for one in self.generators])
        return np.asarray(action + self._options.std * half * noise, np.float32)
