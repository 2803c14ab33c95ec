"""A sensor of a lower rate."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from tacit.errors import ConfigError
from tacit.stress._graded import Graded
from tacit.stress._perturbation import Perturbed
from tacit.types import GoalEnvironment, Observation

__all__ = ["StaleFrames"]


@dataclass(frozen=True)
class StaleFrames(Graded):
    """Observations that change only every few steps.

    Args:
        every: Steps from one new observation to the next.

    Raises:
        ConfigError: if it is below 2.
    """

    LEVELS: ClassVar = ({"every": 2}, {"every": 3}, {"every": 5}, {"every": 8}, {"every": 12})

    every: int = 5

    def __post_init__(self) -> None:
        if self.every < 2:
            raise ConfigError(f"StaleFrames needs every >= 2; got {self}.")

    def __call__(self, env: GoalEnvironment, seed: int) -> GoalEnvironment:
        """See :class:`tacit.stress.Perturbation`."""
        return _Stale(env, seed, self.every)


class _Stale(Perturbed):
    """Environment of :class:`StaleFrames`."""

    _last: Observation

    def __init__(self, env: GoalEnvironment, seed: int, every: int) -> None:
        self._every = every
        super().__init__(env, seed)

    def changed(self, observation: Observation) -> Observation:
        """Return the last new observation."""
        if self.elapsed % self._every == 0:
            self._last = observation
        return self._last
