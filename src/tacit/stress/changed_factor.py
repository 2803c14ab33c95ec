"""Change of a factor of an environment, such as a size, a place, a speed or a colour."""

from __future__ import annotations

import colorsys
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from tacit._check import has_simulation
from tacit._seeds import derive_seed
from tacit._states import joined_tasks, tasks_of
from tacit.envs import Wrapper
from tacit.errors import ConfigError
from tacit.types import Array, GoalEnvironment, Observation, SimulatedEnvironment, State, Tasks

__all__ = ["ChangedFactor"]

DRAWS = 50
"""The largest number of times that tasks are drawn."""


@dataclass(frozen=True)
class ChangedFactor:
    """A change of one factor of the state from the start on, in starts and goals.

    ::

        ChangedFactor("speed", scale=0.6)
        ChangedFactor("wall_thickness", shift=4.0)
        ChangedFactor("agent_color", hue=60.0)

    A task whose start or goal the changed world does not allow, such as a place inside a wall, is drawn again.

    Args:
        factor: The factor, an entry of the state.
        scale: Multiplies the value.
        shift: Added to the value; colours are limited to 0 to 255.
        hue: Degrees added to the hue of a colour.

    Raises:
        ConfigError: if nothing changes.
    """

    factor: str
    scale: float = 1.0
    shift: float = 0.0
    hue: float = 0.0

    def __post_init__(self) -> None:
        if (self.scale, self.shift, self.hue) == (1.0, 0.0, 0.0):
            raise ConfigError(f"ChangedFactor of {self.factor!r} needs a scale, a shift or a hue; got none.")

    def __call__(self, env: GoalEnvironment, seed: int) -> GoalEnvironment:
        """See :class:`tacit.stress.Perturbation`.

        Raises:
            ConfigError: if the state has no such factor, a hue is asked of what is no colour, or the environment has
                no simulation.
        """
        del seed  # nothing is random
        state = env.state()
        if self.factor not in state:
            raise ConfigError(f"the state has {', '.join(state)}; got factor={self.factor!r}.")
        if self.hue and state[self.factor].shape[1:] != (3,):
            raise ConfigError(f"a hue is changed of a colour [B, 3]; {self.factor!r} is {state[self.factor].shape}.")
        if not has_simulation(env):
            raise ConfigError("ChangedFactor needs an environment with simulate, to find the tasks that stay possible.")
        return ChangedWorld(env, self)

    def value(self, factor: Array) -> npt.NDArray[np.float64]:
        """Return the changed values ``[B, ...]`` of the factor."""
        values = np.asarray(factor, np.float64)
        if self.hue:
            values = np.array([_turned(color, self.hue) for color in values])
        values = values * self.scale + self.shift
        return np.clip(values, 0.0, 255.0) if "color" in self.factor else values


class ChangedWorld(Wrapper):
    """Environment of :class:`ChangedFactor`; :meth:`state` is the changed one."""

    env: SimulatedEnvironment

    def __init__(self, env: SimulatedEnvironment, options: ChangedFactor) -> None:
        super().__init__(env)
        self._options = options

    def reset(self, seed: int | Sequence[int]) -> Observation:
        """See :class:`tacit.types.Environment`."""
        self.env.reset(seed)
        return self.env.begin(self._of(self.env.state()))

    def tasks(self, count: int, seed: int) -> Tasks:
        """Return tasks of the changed world, at whose start and goal it stays where it is without an action."""
        kept: list[Tasks] = []
        for attempt in range(DRAWS):
            drawn = self.env.tasks(count, derive_seed(seed, attempt) if attempt else seed)
            kept.append(tasks_of(*self.changed(drawn)))
            if sum(map(len, kept)) >= count:
                return tasks_of(joined_tasks(kept), np.arange(sum(map(len, kept))) < count)
        raise ConfigError(f"{DRAWS} draws did not give {count} tasks that {self._options} allows.")

    def changed(self, tasks: Tasks) -> tuple[Tasks, npt.NDArray[np.bool_]]:
        """Return tasks of the original world with the changed factor, and ``[n]`` whether that allows them."""
        tasks = replace(tasks, start=self._of(tasks.start), goal=self._of(tasks.goal))
        return tasks, self._rests(tasks.start) & self._rests(tasks.goal)

    def _of(self, state: State) -> State:
        """Return a state with the changed factor."""
        name = self._options.factor
        return {**state, name: self._options.value(state[name])}

    def _rests(self, state: State) -> npt.NDArray[np.bool_]:
        """Return whether nothing moves without an action, in each world."""
        count = len(next(iter(state.values())))
        after = self.env.simulate(state, np.zeros((count, 1, self.env.spec.action.size), np.float32))
        same = [(after[name][:, 0] == value).reshape(count, -1).all(axis=1) for name, value in state.items()]
        return np.asarray(np.all(same, axis=0))


def _turned(color: npt.NDArray[np.float64], degrees: float) -> tuple[float, ...]:
    """Return a colour ``[3]`` in 0 to 255 with its hue turned."""
    hue, saturation, value = colorsys.rgb_to_hsv(*(color / 255))
    return tuple(255 * part for part in colorsys.hsv_to_rgb((hue + degrees / 360) % 1, saturation, value))
