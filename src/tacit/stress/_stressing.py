"""A stress test: success with and without each change, on the same tasks."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, get_args

import numpy as np
import numpy.typing as npt

from tacit import envs
from tacit._config import from_json, to_json
from tacit._files import read_json, resolve, write_atomically
from tacit._progress import track
from tacit._workers import Workers
from tacit.agent import Agent, RandomActor
from tacit.errors import ConfigError
from tacit.evaluation import held_out_tasks
from tacit.statistics import wilson
from tacit.statistics.intervals import paired
from tacit.stress._graded import SEVERITIES
from tacit.stress._results import On, StressCase, StressResult, StressTest
from tacit.stress._scoring import Scored, displacement, scored
from tacit.stress._suite import Change, suite
from tacit.types import GoalEnvironment, Tasks

__all__ = ["stress_test"]

CLEAN = "clean"


def stress_test(
    agent: Agent,
    env: str | Callable[[], GoalEnvironment],
    *,
    episodes: int = 200,
    seed: int = 1,
    severities: Sequence[int] = (3,),
    on: Sequence[On] = ("observation",),
    changes: Sequence[str] = (),
    to: str | Path | None = None,
    batch: int = 50,
    workers: int = 1,
    progress: bool | None = None,
) -> StressTest:
    """Test an agent on the same tasks with and without each change.

    Args:
        agent: The agent.
        env: The name of an environment with goals, or a function that makes it.
        episodes: Tasks.
        seed: Seed of the tasks, of the agent and of the changes.
        severities: 1 to 5.
        on: What is changed. Other changes than those of images are tested on the observation alone.
        changes: Names of changes or families; none: all that the environment allows.
        to: A folder for the result of each case; cases that it holds are not tested again. None: nothing is kept.
        batch: Tasks that act together.
        workers: Processes; more than one need a folder, and an environment by its name.
        progress: Show a progress bar; None: on a terminal and in a notebook.

    Raises:
        ConfigError: if an option is out of range, or the folder holds another test.
    """
    config = _config(agent, env, episodes, seed)
    _check(severities, on, workers, to, env)
    place = None if to is None else _opened(resolve(to), config)
    runner = _Runner(agent, env, episodes, seed, batch, place)
    cases = tuple(_cases(suite(runner.make(), changes), severities, on))
    clean, random = runner.clean(), runner.random()
    waiting = [case for case in cases if runner.known(case) is None]
    for _ in track(_solved(runner, waiting, workers), len(waiting), "changes", show=progress):
        pass
    results = tuple(_result(case, found, clean) for case in cases if (found := runner.known(case)) is not None)
    refused = None if clean.refused is None else wilson(sum(clean.refused), len(clean.refused))
    solved, by_chance = (wilson(sum(one.solved), len(one.solved)) for one in (clean, random))
    return StressTest(solved, by_chance, refused, results, config)


class _Runner:
    """Scores of one agent, kept in memory and in a folder."""

    def __init__(
        self,
        agent: Agent,
        env: str | Callable[[], GoalEnvironment],
        episodes: int,
        seed: int,
        batch: int,
        to: Path | None,
    ) -> None:
        self._agent, self._env, self._episodes, self._seed = agent, env, episodes, seed
        self._batch, self._to = batch, to
        self._found: dict[str, Scored] = {}
        self._tasks: Tasks | None = None

    def make(self) -> GoalEnvironment:
        """Return a new environment."""
        return envs.make_goal(self._env) if isinstance(self._env, str) else self._env()

    def clean(self) -> Scored:
        """Return the scores without a change."""
        return self._once(CLEAN, lambda: scored(self._agent, self.make, self.tasks, self._seed, self._batch))

    def random(self) -> Scored:
        """Return the scores of random actions."""
        actor = RandomActor(self._agent.space, repeat=self._agent.frameskip)
        return self._once("random", lambda: scored(actor, self.make, self.tasks, self._seed, self._batch))

    def run(self, case: StressCase) -> StressCase:
        """Test one case."""
        (change,) = suite(self.make(), [case.change])
        perturbation = change.at(case.severity)

        def found() -> Scored:
            score = scored(self._agent, self.make, self.tasks, self._seed, self._batch, perturbation, case.on)
            moved = displacement(self._agent.model, self.make, self.tasks, self._seed, perturbation)
            return replace(score, displacement=moved)

        self._once(str(case), found)
        return case

    def known(self, case: StressCase) -> Scored | None:
        """Return the scores of a case, if it was tested."""
        return self._read(str(case))

    @property
    def tasks(self) -> Tasks:
        """Return the tasks."""
        if self._tasks is None:
            self._tasks, _ = held_out_tasks(self.make(), self._episodes, self._seed)
        return self._tasks

    def _once(self, name: str, find: Callable[[], Scored]) -> Scored:
        found = self._read(name)
        if found is None:
            self._found[name] = found = find()
            if self._to is not None:
                write_atomically(self._path(name), json.dumps(to_json(found), allow_nan=False))
        return found

    def _read(self, name: str) -> Scored | None:
        if name not in self._found and self._to is not None and self._path(name).exists():
            self._found[name] = from_json(Scored, read_json(self._path(name)))
        return self._found.get(name)

    def _path(self, name: str) -> Path:
        assert self._to is not None
        return self._to / "cases" / f"{name.replace(' ', '_').replace(',', '')}.json"


def _solved(runner: _Runner, waiting: Sequence[StressCase], workers: int) -> Iterator[StressCase]:
    """Test cases, here or in processes."""
    if workers == 1 or len(waiting) < 2:
        yield from map(runner.run, waiting)
        return
    with Workers([lambda: runner] * min(workers, len(waiting)), "stress test") as processes:
        yield from processes.map("run", waiting)


def _cases(changes: Sequence[Change], severities: Sequence[int], on: Sequence[On]) -> Iterator[StressCase]:
    """Yield the cases; what is no image is changed while the agent acts."""
    for change in changes:
        for severity in severities:
            for what in on if change.of_images else [one for one in on if one == "observation"]:
                yield StressCase(change.name, change.family, severity, what)


def _result(case: StressCase, found: Scored, clean: Scored) -> StressResult:
    """Return the result of a case, on the tasks that the change allows."""
    allowed = np.array(found.allowed, np.bool_)
    before, after = np.array(clean.solved, np.bool_)[allowed], np.array(found.solved, np.bool_)
    refused = acted = area = None
    if found.refused is not None and found.scores is not None and clean.scores is not None:
        stopped = np.array(found.refused, np.bool_)
        refused = wilson(int(stopped.sum()), len(stopped))
        acted = None if stopped.all() else wilson(int(after[~stopped].sum()), int((~stopped).sum()))
        area = auroc(np.array(clean.scores)[allowed], np.array(found.scores))
    return StressResult(
        case,
        wilson(int(after.sum()), len(after)),
        wilson(int(before.sum()), len(before)),
        paired(after, before),
        found.displacement,
        refused,
        acted,
        area,
    )


def auroc(clean: npt.NDArray[np.float64], changed: npt.NDArray[np.float64]) -> float:
    """Return the chance that a changed episode scores above a clean one; equal scores count half."""
    order = np.sort(clean)
    below = np.searchsorted(order, changed, "left") + np.searchsorted(order, changed, "right")
    return float(below.mean() / (2 * len(clean)))


def _config(agent: Agent, env: str | Callable[[], GoalEnvironment], episodes: int, seed: int) -> dict[str, Any]:
    name = env if isinstance(env, str) else getattr(env, "__qualname__", type(env).__name__)
    return {"agent": agent.digest(), "env": name, "episodes": episodes, "seed": seed}


def _check(severities: Sequence[int], on: Sequence[str], workers: int, to: str | Path | None, env: object) -> None:
    if not severities or any(one not in SEVERITIES for one in severities):
        raise ConfigError(f"severities are 1 to 5; got {list(severities)}.")
    if not on or any(one not in get_args(On) for one in on):
        raise ConfigError(f"a change is on 'observation', 'goal' or 'both'; got {list(on)}.")
    if workers < 1 or (workers > 1 and (to is None or not isinstance(env, str))):
        raise ConfigError(
            f"stress needs workers >= 1, and for several a folder (to) and the name of an environment; got {workers}."
        )


def _opened(to: Path, config: Mapping[str, Any]) -> Path:
    """Return a folder of cases, which belongs to one test.

    Raises:
        ConfigError: if it belongs to another one, naming what differs.
    """
    (to / "cases").mkdir(parents=True, exist_ok=True)
    note = to / "stress.json"
    if note.exists():
        there = read_json(note)
        for name, value in config.items():
            if there.get(name) != value:
                raise ConfigError(
                    f"{to} holds a stress test with {name} {there.get(name)!r}; got {value!r}. Choose another folder."
                )
    else:
        write_atomically(note, json.dumps(dict(config)))
    return to
