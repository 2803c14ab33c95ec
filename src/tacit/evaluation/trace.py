"""Traces of an actor in an environment: what it did and what came of it, step by step.

Every score of this package is a function of a trace. An actor is given copies of the modalities that the Spec of the
environment names, and nothing else: no state, no distance, no success.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from time import perf_counter
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from tacit._check import require_goals
from tacit._progress import track as show_progress
from tacit._seeds import SCORES, derive_seed
from tacit._states import copied
from tacit.errors import ConfigError
from tacit.evaluation._actors import AnyActor, Privileged, as_actor, goal_of
from tacit.evaluation._interaction import checked_actions, observed
from tacit.evaluation._recorder import Recorder, padded
from tacit.types import Actor, Environment, Observation, Plan, State, Tasks

__all__ = ["Privileged", "Trace", "trace"]

Floats = npt.NDArray[np.float64]

STEPS = 1000
"""Largest number of steps of an episode without tasks, by default."""


@dataclass(frozen=True, eq=False)
class Trace:
    """Record of ``n`` episodes of an actor. An episode that ended early is filled up to ``T`` steps.

    Attributes:
        actions: ``[n, T, A]`` the actions; 0 after the end.
        decisions: ``[n, T]`` ``act``, ``slow`` or ``stop``, see :class:`tacit.types.Verdict`; empty after the end.
        surprise: ``[n, T]`` the surprise of each verdict; NaN after the end.
        rewards: ``[n, T]`` the rewards, 0 after the end; None where the environment gives none.
        success: ``[n, T]`` whether the environment reports success after the step, False after the end; None where it
            reports nothing.
        lengths: ``[n]`` the number of steps of each episode.
        terminated: ``[n]`` whether the environment ended the episode, other than by a time limit.
        distances: ``[n, T + 1]`` the distance to the goal before and after each step; the last one after the end. None
            without tasks.
        labels: By name ``[n, T + 1, P]`` the tracked labels that the environment has.
        goal_labels: By name ``[n, P]`` these labels at the goals; empty without tasks.
        evidence: By name ``[n, T]`` the numbers behind the verdicts; NaN where a verdict has none, and after the end.
        observations: By name ``[k, T + 1, ...]`` the modalities of the first episodes that were asked for.
        goal_observations: By name ``[k, ...]`` the same modalities of their goals.
        states: By name ``[k, T + 1, ...]`` the states of these episodes, in an environment with tasks.
        plans: For the same calls of ``act``, the step of each plan and the plan.
        latencies: Duration of each call of ``act`` in seconds, for all worlds of a batch at once.
        planned: Whether each of these calls made a plan.
        batch: Number of worlds in a call.
        seed: Seed of the episodes and of the actor.
    """

    actions: npt.NDArray[np.float32] = field(repr=False)
    decisions: npt.NDArray[np.character] = field(repr=False)
    surprise: npt.NDArray[np.float32] = field(repr=False)
    rewards: Floats | None = field(repr=False)
    success: npt.NDArray[np.bool_] | None = field(repr=False)
    lengths: npt.NDArray[np.int64] = field(repr=False)
    terminated: npt.NDArray[np.bool_] = field(repr=False)
    distances: Floats | None = field(repr=False)
    labels: Mapping[str, Floats] = field(repr=False)
    goal_labels: Mapping[str, Floats] = field(repr=False)
    evidence: Mapping[str, npt.NDArray[np.float32]] = field(repr=False)
    observations: Observation = field(repr=False)
    goal_observations: Observation = field(repr=False)
    states: State = field(repr=False)
    plans: tuple[tuple[int, Plan], ...] = field(repr=False)
    latencies: Floats = field(repr=False)
    planned: npt.NDArray[np.bool_] = field(repr=False)
    batch: int
    seed: int

    def __len__(self) -> int:
        """Return the number of episodes."""
        return len(self.lengths)

    @property
    def returns(self) -> Floats | None:
        """Return the sum of rewards of each episode ``[n]``; None without rewards."""
        return None if self.rewards is None else np.cumsum(self.rewards, axis=1)[:, -1]

    @property
    def not_acted(self) -> npt.NDArray[np.int64]:
        """Return the number of steps of each episode whose decision was not ``act``, ``[n]``."""
        other = (self.decisions != "act") & (self.decisions != "")
        return np.asarray(other.sum(axis=1), np.int64)

    def solved(self, at: Literal["last", "any"]) -> npt.NDArray[np.bool_] | None:
        """Return whether each episode reported success at its last or at any step, ``[n]``; None without reports."""
        if self.success is None or at == "any":
            return None if self.success is None else np.asarray(self.success.any(axis=1))
        return np.asarray(self.success[np.arange(len(self)), self.lengths - 1])

    def within(self, radius: float, at: Literal["last", "any"]) -> npt.NDArray[np.bool_]:
        """Return whether each episode was near its goal after the last or after any step, ``[n]``.

        Raises:
            ConfigError: without distances.
        """
        if self.distances is None:
            raise ConfigError("a distance to the goal needs tasks; give trace(actor, env, tasks).")
        inside = self.distances <= radius
        return np.asarray(inside[:, -1] if at == "last" else inside[:, 1:].any(axis=1))

    def latency(self, percentile: float, planned: bool = False) -> float | None:
        """Return a percentile of the duration of ``act`` in milliseconds; of the calls that planned, if ``planned``."""
        chosen = self.latencies[self.planned] if planned else self.latencies
        return float(np.percentile(chosen, percentile) * 1e3) if len(chosen) else None


def trace(
    actor: AnyActor,
    env: Environment,
    episodes: int | Tasks = 200,
    seed: int = 1,
    *,
    steps: int | None = None,
    record: Mapping[str, int] | None = None,
    track: str | Sequence[str] = "position",
    progress: bool | None = None,
) -> Trace:
    """Let an actor act in episodes of an environment, and record them.

    ::

        trace = tc.evaluation.trace(agent, env, episodes=20, record={"pixels": 2})
        print(trace.returns, trace.decisions)

    An episode ends where the environment ends it, after ``steps`` steps, or when the budget of its task is spent.
    Without tasks, episode ``i`` is a function of ``(seed, i)``, for any number of worlds.

    Args:
        actor: An agent, a baseline such as :class:`tacit.agent.RandomActor`, an actor with its goal
            (:class:`tacit.collection.Acting`), or a function of the observation of one world.
        env: The environment. With tasks, its batch takes their number.
        episodes: The number of episodes, or tasks of an environment with goals.
        seed: Seed of the episodes and of the actor.
        steps: The largest number of steps; by default 1000, with tasks the budget of their rules.
        record: Modalities whose observations are kept, each with the number of first episodes.
        track: Labels that are recorded after each step.
        progress: Show a progress bar; None: on a terminal and in a notebook.

    Raises:
        ConfigError: if a number is below one, or the environment has no goals for the tasks.
        SpecError: if actions or goals do not fit.
    """
    count = len(episodes) if isinstance(episodes, Tasks) else episodes
    if count < 1 or (steps is not None and steps < 1):
        raise ConfigError(f"trace needs episodes >= 1 and steps >= 1; got {count} and {steps}.")
    found, goal = as_actor(actor, env.spec.action)
    kept, labels = dict(record or {}), (track,) if isinstance(track, str) else track
    if isinstance(episodes, Tasks):
        if goal is not None:
            raise ConfigError("the tasks have goals; give the actor without a goal of its own.")
        return _trace_tasks(found, env, episodes, seed, steps, Recorder(kept, labels), progress)
    if isinstance(found, Privileged):
        raise ConfigError(f"a {type(found).__name__} receives states; give tasks of an environment with goals.")
    batches = [range(first, min(first + env.num_envs, count)) for first in range(0, count, env.num_envs)]
    parts = []
    for batch in show_progress(batches, len(batches), "batches of episodes", show=progress):
        seeds = [derive_seed(seed, SCORES, index) for index in batch]
        seeds += seeds[-1:] * (env.num_envs - len(seeds))  # the last one fills the batch
        observation = env.reset(seeds)
        state = found.start(seed=seeds, batch=env.num_envs, goal=goal_of(env, goal, observation))
        recorder = Recorder({name: most - batch[0] for name, most in kept.items()}, labels)
        allowed = np.full(env.num_envs, steps or STEPS)
        seconds = _act(found, env, observation, state, allowed, recorder, False)
        parts.append(_trace_of(recorder, seconds, len(batch), seed))
    return joined(parts)


def joined(parts: Sequence[Trace], steps: int | None = None) -> Trace:
    """Return the traces of several batches as one, of the seed of the first and with at least ``steps`` steps."""
    first, steps = parts[0], max(steps or 0, *(part.actions.shape[1] for part in parts))

    def whole(arrays: Sequence[Any], length: int, fill: Any = None) -> Any:
        missing = not arrays or any(array is None for array in arrays)
        return None if missing else np.concatenate([padded(array, length, fill) for array in arrays])

    def named(mappings: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
        return {name: whole([one[name] for one in mappings if name in one], steps + 1) for name in mappings[0]}

    def evidence(name: str) -> Any:
        found = [part.evidence.get(name, np.full(part.decisions.shape, np.nan, np.float32)) for part in parts]
        return whole(found, steps, np.nan)

    return Trace(
        actions=whole([part.actions for part in parts], steps, 0),
        decisions=whole([part.decisions for part in parts], steps, ""),
        surprise=whole([part.surprise for part in parts], steps, np.nan),
        rewards=whole([part.rewards for part in parts], steps, 0),
        success=whole([part.success for part in parts], steps, False),
        lengths=np.concatenate([part.lengths for part in parts]),
        terminated=np.concatenate([part.terminated for part in parts]),
        distances=whole([part.distances for part in parts], steps + 1),
        labels=named([part.labels for part in parts]),
        goal_labels={name: np.concatenate([part.goal_labels[name] for part in parts]) for name in first.goal_labels},
        evidence={name: evidence(name) for name in sorted({one for part in parts for one in part.evidence})},
        observations=named([part.observations for part in parts]),
        goal_observations=first.goal_observations,
        states=named([part.states for part in parts]),
        plans=first.plans,
        latencies=np.concatenate([part.latencies for part in parts]),
        planned=np.concatenate([part.planned for part in parts]),
        batch=first.batch,
        seed=first.seed,
    )


def _trace_tasks(
    actor: Actor,
    env: Environment,
    tasks: Tasks,
    seed: int,
    steps: int | None,
    recorder: Recorder,
    progress: bool | None,
) -> Trace:
    """Let an actor pursue tasks, all at once."""
    world = require_goals(env, "trace with tasks")
    first = world.begin(tasks.goal)
    recorder.pursue(world, tasks.goal, first)
    goal = copied(tasks.goal) if isinstance(actor, Privileged) else observed(world, first)
    observation = world.begin(tasks.start)
    state = actor.start(seed=seed, batch=len(tasks), goal=goal)
    allowed = np.full(len(tasks), steps or world.rules.budget)
    if tasks.budget is not None:
        allowed = np.minimum(tasks.budget, allowed)
    seconds = _act(actor, world, observation, state, allowed, recorder, progress)
    return joined([_trace_of(recorder, seconds, len(tasks), seed)], int(allowed.max()))


def _act(
    actor: Actor,
    env: Environment,
    observation: Observation,
    state: Any,
    allowed: npt.NDArray[np.int64],
    recorder: Recorder,
    progress: bool | None,
) -> list[float]:
    """Act ``allowed [B]`` steps at most in each episode; return the duration of each call of ``act`` in seconds."""
    count, steps = len(next(iter(observation.values()))), int(allowed.max())
    ended, seconds = np.zeros(count, np.bool_), []
    recorder.observe(env, observation, ~ended)
    for step in show_progress(range(steps), steps, f"steps of {count} tasks", show=progress):
        given = recorder.state() if isinstance(actor, Privileged) else observed(env, observation)
        began = perf_counter()
        action, verdict, state = actor.act(state, given)
        seconds.append(perf_counter() - began)
        transition, live = env.step(checked_actions(env, action, count)), ~ended
        observation = transition.observation
        ended = ended | transition.terminated | transition.truncated | (step + 1 >= allowed)
        recorder.add(action, verdict, transition, live)
        recorder.observe(env, observation, live)
        if ended.all():
            break
    return seconds


def _trace_of(recorder: Recorder, seconds: list[float], count: int, seed: int) -> Trace:
    """Return the trace of the first ``count`` worlds."""

    def stacked(steps: list[Any], length: int) -> Any:
        return np.stack(steps, axis=1)[:count] if len(steps) == length else None

    steps = len(seconds)
    return Trace(
        actions=stacked(recorder.actions, steps),
        decisions=stacked(recorder.decisions, steps),
        surprise=stacked(recorder.surprise, steps),
        rewards=stacked(recorder.rewards, steps),
        success=stacked(recorder.success, steps),
        lengths=np.sum(recorder.live, axis=0)[:count],
        terminated=np.any(recorder.terminated, axis=0)[:count],
        distances=stacked(recorder.distances, steps + 1),
        labels={name: np.stack(kept, axis=1)[:count] for name, kept in recorder.labels.items()},
        goal_labels=recorder.goal_labels,
        evidence={name: values[:count] for name, values in recorder.evidence_arrays().items()},
        observations={name: np.stack(kept, axis=1) for name, kept in recorder.observations.items()},
        goal_observations=recorder.goal_observations,
        states={name: np.stack([one[name] for one in recorder.states], axis=1) for name in recorder.states[0]}
        if recorder.states
        else {},
        plans=tuple(recorder.plans),
        latencies=np.array(seconds),
        planned=np.array(recorder.planned),
        batch=len(recorder.live[0]),
        seed=seed,
    )
