"""Point mass: a disc pushed about a plane without walls, with dynamics that have a closed form.

For tests of models and planners whose right answer must be known. With position ``p``, velocity ``v`` and
action ``a`` in ``[-1, 1]^2``, one step is

    v' = damping * v + force * a        p' = p + v'

so that after ``H`` steps ``p_H = drift + sum_k gain_k a_k`` with ``gain_k > 0``: what can be reached is a
square around the drift, and pushing evenly towards the goal is optimal.

Protocol: start and goal uniform in ``[-1, 1]^2`` and at rest, at least ``radius`` apart; solved if the disc
is within 0.1 of the goal, at whatever speed, after the last of 40 steps.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from tacit.envs._batch import check_actions, per_world, stack
from tacit.envs._discs import Discs
from tacit.errors import ConfigError
from tacit.types import Array, Box, Modality, Observation, Spec, State, TaskRules, Tasks, Transition

__all__ = ["PointMass"]

VIEW = 1.6
DISC = 0.12


class PointMass:
    """A batch of point masses.

    Args:
        num_envs: Worlds in the batch.
        size: Height and width of pictures to show as modality ``pixels``, which span ``[-1.6, 1.6]^2``;
            None for the modality ``state`` alone: position, then velocity.
        damping: What is left of the velocity after a step, at least 0 and below 1.
        force: Velocity that a full action adds.
    """

    rules = TaskRules(radius=0.1, budget=40, success_at="last", unit="world units, starts and goals span 2")

    def __init__(self, num_envs: int = 1, size: int | None = None, damping: float = 0.8, force: float = 0.02) -> None:
        if num_envs < 1 or (size is not None and size < 16):
            raise ConfigError(f"Point mass needs num_envs >= 1 and size >= 16; got {num_envs} and {size}.")
        if not (0 <= damping < 1 and force > 0):
            raise ConfigError(f"Point mass needs 0 <= damping < 1 and force > 0; got {damping} and {force}.")
        self._size, self._damping, self._force = size, damping, force
        modalities = {"state": Modality("vector", (4,))}
        if size is not None:
            modalities["pixels"] = Modality("pixels", (3, size, size))
        self.spec = Spec(modalities, Box((-1.0, -1.0), (1.0, 1.0)), fps=10.0)
        self._state = _at_rest(np.zeros((num_envs, 2)))

    @property
    def num_envs(self) -> int:
        """Worlds in the batch."""
        return len(self._state["position"])

    def reset(self, seed: int | Sequence[int]) -> Observation:
        """At rest, uniform in ``[-1, 1]^2``; see :class:`tacit.types.Environment`."""
        return self.begin(stack([_draw(np.random.default_rng(one), 1) for one in per_world(seed, self.num_envs)]))

    def begin(self, state: State) -> Observation:
        """Start in the given states; see :class:`tacit.types.GoalEnvironment`."""
        self._state = {name: np.array(value, np.float64) for name, value in state.items()}
        return self.observe(self._state)

    def step(self, action: npt.NDArray[np.float32]) -> Transition:
        """Push every mass; actions outside the box are clipped to it."""
        check_actions(action, self.num_envs, 2)
        self._state = self._push(self._state, action)
        never = np.zeros(self.num_envs, dtype=np.bool_)
        return Transition(self.observe(self._state), terminated=never, truncated=never)

    def labels(self) -> Mapping[str, Array]:
        """``position [B, 2]`` and ``velocity [B, 2]``."""
        return {name: value.astype(np.float32) for name, value in self._state.items()}

    def close(self) -> None:
        """Nothing to free."""

    def state(self) -> State:
        """``position [B, 2]`` and ``velocity [B, 2]``."""
        return {name: value.copy() for name, value in self._state.items()}

    def observe(self, state: State) -> Observation:
        """Vectors ``[B, 4]`` and, where asked for, pictures ``[B, 3, size, size]`` of the given states."""
        vector = np.concatenate([state["position"], state["velocity"]], axis=1).astype(np.float32)
        return {"state": vector} if self._size is None else {"state": vector, "pixels": self._frames(state)}

    def tasks(self, count: int, seed: int) -> Tasks:
        """``count`` pairs of states at rest, none solved at the start."""
        rng = np.random.default_rng(seed)
        start, goal = _draw(rng, count), _draw(rng, count)
        while (solved := self.distance(start, goal) <= self.rules.radius).any():
            goal["position"][solved] = rng.uniform(-1.0, 1.0, (int(solved.sum()), 2))
        return Tasks(start, goal)

    def distance(self, state: State, goal: State) -> npt.NDArray[np.float64]:
        """Euclidean distance ``[B]`` between the two positions."""
        difference = np.asarray(state["position"], np.float64) - np.asarray(goal["position"], np.float64)
        return np.asarray(np.linalg.norm(difference, axis=-1))

    def simulate(self, state: State, actions: npt.NDArray[np.float32]) -> State:
        """The true dynamics: states ``[B, H, ...]`` after each of the actions ``[B, H, 2]``."""
        steps, now = [], state
        for index in range(actions.shape[1]):
            now = self._push(now, actions[:, index])
            steps.append(now)
        return {name: np.stack([step[name] for step in steps], axis=1) for name in state}

    def expert(self, state: State, goal: State) -> npt.NDArray[np.float32]:
        """The push that makes the mass coast to a stop on the goal, or the nearest to it in the box."""
        velocity, position = np.asarray(state["velocity"], np.float64), np.asarray(state["position"], np.float64)
        coast = np.asarray(goal["position"], np.float64) - position - velocity * self._damping / (1 - self._damping)
        return np.asarray(np.clip(coast * (1 - self._damping) / self._force, -1.0, 1.0), np.float32)

    def drift(self, state: State, horizon: int) -> npt.NDArray[np.float64]:
        """Positions ``[B, 2]`` after ``horizon`` steps without a push."""
        powers = self._damping ** np.arange(1, horizon + 1)
        return np.asarray(state["position"] + powers.sum() * np.asarray(state["velocity"], np.float64))

    def gains(self, horizon: int) -> npt.NDArray[np.float64]:
        """``[H]`` how far each action of ``horizon`` moves the last position; their sum is the reach an axis."""
        left = np.arange(horizon, 0, -1)
        return np.asarray(self._force * (1 - self._damping**left) / (1 - self._damping))

    def optimal(self, state: State, goal: State, horizon: int) -> npt.NDArray[np.float32]:
        """Actions ``[B, H, 2]`` that end as near to the goal as any can: the same push at every step."""
        wanted = np.asarray(goal["position"], np.float64) - self.drift(state, horizon)
        push = np.clip(wanted / self.gains(horizon).sum(), -1.0, 1.0).astype(np.float32)
        return np.repeat(push[:, None], horizon, axis=1)

    def _push(self, state: State, action: npt.NDArray[np.float32]) -> dict[str, npt.NDArray[np.float64]]:
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


def _at_rest(position: npt.NDArray[np.float64]) -> dict[str, npt.NDArray[np.float64]]:
    return {"position": position, "velocity": np.zeros_like(position)}


def _draw(rng: np.random.Generator, count: int) -> dict[str, npt.NDArray[np.float64]]:
    return _at_rest(rng.uniform(-1.0, 1.0, (count, 2)))
