"""Sudden change of the state of a world."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from tacit._seeds import derive_seed
from tacit.errors import ConfigError
from tacit.stress._perturbation import Perturbed, chosen
from tacit.types import GoalEnvironment, State, Transition

__all__ = ["Teleport"]

DRAWS = 100
"""The largest number of states that are drawn until one is far enough."""


@dataclass(frozen=True)
class Teleport:
    """A jump of one quantity of the state at one step, to its value at the start of a random task.

    Args:
        quantity: The quantity, an entry of the state.
        distance: The least distance of the jump, in the unit of the environment.
        first: The first and the last step after which it may happen.
    """

    quantity: str = "position"
    distance: float = 10.0
    first: tuple[int, int] = (20, 60)

    def __call__(self, env: GoalEnvironment, seed: int) -> GoalEnvironment:
        """See :class:`tacit.stress.Perturbation`.

        Raises:
            ConfigError: if the state has no such quantity.
        """
        if self.quantity not in env.state():
            raise ConfigError(f"the state has {', '.join(env.state())}; got quantity={self.quantity!r}.")
        return _Teleported(env, seed, self)


class _Teleported(Perturbed):
    """Environment of :class:`Teleport`."""

    def __init__(self, env: GoalEnvironment, seed: int, options: Teleport) -> None:
        self._options, self._world = options, env
        super().__init__(env, seed, options.first)

    def step(self, action: npt.NDArray[np.float32]) -> Transition:
        """See :class:`tacit.types.Environment`."""
        transition = super().step(action)
        jumps = self.onset == self.elapsed
        if not jumps.any():
            return transition
        observation = self._world.begin(self._moved(self._world.state(), jumps))
        return replace(transition, observation=observation)

    def _moved(self, state: State, jumps: npt.NDArray[np.bool_]) -> State:
        """Return the state with the quantity of some worlds somewhere else."""
        name, moved = self._options.quantity, {key: np.array(value) for key, value in state.items()}
        for world in np.flatnonzero(jumps):
            drawn = self._world.tasks(DRAWS, derive_seed(self._seed, int(world), 1)).start
            repeated = {key: np.repeat(value[world : world + 1], DRAWS, axis=0) for key, value in state.items()}
            distances = self._world.distance({**repeated, name: drawn[name]}, repeated)
            far = np.flatnonzero(distances >= self._options.distance)
            if not len(far):
                raise ConfigError(
                    f"none of {DRAWS} random states is {self._options.distance:g} from the current one; lower distance."
                )
            moved[name][world] = drawn[name][far[0]]
        return chosen(jumps, moved, state)
