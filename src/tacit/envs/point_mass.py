"""Point mass: a disc in a plane without walls, with closed-form dynamics.

For tests of models and planners that need a known solution. With position ``p``, velocity ``v`` and action
``a`` in ``[-1, 1]^2``, one step is

    v' = damping * v + force * a        p' = p + v'

so that after ``H`` steps ``p_H = drift + sum_k gain_k a_k`` with ``gain_k > 0``: the reachable set is a
square around the drift, and the same push towards the goal at every step is optimal.

Protocol: start and goal uniform in ``[-1, 1]^2`` and at rest, at least ``radius`` apart; solved if the disc
is within 0.1 of the goal, at whatever speed, after the last of 40 steps.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from tacit.envs._batch import check_options
from tacit.envs._discs import Discs
from tacit.envs._worlds import Floats, StateWorlds
from tacit.errors import ConfigError
from tacit.types import Array, Box, Modality, Observation, Spec, State, TaskRules, Tasks

__all__ = ["PointMass"]

VIEW = 1.6
DISC = 0.12


class PointMass(StateWorlds):
    """A batch of point masses, which start at rest and uniform in ``[-1, 1]^2``.

    A state is ``position [B, 2]`` and ``velocity [B, 2]``; an observation holds vectors ``[B, 4]`` and, with ``size``,
    images ``[B, 3, size, size]``.

    Args:
        num_envs: Worlds in the batch.
        size: Height and width of images to show as modality ``pixels``, which span ``[-1.6, 1.6]^2``;
            None for the modality ``state`` alone: position, then velocity.
        damping: Share of the velocity that remains after a step, at least 0 and below 1.
        force: Velocity that a full action adds.
    """

    rules = TaskRules(radius=0.1, budget=40, success_at="last", unit="world units, starts and goals span 2")

    def __init__(self, num_envs: int = 1, size: int | None = None, damping: float = 0.8, force: float = 0.02) -> None:
        check_options("Point mass", num_envs, size)
        if size is not None and size < 16:
            raise ConfigError(f"Point mass needs size >= 16; got {size}.")
        if not (0 <= damping < 1 and force > 0):
            raise ConfigError(f"Point mass needs 0 <= damping < 1 and force > 0; got {damping} and {force}.")
        self._size, self._damping, self._force = size, damping, force
        modalities = {"state": Modality("vector", (4,))}
        if size is not None:
            modalities["pixels"] = Modality("pixels", (3, size, size))
        self.spec = Spec(modalities, Box((-1.0, -1.0), (1.0, 1.0), kind="force"), fps=10.0)
        self._state = _at_rest(np.zeros((num_envs, 2)))

    def labels(self) -> Mapping[str, Array]:
        """Return ``position [B, 2]`` and ``velocity [B, 2]``."""
        return {name: value.astype(np.float32) for name, value in self._state.items()}

    def close(self) -> None:
        """Do nothing: there is nothing to free."""

    def observe(self, state: State) -> Observation:
        """Return the observation of the given states."""
        vector = np.concatenate([state["position"], state["velocity"]], axis=1).astype(np.float32)
        return {"state": vector} if self._size is None else {"state": vector, "pixels": self._frames(state)}

    def tasks(self, count: int, seed: int) -> Tasks:
        """Draw ``count`` pairs of states at rest, none solved at the start."""
        rng = np.random.default_rng(seed)
        start, goal = self._draw(rng, count), self._draw(rng, count)
        while (solved := self.distance(start, goal) <= self.rules.radius).any():
            goal["position"][solved] = rng.uniform(-1.0, 1.0, (int(solved.sum()), 2))
        return Tasks(start, goal)

    def distance(self, state: State, goal: State) -> npt.NDArray[np.float64]:
        """Compute the Euclidean distance ``[B]`` between the two positions."""
        difference = np.asarray(state["position"], np.float64) - np.asarray(goal["position"], np.float64)
        return np.asarray(np.linalg.norm(difference, axis=-1))

    def expert(self, state: State, goal: State) -> npt.NDArray[np.float32]:
        """Return the push that brings the mass to rest on the goal, or the nearest in the box."""
        velocity, position = np.asarray(state["velocity"], np.float64), np.asarray(state["position"], np.float64)
        coast = np.asarray(goal["position"], np.float64) - position - velocity * self._damping / (1 - self._damping)
        return np.asarray(np.clip(coast * (1 - self._damping) / self._force, -1.0, 1.0), np.float32)

    def drift(self, state: State, horizon: int) -> npt.NDArray[np.float64]:
        """Compute positions ``[B, 2]`` after ``horizon`` steps without a push."""
        powers = self._damping ** np.arange(1, horizon + 1)
        return np.asarray(state["position"] + powers.sum() * np.asarray(state["velocity"], np.float64))

    def gains(self, horizon: int) -> npt.NDArray[np.float64]:
        """Compute the distance ``[H]`` that each action moves the last position. Their sum is the reach per axis."""
        left = np.arange(horizon, 0, -1)
        return np.asarray(self._force * (1 - self._damping**left) / (1 - self._damping))

    def optimal(self, state: State, goal: State, horizon: int) -> npt.NDArray[np.float32]:
        """Compute the actions ``[B, H, 2]`` that end nearest to the goal: the same push at every step."""
        wanted = np.asarray(goal["position"], np.float64) - self.drift(state, horizon)
        push = np.clip(wanted / self.gains(horizon).sum(), -1.0, 1.0).astype(np.float32)
        return np.repeat(push[:, None], horizon, axis=1)

    def _draw(self, rng: np.random.Generator, count: int) -> Floats:
        return _at_rest(rng.uniform(-1.0, 1.0, (count, 2)))

    def _push(self, state: State, action: npt.NDArray[np.float32]) -> Floats:
        push = np.clip(np.asarray(action, np.float64), -1.0, 1.0)
        velocity = self._damping * np.asarray(state["velocity"], np.float64) + self._force * push
        return {"position": np.asarray(state["position"], np.float64) + velocity, "velocity": velocity}

    def _frames(self, state: State) -> npt.NDArray[np.uint8]:
        size, count = self._size or 0, len(state["position"])
        discs = Discs(
            np.full((count, 3, size, size), 236, np.uint8),
            np.full((count, 1), DISC / (2 * VIEW) * size),
            np.tile([230.0, 60.0, 60.0], (count, 1)),
        )
        return discs.frames((np.asarray(state["position"], np.float64) + VIEW) / (2 * VIEW) * size)


def _at_rest(position: npt.NDArray[np.float64]) -> Floats:
    return {"position": position, "velocity": np.zeros_like(position)}
