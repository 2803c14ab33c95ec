"""Sensor that repeats one observation."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from tacit.stress._graded import Graded
from tacit.stress._perturbation import Perturbed, chosen
from tacit.types import GoalEnvironment, Observation

__all__ = ["FrozenSensor"]


@dataclass(frozen=True)
class FrozenSensor(Graded):
    """A sensor that from one step on repeats its observation, while the world moves.

    Args:
        first: The first and the last step after which it may freeze.
    """

    LEVELS: ClassVar = (
        {"first": (40, 60)},
        {"first": (25, 40)},
        {"first": (15, 25)},
        {"first": (8, 15)},
        {"first": (2, 6)},
    )

    first: tuple[int, int] = (5, 15)

    def __call__(self, env: GoalEnvironment, seed: int) -> GoalEnvironment:
        """See :class:`tacit.stress.Perturbation`."""
        return _Frozen(env, seed, self.first)


class _Frozen(Perturbed):
    """Environment of :class:`FrozenSensor`."""

    _last: Observation

    def changed(self, observation: Observation) -> Observation:
        """Return the observation at the fault in worlds after it."""
        if self.elapsed:
            observation = chosen(self.onset < self.elapsed, self._last, observation)
        self._last = observation
        return observation
