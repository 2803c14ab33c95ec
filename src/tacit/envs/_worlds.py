"""Base class of batches of worlds whose dynamics depend on state and action alone."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from tacit._states import concatenated, copied
from tacit.envs._batch import check_actions, per_world
from tacit.types import Observation, Spec, State, Transition

__all__ = ["Floats", "StateWorlds"]

Floats: TypeAlias = dict[str, npt.NDArray[np.float64]]


class StateWorlds:
    """Base class of such worlds.

    A subclass sets ``spec`` and ``_state`` and implements the methods that raise here.
    """

    spec: Spec
    _state: Floats
    """States of the running episodes, ``[B, ...]`` by name."""

    @property
    def num_envs(self) -> int:
        """Return the number of worlds in the batch."""
        return len(next(iter(self._state.values())))

    def reset(self, seed: int | Sequence[int]) -> Observation:
        """Start episodes in states drawn from the seeds; see :class:`tacit.types.Environment`."""
        drawn = [self._draw(np.random.default_rng(one), 1) for one in per_world(seed, self.num_envs)]
        return self.begin(concatenated(drawn))

    def begin(self, state: State) -> Observation:
        """Start in the given states; see :class:`tacit.types.GoalEnvironment`."""
        self._state = {name: np.array(value, np.float64) for name, value in state.items()}
        return self.observe(self._state)

    def step(self, action: npt.NDArray[np.float32]) -> Transition:
        """Step every world. Actions outside the box are clipped to it, and no episode ends by itself."""
        check_actions(action, self.num_envs, self.spec.action.size)
        self._state = self._push(self._state, action)
        never = np.zeros(self.num_envs, dtype=np.bool_)
        return Transition(self.observe(self._state), terminated=never, truncated=never)

    def state(self) -> State:
        """Return a copy of the states of the running episodes."""
        return copied(self._state)

    def simulate(self, state: State, actions: npt.NDArray[np.float32]) -> State:
        """Compute the true states ``[B, H, ...]`` after each of the actions ``[B, H, A]``."""
        steps, now = [], state
        for index in range(actions.shape[1]):
            now = self._push(now, actions[:, index])
            steps.append(now)
        return {name: np.stack([step[name] for step in steps], axis=1) for name in state}

    def observe(self, state: State) -> Observation:
        """Return the observation of the given states."""
        raise NotImplementedError

    def _draw(self, rng: np.random.Generator, count: int) -> Floats:
        """Draw initial states."""
        raise NotImplementedError

    def _push(self, state: State, action: npt.NDArray[np.float32]) -> Floats:
        """Compute one step, a pure function of the arguments."""
        raise NotImplementedError
