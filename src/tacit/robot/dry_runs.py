"""Dry run of an agent on a recorded episode: nothing is written to a robot."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from tacit._config import to_json
from tacit._files import resolve, write_atomically
from tacit.agent import BlockActor
from tacit.errors import ConfigError, SpecError
from tacit.robot.clock import Clock, SystemClock
from tacit.robot.commands import Commands
from tacit.robot.executed import after
from tacit.robot.report import Percentiles
from tacit.robot.settings import Limits
from tacit.types import Episode, Observation

__all__ = ["DryRun", "dry_run"]

Floats = npt.NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class DryRun:
    """Result of a dry run of ``T`` steps.

    Attributes:
        commanded: ``[T, A]`` the commands of the agent, within the limits.
        recorded: ``[T, A]`` the recorded actions.
        hz: Cycles per second that the deadlines are those of.
        late: Acts that took longer than a cycle.
        clipped: Commands that a limit changed.
        latency: Milliseconds of an act.
        decisions: The number of verdicts with each decision.
        problems: Each different problem in words, with its number of acts.
    """

    commanded: Floats = field(repr=False)
    recorded: Floats = field(repr=False)
    hz: float
    late: int
    clipped: int
    latency: Percentiles
    decisions: Mapping[str, int]
    problems: Mapping[str, int]

    @property
    def error(self) -> Floats:
        """Return the mean absolute difference ``[A]`` between the commands and the recorded actions."""
        return np.asarray(np.abs(self.commanded - self.recorded).mean(axis=0))

    @property
    def mean_error(self) -> Floats:
        """Return the baseline of :attr:`error`: that of the mean recorded action, which knows the whole episode."""
        return np.asarray(np.abs(self.recorded - self.recorded.mean(axis=0)).mean(axis=0))

    def to_json(self) -> dict[str, Any]:
        """Return the result as JSON values, with the actions."""
        names = ("hz", "late", "clipped", "latency", "decisions", "problems")
        arrays = ("error", "mean_error", "commanded", "recorded")
        found = {name: to_json(vars(self)[name]) for name in names}
        return {**found, **{name: np.asarray(getattr(self, name)).tolist() for name in arrays}}

    def save(self, path: str | Path) -> None:
        """Write the result as a JSON file, atomically."""
        place = resolve(path)
        place.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(place, json.dumps(self.to_json()) + "\n")

    def __str__(self) -> str:
        rows = [
            f"dry run of {len(self.commanded)} steps at {self.hz:g} Hz: {self.late} late, {self.clipped} clipped",
            f"  act      {self.latency}",
            "  verdicts " + ", ".join(f"{count} {name}" for name, count in self.decisions.items()),
            "  mean absolute difference from the recorded action, by component",
            "    agent       " + " ".join(f"{one:8.4f}" for one in self.error),
            "    mean action " + " ".join(f"{one:8.4f}" for one in self.mean_error),
        ]
        rows += [f"  {count:>8} x {problem}" for problem, count in self.problems.items()]
        return "\n".join(rows)


def dry_run(
    agent: BlockActor,
    episode: Episode,
    *,
    goal: Observation | None = None,
    hz: float | None = None,
    limits: Limits | None = None,
    seed: int = 0,
    clock: Clock | None = None,
) -> DryRun:
    """Give a recorded episode to an agent and return what it would have commanded, against the recorded actions.

    Each act sees the recorded past: the agent is told that the recorded action was executed, not its own.

    Args:
        agent: The agent.
        episode: The recorded episode.
        goal: An observation of the goal, without a batch axis; None: the last one of the episode.
        hz: Cycles per second; None: those of the Spec of the agent.
        limits: Limits of commands besides the action space.
        seed: The seed of the agent.
        clock: The clock of the latency, for tests.

    Raises:
        ConfigError: if ``agent`` is no agent, or the limits do not fit.
        SpecError: if the episode does not fit the agent.
    """
    if not isinstance(agent, BlockActor):
        raise ConfigError(f"a dry run needs a tc.Agent or another BlockActor; got a {type(agent).__name__}.")
    _require(agent, episode)
    rate, clock = agent.model.spec.fps if hz is None else hz, clock or SystemClock()
    commands = Commands(agent.model.spec, agent.fallback, limits or Limits(), rate)
    names = list(agent.model.spec.modalities)
    aim = {name: episode.observation[name][-1] for name in names} if goal is None else goal
    state = agent.start(seed=seed, goal={name: np.asarray(value)[None] for name, value in aim.items()})
    given: list[Floats] = []
    seconds, clipped = [], 0
    decisions: Counter[str] = Counter()
    problems: Counter[str] = Counter()
    for step, recorded in enumerate(episode.action):
        observation = {name: episode.observation[name][step : step + 1] for name in names}
        commands.observed(observation)
        began = clock.now()
        action, verdict, state = agent.act(state, observation)
        seconds.append(clock.now() - began)
        command = commands.within(action[0])
        given.append(command.action)
        clipped += int(command.clipped.any())
        decisions[verdict.decision[0]] += 1
        if verdict.reason:
            problems[verdict.reason] += 1
        commands.executed(recorded)
        state = after(state, recorded)
    late = sum(one > 1 / rate for one in seconds)
    commanded = np.stack(given)
    return DryRun(commanded, episode.action, rate, late, clipped, Percentiles.of(seconds), decisions, problems)


def _require(agent: BlockActor, episode: Episode) -> None:
    """Refuse an episode that does not fit.

    Raises:
        SpecError: naming the modality or the action.
    """
    spec = agent.model.spec
    if not len(episode.action) or episode.action.shape[1] != spec.action.size:
        raise SpecError(
            f"a dry run needs an episode with actions of size {spec.action.size}; got actions of shape "
            f"{list(episode.action.shape)}."
        )
    for name, modality in spec.modalities.items():
        if modality.kind == "series":
            raise SpecError(f"a dry run reads pixels and vectors; {name!r} is a series.")
        if name not in episode.observation or episode.observation[name].shape[1:] != modality.shape:
            raise SpecError(
                f"a dry run needs {name!r} of shape [T, {', '.join(map(str, modality.shape))}]; the episode has "
                f"{', '.join(f'{key} {list(value.shape)}' for key, value in episode.observation.items())}."
            )
