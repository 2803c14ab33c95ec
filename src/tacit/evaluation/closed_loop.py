"""Closed loop: let an actor pursue goals in a world, and count what it reaches.

The rules come from the environment and were fixed before anything was tuned. An actor is given the
modalities that the environment's :class:`tacit.types.Spec` names, of what it sees and of its goal, and
nothing else: no state, no distance, no success. It acts until the step budget is spent, solved or not.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from time import perf_counter
from typing import Any

import numpy as np
import numpy.typing as npt
from torch import Tensor

from tacit._check import has_simulation, require_goals
from tacit._progress import track
from tacit._states import copied, rows_of
from tacit.errors import ConfigError
from tacit.evaluation._interaction import checked_actions, shown
from tacit.evaluation.tasks import held_out_tasks, require_open
from tacit.statistics.intervals import Rate, wilson
from tacit.types import Actor, GoalEnvironment, SimulatedEnvironment, State, TaskRules, Tasks

__all__ = ["ClosedLoop", "Privileged", "closed_loop"]

Floats = npt.NDArray[np.float64]


class Privileged:
    """Marker of actors that receive the true state: a reference, never a competitor."""


@dataclass(frozen=True)
class ClosedLoop:
    """Scores of an actor on held-out tasks.

    Attributes:
        success: Tasks solved by the rules of the environment.
        success_last: Tasks within the radius after the last step.
        success_any: Tasks within the radius after some step.
        solved: ``[n]`` outcome of each task by the rules, for paired comparisons.
        distances: ``[n, budget + 1]`` distance to the goal before and after each step.
        tasks: The start and goal of each task.
        refused: Drawn tasks that were solved at their start and so were replaced; 0 for an environment that
            draws none such.
        rules: Radius, budget and what counts as success.
        seed: The seed of the tasks and, with them, of the actor.
        latency_p50: Median duration of one ``act`` in milliseconds.
        latency_p99: Its 99th percentile.
        decision_p50: Median duration of the calls that planned, where the actor reports them.
        decision_p99: Their 99th percentile.
        batch: Worlds that each of these calls acted for.
        not_ok: Steps of single tasks whose decision was not ``act``.
        privileged: The actor was shown states: an oracle, not a score.
        paths: ``[n, budget + 1, P]`` the physical quantity followed, where the environment has that label.
        goals: ``[n, P]`` the same quantity at the goals.
        frames: ``[k, budget + 1, C, H, W]`` uint8 images of the first tasks, where they were asked for.
        goal_frames: ``[k, C, H, W]`` uint8 images of their goals.
        plans: For the same tasks each plan of an agent, as the step at which it was made and where the true
            dynamics would have led it, ``[k, L, P]``; where ``follow`` is part of the state and the
            environment has ``simulate``.
    """

    success: Rate
    success_last: Rate
    success_any: Rate
    solved: npt.NDArray[np.bool_] = field(repr=False)
    distances: Floats = field(repr=False)
    tasks: Tasks = field(repr=False)
    refused: int
    rules: TaskRules
    seed: int
    latency_p50: float
    latency_p99: float
    decision_p50: float | None
    decision_p99: float | None
    batch: int
    not_ok: int
    privileged: bool
    paths: Floats | None = field(default=None, repr=False)
    goals: Floats | None = field(default=None, repr=False)
    frames: npt.NDArray[np.uint8] | None = field(default=None, repr=False)
    goal_frames: npt.NDArray[np.uint8] | None = field(default=None, repr=False)
    plans: tuple[tuple[int, Floats], ...] = field(default=(), repr=False)

    def __str__(self) -> str:
        rules = self.rules
        when = "after the last step" if rules.success_at == "last" else "at some step"
        return (
            f"{self.success} solved: within {rules.radius:g} {rules.unit} {when}, {rules.budget} steps at most\n"
            f"  act takes {self.latency_p50:.1f} ms (p99 {self.latency_p99:.1f} ms) for {self.batch} worlds at once"
        )


@dataclass
class _Run:
    """The trace of one batch of tasks, in the order of the steps."""

    goal: Floats
    goal_frames: npt.NDArray[np.uint8] | None
    distances: list[Floats] = field(default_factory=list)
    paths: list[Floats] = field(default_factory=list)
    frames: list[npt.NDArray[np.uint8]] = field(default_factory=list)
    plans: list[tuple[int, Floats]] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)
    decisions: list[float] = field(default_factory=list)
    not_ok: int = 0


def closed_loop(
    actor: Actor,
    env: GoalEnvironment,
    episodes: int = 200,
    seed: int = 1,
    *,
    tasks: Tasks | None = None,
    batch: int | None = None,
    follow: str = "position",
    film: int = 0,
    progress: bool | None = None,
) -> ClosedLoop:
    """Let ``actor`` pursue ``episodes`` held-out goals of ``env``, all at once.

    Args:
        actor: Sees observations only; a :class:`Privileged` one sees states instead.
        env: The world; it takes the size of the batch.
        episodes: Tasks.
        seed: Seed of the tasks and of the actor; draw training data with another one.
        tasks: Pursue these, all of them, instead of ``episodes`` that the environment draws.
        batch: Tasks that act together; all of them by default.
        follow: The label whose path is recorded.
        film: Keep the images and the plans of this many tasks of the first batch.
        progress: Show a progress bar; None: on a terminal and in a notebook.

    Raises:
        ConfigError: if the environment has no goals or draws too few tasks that are not solved at the start, or if
            some of the ``tasks`` are.
        SpecError: if the actor's actions have another shape, are not finite or leave the action space.
    """
    if episodes < 1 or (batch is not None and batch < 1):
        raise ConfigError(f"closed_loop needs episodes >= 1 and batch >= 1; got {episodes} and {batch}.")
    require_goals(env, "closed_loop")
    if tasks is None:
        tasks, refused = held_out_tasks(env, episodes, seed)
    else:
        require_open(env, tasks)
        episodes, refused = len(tasks), 0
    size = min(batch or episodes, episodes)
    runs = []
    for first in range(0, episodes, size):
        part = slice(first, min(first + size, episodes))
        start, goal = rows_of(tasks.start, part), rows_of(tasks.goal, part)
        runs.append(_pursue(actor, env, start, goal, seed + first, follow, 0 if first else film, progress))
    distances = np.concatenate([np.stack(run.distances, axis=1) for run in runs])
    inside = distances <= env.rules.radius
    last, ever = inside[:, -1], np.asarray(inside[:, 1:].any(axis=1))
    solved: npt.NDArray[np.bool_] = last if env.rules.success_at == "last" else ever
    seconds = [duration for run in runs for duration in run.seconds]
    decisions = [duration for run in runs for duration in run.decisions]
    return ClosedLoop(
        success=wilson(int(solved.sum()), episodes),
        success_last=wilson(int(last.sum()), episodes),
        success_any=wilson(int(ever.sum()), episodes),
        solved=solved,
        distances=distances,
        tasks=tasks,
        refused=refused,
        rules=env.rules,
        seed=seed,
        latency_p50=_milliseconds(seconds, 50),
        latency_p99=_milliseconds(seconds, 99),
        decision_p50=_milliseconds(decisions, 50) if decisions else None,
        decision_p99=_milliseconds(decisions, 99) if decisions else None,
        batch=size,
        not_ok=sum(run.not_ok for run in runs),
        privileged=isinstance(actor, Privileged),
        paths=_joined([run.paths for run in runs]),
        goals=np.concatenate([run.goal for run in runs]) if runs[0].goal.size else None,
        frames=_joined([runs[0].frames]),
        goal_frames=runs[0].goal_frames,
        plans=tuple(runs[0].plans),
    )


def _pursue(
    actor: Actor,
    env: GoalEnvironment,
    start: State,
    goal: State,
    seed: int,
    follow: str,
    film: int,
    progress: bool | None,
) -> _Run:
    privileged, pixels = isinstance(actor, Privileged), next(iter(env.spec.cameras), None)
    first = env.begin(goal)
    run = _Run(_label(env, follow), np.array(first[pixels][:film], np.uint8) if film and pixels else None)
    target = copied(goal) if privileged else shown(env, first)
    observation = env.begin(start)
    distance = env.distance(env.state(), goal)
    ended = np.zeros(len(distance), np.bool_)
    state = actor.start(seed=seed, batch=len(distance), goal=target)
    steps = env.rules.budget + 1
    for step in track(range(steps), steps, f"steps of {len(distance)} tasks", show=progress):
        run.distances.append(distance)
        run.paths.append(_label(env, follow))
        if film and pixels:
            run.frames.append(np.array(observation[pixels][:film], np.uint8))
        if step == env.rules.budget:
            continue  # what the last action led to is only looked at
        sight = copied(env.state()) if privileged else shown(env, observation)
        began = perf_counter()
        action, verdict, state = actor.act(state, sight)
        run.seconds.append(perf_counter() - began)
        if verdict.plan is not None:
            run.decisions.append(run.seconds[-1])
            if film and has_simulation(env):
                run.plans += _led(env, verdict.plan.actions[:film], step, follow)
        run.not_ok += sum(decision != "act" for decision in verdict.decision)
        transition = env.step(checked_actions(env, action, len(distance)))
        observation = transition.observation
        # Steps after termination do not count: the distance at the end stands.
        distance = np.where(ended, distance, env.distance(env.state(), goal))
        ended = ended | transition.terminated | transition.truncated
    return run


def _led(env: SimulatedEnvironment, rows: Tensor, step: int, follow: str) -> list[tuple[int, Floats]]:
    """Return the states that plans ``[k, H, A]`` of raw actions reach from the current ones.

    Empty where ``follow`` is no part of the simulated states.
    """
    raw = rows.cpu().numpy()
    states = env.simulate(rows_of(env.state(), slice(0, len(raw))), raw.astype(np.float32))
    return [(step, np.array(states[follow], np.float64))] if follow in states else []


def _milliseconds(seconds: list[float], percentile: float) -> float:
    return float(np.percentile(seconds, percentile) * 1e3)


def _label(env: GoalEnvironment, name: str) -> Floats:
    labels = env.labels()
    return np.array(labels[name], np.float64) if name in labels else np.empty((0, 0))


def _joined(parts: list[list[Any]]) -> Any:
    """Join one list of ``T`` arrays ``[B, ...]`` for each batch into ``[n, T, ...]``. None if nothing was recorded."""
    stacked = [np.stack(steps, axis=1) for steps in parts if steps and steps[0].size]
    return np.concatenate(stacked) if stacked else None
