"""The protocol of perturbations and the base class of perturbed environments."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Protocol

import numpy as np
import numpy.typing as npt

from tacit._check import require_goals
from tacit._seeds import derive_seed
from tacit.envs import Wrapper
from tacit.errors import ConfigError
from tacit.types import Array, GoalEnvironment, Observation, State, Transition

__all__ = ["Perturbation", "Perturbed"]


class Perturbation(Protocol):
    """A change of an environment or of its sensors. Holds configuration, never state."""

    def __call__(self, env: GoalEnvironment, seed: int) -> GoalEnvironment:
        """Return the changed environment; ``env`` itself is not used any more.

        The change in a world is a function of the seed and of the number of the world, whatever the other worlds.
        """


class Perturbed(Wrapper):
    """An environment with faults that begin at a step drawn for each world.

    A subclass overrides :meth:`changed`.

    Args:
        env: An environment with goals.
        seed: Seed of the faults.
        first: The first and the last step after which a fault may begin.

    Attributes:
        onset: ``[B]`` the step of the fault in each world.
        elapsed: Steps since the start of the episodes.
    """

    onset: npt.NDArray[np.int64]
    elapsed: int

    def __init__(self, env: GoalEnvironment, seed: int, first: tuple[int, int] = (0, 0)) -> None:
        super().__init__(require_goals(env, type(self).__name__))
        if not 0 <= first[0] <= first[1]:
            raise ConfigError(f"a fault begins between two steps, such as (5, 20); got {first}.")
        self._seed, self._first = seed, first
        self._rest(env.num_envs)

    def reset(self, seed: int | Sequence[int]) -> Observation:
        """See :class:`tacit.types.Environment`."""
        observation = super().reset(seed)
        self._rest(self.num_envs)
        return self.changed(observation)

    def begin(self, state: State) -> Observation:
        """See :class:`tacit.types.GoalEnvironment`."""
        observation: Observation = self.env.begin(state)  # type: ignore[attr-defined]
        self._rest(self.num_envs)
        return self.changed(observation)

    def step(self, action: npt.NDArray[np.float32]) -> Transition:
        """See :class:`tacit.types.Environment`."""
        transition = super().step(action)
        self.elapsed += 1
        return replace(transition, observation=self.changed(transition.observation))

    def changed(self, observation: Observation) -> Observation:
        """Return the observation ``[B, ...]`` that the actor is given instead of the true one."""
        return observation

    def _rest(self, count: int) -> None:
        """Draw the faults of new episodes."""
        self.elapsed = 0
        self.generators = [np.random.default_rng(derive_seed(self._seed, world)) for world in range(count)]
        low, high = self._first
        self.onset = np.array([int(one.integers(low, high + 1)) for one in self.generators])


def chosen(
    flags: npt.NDArray[np.bool_], there: Mapping[str, Array], elsewhere: Mapping[str, Array]
) -> dict[str, Array]:
    """Return arrays ``[B, ...]`` of one mapping where the flags ``[B]`` hold, and of another elsewhere."""
    return {
        name: np.where(flags.reshape(-1, *(1,) * (np.ndim(value) - 1)), there[name], value)
        for name, value in elsewhere.items()
    }
