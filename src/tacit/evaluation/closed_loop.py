"""Closed loop: an actor pursues held-out goals in a world.

The rules of success come from the environment and were fixed before anything was tuned. The actor acts until the step
budget is spent, solved or not; tasks may have budgets of their own.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from tacit._check import has_simulation, require_goals
from tacit._html import html_table
from tacit._states import tasks_of
from tacit.errors import ConfigError
from tacit.evaluation._actors import AnyActor
from tacit.evaluation.tasks import held_out_tasks, require_open
from tacit.evaluation.trace import Privileged, Trace, joined, trace
from tacit.statistics.intervals import Rate, wilson
from tacit.types import GoalEnvironment, SimulatedEnvironment, TaskRules, Tasks

__all__ = ["ClosedLoop", "closed_loop"]

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class ClosedLoop:
    """Scores of an actor on held-out tasks.

    Attributes:
        success: Share of tasks solved by the rules of the environment.
        success_last: Share of tasks within the radius after the last step.
        success_any: Share of tasks within the radius after some step.
        solved: ``[n]`` outcome of each task by the rules, for paired comparisons.
        trace: The record of all steps, with the decisions of each world.
        tasks: The start and goal of each task.
        replaced: Number of drawn tasks that were solved at their start and replaced.
        rules: Radius, budget and what counts as success.
        privileged: The actor received states: an oracle, not a score.
        plans: For the recorded tasks each plan of an agent, as its step and the tracked label along it under the true
            dynamics, ``[k, L, P]``; where the label is part of the state and the environment has ``simulate``.
        track: The tracked label.
    """

    success: Rate
    success_last: Rate
    success_any: Rate
    solved: npt.NDArray[np.bool_] = field(repr=False)
    trace: Trace = field(repr=False)
    tasks: Tasks = field(repr=False)
    replaced: int
    rules: TaskRules
    privileged: bool
    plans: tuple[tuple[int, Floats], ...] = field(default=(), repr=False)
    track: str = "position"

    @property
    def distances(self) -> Floats:
        """Return the distance to the goal before and after each step, ``[n, budget + 1]``."""
        assert self.trace.distances is not None, "tasks have distances"
        return self.trace.distances

    @property
    def paths(self) -> Floats | None:
        """Return the tracked label ``[n, budget + 1, P]``; None where the environment does not have it."""
        return self.trace.labels.get(self.track)

    @property
    def goals(self) -> Floats | None:
        """Return the tracked label at the goals ``[n, P]``."""
        return self.trace.goal_labels.get(self.track)

    @property
    def frames(self) -> npt.NDArray[np.uint8] | None:
        """Return images ``[k, budget + 1, C, H, W]`` of the first tasks; None where they were not recorded."""
        return next((np.asarray(frames, np.uint8) for frames in self.trace.observations.values()), None)

    @property
    def goal_frames(self) -> npt.NDArray[np.uint8] | None:
        """Return images ``[k, C, H, W]`` of their goals."""
        return next((np.asarray(frames, np.uint8) for frames in self.trace.goal_observations.values()), None)

    @property
    def seed(self) -> int:
        """Return the seed of the tasks and of the actor."""
        return self.trace.seed

    @property
    def batch(self) -> int:
        """Return the number of worlds in a call of ``act``."""
        return self.trace.batch

    @property
    def allowed(self) -> str:
        """Return the number of steps of a task in words, a range where tasks have budgets of their own."""
        budget = self.tasks.budget
        return str(self.rules.budget) if budget is None else f"{budget.min()} to {budget.max()}"

    @property
    def not_ok(self) -> int:
        """Return the number of steps of single tasks whose decision was not ``act``."""
        return int(self.trace.not_acted.sum())

    @property
    def latency_p50(self) -> float:
        """Return the median duration of ``act`` in milliseconds."""
        return self.trace.latency(50) or 0.0

    @property
    def latency_p99(self) -> float:
        """Return the 99th percentile of the duration of ``act`` in milliseconds."""
        return self.trace.latency(99) or 0.0

    @property
    def decision_p50(self) -> float | None:
        """Return the median duration of the calls that planned; None if none did."""
        return self.trace.latency(50, planned=True)

    @property
    def decision_p99(self) -> float | None:
        """Return the 99th percentile of the duration of the calls that planned; None if none did."""
        return self.trace.latency(99, planned=True)

    def __str__(self) -> str:
        rules = self.rules
        when = "after the last step" if rules.success_at == "last" else "at some step"
        return (
            f"{self.success} solved: within {rules.radius:g} {rules.unit} {when}, {self.allowed} steps at most\n"
            f"  act takes {self.latency_p50:.1f} ms (p99 {self.latency_p99:.1f} ms) for {self.batch} worlds at once"
        )

    def _repr_html_(self) -> str:
        """Return a table for notebooks."""
        rates = (("by the rules", self.success), ("last step", self.success_last), ("some step", self.success_any))
        rows = [
            (name, f"{100 * one.rate:.1f} %", f"{100 * one.low:.1f} to {100 * one.high:.1f} %") for name, one in rates
        ]
        rows.append(("duration of act", f"{self.latency_p50:.1f} ms", f"p99 {self.latency_p99:.1f} ms"))
        return html_table(f"{self.success.n} tasks", ("solved", "rate", "95 % interval"), rows)


def closed_loop(
    actor: AnyActor,
    env: GoalEnvironment,
    episodes: int = 200,
    seed: int = 1,
    *,
    tasks: Tasks | None = None,
    batch: int | None = None,
    track: str = "position",
    record_frames: int = 0,
    progress: bool | None = None,
) -> ClosedLoop:
    """Let an actor pursue held-out goals of an environment, all at once.

    Args:
        actor: See :func:`tacit.evaluation.trace`. A :class:`Privileged` one receives states, others observations.
        env: The environment; its batch takes the number of the tasks.
        episodes: The number of tasks.
        seed: Seed of the tasks and of the actor; draw training data with another one.
        tasks: Pursue these, all of them, instead of ``episodes`` that the environment draws.
        batch: The number of tasks that act together; all of them by default.
        track: The label whose path is recorded.
        record_frames: Keep the images and the plans of this many tasks of the first batch.
        progress: Show a progress bar; None: on a terminal and in a notebook.

    Raises:
        ConfigError: if the environment has no goals or draws too few tasks that are not solved at the start, or if
            some of the ``tasks`` are.
        SpecError: if the actor's actions have another shape, are not finite or leave the action space.
    """
    if episodes < 1 or (batch is not None and batch < 1):
        raise ConfigError(f"closed_loop needs episodes >= 1 and batch >= 1; got {episodes} and {batch}.")
    require_goals(env, "closed_loop")
    if tasks is not None:
        require_open(env, tasks)
    tasks, replaced = held_out_tasks(env, episodes, seed) if tasks is None else (tasks, 0)
    size = min(batch or len(tasks), len(tasks))
    camera = next(iter(env.spec.cameras), None)
    record = {camera: min(record_frames, size)} if record_frames and camera else {}
    parts = [
        trace(actor, env, some, seed + first, record={} if first else record, track=track, progress=progress)
        for first, some in _batches(tasks, size)
    ]
    found, rules = joined(parts), env.rules
    last, ever = found.within(rules.radius, "last"), found.within(rules.radius, "any")
    solved = last if rules.success_at == "last" else ever
    return ClosedLoop(
        success=wilson(int(solved.sum()), len(tasks)),
        success_last=wilson(int(last.sum()), len(tasks)),
        success_any=wilson(int(ever.sum()), len(tasks)),
        solved=solved,
        trace=found,
        tasks=tasks,
        replaced=replaced,
        rules=rules,
        privileged=isinstance(actor, Privileged),
        plans=_plan_paths(env, found, track) if has_simulation(env) else (),
        track=track,
    )


def _batches(tasks: Tasks, size: int) -> Iterator[tuple[int, Tasks]]:
    """Yield ``size`` tasks at a time, with the number of the first."""
    for first in range(0, len(tasks), size):
        rows = slice(first, min(first + size, len(tasks)))
        yield first, tasks_of(tasks, rows)


def _plan_paths(env: SimulatedEnvironment, found: Trace, track: str) -> tuple[tuple[int, Floats], ...]:
    """Return the step and the tracked label along each recorded plan; empty where no state has that label."""
    if track not in found.states:
        return ()
    paths, count = [], len(found.states[track])
    for step, plan in found.plans:
        raw = np.asarray(plan.actions[:count].cpu(), np.float32)
        states = env.simulate({name: values[:, step] for name, values in found.states.items()}, raw)
        paths.append((step, np.array(states[track], np.float64)))
    return tuple(paths)
