"""Worlds to act in, what acts in them, and tasks with a known end."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol

import numpy as np
import numpy.typing as npt

from tacit.types.spec import Array, Observation, Spec, State
from tacit.types.verdicts import Verdict

__all__ = [
    "Actor",
    "Environment",
    "ExpertEnvironment",
    "GoalEnvironment",
    "SimulatedEnvironment",
    "TaskRules",
    "Tasks",
    "Transition",
]


@dataclass(frozen=True)
class Transition:
    """What a batch of worlds did in one step.

    Attributes:
        observation: Per modality ``[B, ...]``.
        terminated: ``[B]`` the world ended the episode.
        truncated: ``[B]`` a time limit ended it.
        action: ``[B, A]``, the actions as they were executed, where the environment rounds them.
        reward: ``[B]`` what the step was worth, where the environment says so; 0 for a world that had ended before.
        success: ``[B]`` the task is solved now, where the environment says so.
    """

    observation: Observation
    terminated: npt.NDArray[np.bool_]
    truncated: npt.NDArray[np.bool_]
    action: npt.NDArray[np.float32] | None = None
    reward: npt.NDArray[np.float64] | None = None
    success: npt.NDArray[np.bool_] | None = None


class Environment(Protocol):
    """A batch of worlds in lock-step."""

    @property
    def spec(self) -> Spec:
        """What one world shows and accepts."""

    @property
    def num_envs(self) -> int:
        """Worlds in the batch, ``B``."""

    def reset(self, seed: int | Sequence[int]) -> Observation:
        """Start new episodes, a pure function of ``seed``.

        Args:
            seed: One for the batch, or one for each world: the episode of a world is then a function of
                its own seed, whatever the rest of the batch.
        """

    def step(self, action: npt.NDArray[np.float32]) -> Transition:
        """Apply ``action [B, A]`` (one-hot for a discrete space), clipped to the action space.

        A world that has ended stays as it ended, flags included, until the next reset.
        """

    def labels(self) -> Mapping[str, Array]:
        """Physical quantities ``[B, ...]`` for probes; a model never sees them."""

    def close(self) -> None:
        """Free what the worlds hold."""


class Actor(Protocol):
    """Anything that acts: an agent, an amortised policy, a floor. Its state is a value that you pass."""

    def start(self, *, seed: int | Sequence[int], batch: int = 1, goal: Observation | None = None) -> Any:
        """Return the state of ``batch`` new episodes, with goals ``[B, ...]`` where the task has them.

        ``seed`` is one for the batch, or one for each world.
        """

    def act(self, state: Any, observation: Observation) -> tuple[npt.NDArray[np.float32], Verdict, Any]:
        """Actions ``[B, A]`` for observations ``[B, ...]``, what to think of them, and the next state."""


@dataclass(frozen=True)
class TaskRules:
    """What counts as success: fixed before anything is tuned.

    Attributes:
        radius: A task is solved within this distance of its goal.
        budget: Steps an agent may take.
        success_at: ``last``: solved when the budget is spent; ``any``: solved at some step.
        unit: The unit of ``radius``.
    """

    radius: float
    budget: int
    success_at: Literal["last", "any"]
    unit: str


@dataclass(frozen=True)
class Tasks:
    """Pairs of a start and a goal: states ``[n, ...]`` of the same world."""

    start: State
    goal: State

    def __len__(self) -> int:
        return len(next(iter(self.start.values())))


class GoalEnvironment(Environment, Protocol):
    """An environment whose states can be drawn, shown, set and compared: what evaluation needs."""

    @property
    def rules(self) -> TaskRules:
        """What counts as success."""

    def tasks(self, count: int, seed: int) -> Tasks:
        """Draw start and goal pairs, none of them solved at the start."""

    def begin(self, state: State) -> Observation:
        """Start an episode in each given state; the batch takes its size."""

    def observe(self, state: State) -> Observation:
        """What the given states look like; the running episodes are untouched."""

    def state(self) -> State:
        """The current state of each world."""

    def distance(self, state: State, goal: State) -> npt.NDArray[np.float64]:
        """``[B]`` distance to the goal in the unit of the rules."""


class SimulatedEnvironment(GoalEnvironment, Protocol):
    """A goal environment that computes its dynamics from any state: what the oracle plans with."""

    def simulate(self, state: State, actions: npt.NDArray[np.float32]) -> State:
        """The true dynamics: states ``[B, H, ...]`` that actions ``[B, H, A]`` lead to."""


class ExpertEnvironment(GoalEnvironment, Protocol):
    """A goal environment with a policy of its own that knows the state."""

    def expert(self, state: State, goal: State) -> npt.NDArray[np.float32]:
        """``[B, A]`` an action towards the goal that knows the state; a reference, not a competitor."""
