"""Protocols of environments and actors, and tasks with goals."""

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
    """The result of one step of a batch of worlds.

    Attributes:
        observation: Per modality ``[B, ...]``.
        terminated: ``[B]`` the world ended the episode.
        truncated: ``[B]`` a time limit ended it.
        action: ``[B, A]``, the executed actions, where the environment rounds them.
        reward: ``[B]`` the reward of the step, where the environment gives one; 0 for a world that had ended before.
        success: ``[B]`` the task is solved now, where the environment reports it.
        reasons: ``[B]`` the reason in words of a world that is truncated, where the environment gives it; else empty.
    """

    observation: Observation
    terminated: npt.NDArray[np.bool_]
    truncated: npt.NDArray[np.bool_]
    action: npt.NDArray[np.float32] | None = None
    reward: npt.NDArray[np.float64] | None = None
    success: npt.NDArray[np.bool_] | None = None
    reasons: tuple[str, ...] = ()


class Environment(Protocol):
    """A batch of worlds that step together."""

    @property
    def spec(self) -> Spec:
        """Return the Spec of one world."""

    @property
    def num_envs(self) -> int:
        """Return the number of worlds in the batch, ``B``."""

    def reset(self, seed: int | Sequence[int]) -> Observation:
        """Start new episodes, a pure function of ``seed``.

        Args:
            seed: One for the batch, or one for each world: the episode of a world is then a function of
                its own seed, whatever the other worlds.
        """

    def step(self, action: npt.NDArray[np.float32]) -> Transition:
        """Apply ``action [B, A]`` (one-hot for a discrete space), clipped to the action space.

        A world that has ended keeps its last state, flags included, until the next reset.
        """

    def labels(self) -> Mapping[str, Array]:
        """Return physical quantities ``[B, ...]`` for probes; a model never receives them."""

    def close(self) -> None:
        """Free the resources of the worlds."""


class Actor(Protocol):
    """A source of actions: an agent, an amortised policy, a baseline. Its state is a value that you pass."""

    def start(self, *, seed: int | Sequence[int], batch: int = 1, goal: Observation | None = None) -> Any:
        """Return the state of ``batch`` new episodes, with goals ``[B, ...]`` where the task has them.

        ``seed`` is one for the batch, or one for each world.
        """

    def act(self, state: Any, observation: Observation) -> tuple[npt.NDArray[np.float32], Verdict, Any]:
        """Return actions ``[B, A]`` for observations ``[B, ...]``, the verdict on them, and the next state."""


@dataclass(frozen=True)
class TaskRules:
    """The definition of success, fixed before any method is tuned.

    Attributes:
        radius: A task is solved within this distance of its goal.
        budget: Largest number of steps of an agent; tasks may have smaller ones of their own.
        success_at: ``last``: solved when the budget is spent; ``any``: solved at some step.
        unit: The unit of ``radius``.
    """

    radius: float
    budget: int
    success_at: Literal["last", "any"]
    unit: str


@dataclass(frozen=True)
class Tasks:
    """Pairs of a start and a goal, as states ``[n, ...]`` of the same world.

    Attributes:
        start: States at the start.
        goal: States to reach.
        budget: ``[n]`` largest number of steps of each task; None: the budget of the rules for all.
    """

    start: State
    goal: State
    budget: npt.NDArray[np.int64] | None = None

    def __len__(self) -> int:
        return len(next(iter(self.start.values())))


class GoalEnvironment(Environment, Protocol):
    """An environment whose states can be drawn, shown, set and compared, as evaluation needs."""

    @property
    def rules(self) -> TaskRules:
        """Return the definition of success."""

    def tasks(self, count: int, seed: int) -> Tasks:
        """Draw start and goal pairs, none of them solved at the start."""

    def begin(self, state: State) -> Observation:
        """Start an episode in each given state; the batch takes its size."""

    def observe(self, state: State) -> Observation:
        """Return the observation of the given states; running episodes do not change."""

    def state(self) -> State:
        """Return the current state of each world."""

    def distance(self, state: State, goal: State) -> npt.NDArray[np.float64]:
        """Compute the distance ``[B]`` to the goal in the unit of the rules."""


class SimulatedEnvironment(GoalEnvironment, Protocol):
    """A goal environment that computes its dynamics from any state; the oracle plans with it."""

    def simulate(self, state: State, actions: npt.NDArray[np.float32]) -> State:
        """Compute the true states ``[B, H, ...]`` after each of the actions ``[B, H, A]``."""


class ExpertEnvironment(GoalEnvironment, Protocol):
    """A goal environment with its own expert policy that knows the state."""

    def expert(self, state: State, goal: State) -> npt.NDArray[np.float32]:
        """Compute an action ``[B, A]`` towards the goal from the true state. It is a reference, not a competitor."""
