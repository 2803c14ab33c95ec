"""Recorder of one batch of episodes, step by step."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from tacit._states import copied
from tacit.errors import ConfigError, SpecError
from tacit.types import Environment, GoalEnvironment, Observation, Plan, State, Transition, Verdict

__all__ = ["Recorder", "padded"]


class Recorder:
    """Growing lists of arrays ``[B, ...]``, one for each step.

    Args:
        record: Modalities to keep, each with the number of first worlds.
        track: The labels to keep, of those that the environment has.
    """

    def __init__(self, record: Mapping[str, int], track: Sequence[str]) -> None:
        self._record = {name: count for name, count in record.items() if count > 0}
        self._track = tuple(track)
        self._env: GoalEnvironment | None = None
        self._goal: State = {}
        self.actions: list[npt.NDArray[np.float32]] = []
        self.decisions: list[npt.NDArray[np.str_]] = []
        self.surprise: list[npt.NDArray[np.float32]] = []
        self.rewards: list[npt.NDArray[np.float64]] = []
        self.success: list[npt.NDArray[np.bool_]] = []
        self.live: list[npt.NDArray[np.bool_]] = []
        self.terminated: list[npt.NDArray[np.bool_]] = []
        self.distances: list[npt.NDArray[np.float64]] = []
        self.labels: dict[str, list[npt.NDArray[np.float64]]] = {}
        self.goal_labels: dict[str, npt.NDArray[np.float64]] = {}
        self.evidence: dict[str, dict[int, npt.NDArray[np.float32]]] = {}
        self.goal_observations: dict[str, npt.NDArray[Any]] = {}
        self.observations: dict[str, list[npt.NDArray[Any]]] = {name: [] for name in self._record}
        self.states: list[State] = []
        self.plans: list[tuple[int, Plan]] = []
        self.planned: list[bool] = []

    def pursue(self, env: GoalEnvironment, goal: State, observation: Observation) -> None:
        """Record the goals, at which the environment is now, and later the distances to them."""
        self._env, self._goal = env, goal
        self.goal_labels = self._labels(env)
        self.goal_observations = self._images(env, observation)

    def state(self) -> State:
        """Return a copy of the current states.

        Raises:
            ConfigError: without goals.
        """
        if self._env is None:
            raise ConfigError("states need tasks of an environment with goals.")
        return copied(self._env.state())

    def observe(self, env: Environment, observation: Observation, live: npt.NDArray[np.bool_]) -> None:
        """Record what follows a step, or the start; a world that is not ``live`` keeps its distance."""
        for name, values in self._labels(env).items():
            self.labels.setdefault(name, []).append(values)
        for name, values in self._images(env, observation).items():
            self.observations[name].append(values)
        if self._env is None:
            return
        distance = self._env.distance(self._env.state(), self._goal)
        self.distances.append(np.where(live, distance, self.distances[-1]) if self.distances else distance)
        if self._record:
            most = max(self._record.values())
            self.states.append({name: np.array(values[:most]) for name, values in self._env.state().items()})

    def _labels(self, env: Environment) -> dict[str, npt.NDArray[np.float64]]:
        labels = env.labels()
        return {name: np.array(labels[name], np.float64) for name in self._track if name in labels}

    def _images(self, env: Environment, observation: Observation) -> dict[str, npt.NDArray[Any]]:
        known = env.spec.modalities
        for name in self._record:
            if name not in known:
                raise ConfigError(f"no modality {name!r} to record; there are {', '.join(known)}.")
        return {name: np.array(observation[name][:count], known[name].dtype) for name, count in self._record.items()}

    def add(self, action: Any, verdict: Verdict, transition: Transition, live: npt.NDArray[np.bool_]) -> None:
        """Record a step; worlds that are not ``live`` count nothing.

        Raises:
            SpecError: if the verdict is not one of each world.
        """
        shapes = (len(verdict.decision),), np.shape(verdict.surprise)
        if shapes != (live.shape, live.shape):
            raise SpecError(
                f"a verdict needs a decision and a surprise for each of {len(live)} worlds; got "
                f"{list(shapes[0])} and {list(shapes[1])}. A rollout must return [B, H, D] for actions [B, H, A]."
            )
        self.actions.append(np.where(live[:, None], np.asarray(action, np.float32), 0))
        self.decisions.append(np.where(live, np.array(verdict.decision, "<U4"), ""))
        self.surprise.append(np.where(live, np.asarray(verdict.surprise, np.float32), np.nan))
        if transition.reward is not None:
            self.rewards.append(np.where(live, np.asarray(transition.reward, np.float64), 0))
        if transition.success is not None:
            self.success.append(live & transition.success)
        self.terminated.append(live & transition.terminated)
        for name, values in verdict.evidence.items():
            found = np.where(live, np.asarray(values, np.float32), np.nan)
            self.evidence.setdefault(name, {})[len(self.live)] = found
        self.planned.append(verdict.plan is not None)
        if self._record and verdict.plan is not None:
            self.plans.append((len(self.live), verdict.plan))
        self.live.append(live)

    def evidence_arrays(self) -> dict[str, npt.NDArray[np.float32]]:
        """Return the evidence of the verdicts ``[B, T]`` by name; NaN at steps without it."""
        steps, worlds = len(self.live), len(self.live[0])
        found = {name: np.full((worlds, steps), np.nan, np.float32) for name in self.evidence}
        for name, rows in self.evidence.items():
            for step, values in rows.items():
                found[name][:, step] = values
        return found


def padded(array: npt.NDArray[Any], length: int, fill: Any = None) -> npt.NDArray[Any]:
    """Return ``array [n, T, ...]`` with ``length`` entries along the second axis; None: the last one is repeated."""
    missing = length - array.shape[1]
    last = array[:, -1:] if fill is None else np.full_like(array[:, -1:], fill)
    return array if missing <= 0 else np.concatenate([array, np.repeat(last, missing, axis=1)], axis=1)
