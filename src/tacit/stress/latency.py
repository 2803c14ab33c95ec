"""Observations that arrive late."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from tacit.errors import ConfigError
from tacit.stress._graded import Graded
from tacit.stress._perturbation import Perturbed
from tacit.types import GoalEnvironment, Observation

__all__ = ["Latency"]


@dataclass(frozen=True)
class Latency(Graded):
    """Observations that arrive some steps late; until then the first one is shown.

    Args:
        steps: The delay.

    Raises:
        ConfigError: if it is below 1.
    """

    LEVELS: ClassVar = ({"steps": 1}, {"steps": 2}, {"steps": 4}, {"steps": 6}, {"steps": 8})

    steps: int = 4

    def __post_init__(self) -> None:
        if self.steps < 1:
            raise ConfigError(f"Latency needs steps >= 1; got {self}.")

    def __call__(self, env: GoalEnvironment, seed: int) -> GoalEnvironment:
        """See :class:`tacit.stress.Perturbation`."""
        return _Late(env, seed, self.steps)


class _Late(Perturbed):
    """Environment of :class:`Latency`."""

    _waiting: list[Observation]

    def __init__(self, env: GoalEnvironment, seed: int, steps: int) -> None:
        self._steps = steps
        super().__init__(env, seed)

    def changed(self, observation: Observation) -> Observation:
        """Return the observation of some steps before."""
        self._waiting = [*self._waiting, observation][-self._steps - 1 :]
        return self._waiting[0]

    def _rest(self, count: int) -> None:
        super()._rest(count)
        self._waiting = []
