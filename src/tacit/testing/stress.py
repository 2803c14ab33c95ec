"""Conformance suite of perturbations."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from tacit._check import has_goals
from tacit._states import copied, tasks_of
from tacit.stress import Perturbation
from tacit.testing._promises import expect
from tacit.testing.environments import actions
from tacit.types import GoalEnvironment, Observation, Tasks

__all__ = ["check_perturbation"]

WORLDS, STEPS = 4, 20


def check_perturbation(perturbation: Perturbation, make: Callable[[], GoalEnvironment]) -> None:
    """Check that a perturbation keeps the promises of :class:`tacit.stress.Perturbation`.

    Args:
        perturbation: A perturbation that begins within 20 steps.
        make: Makes an environment, such as :class:`tacit.envs.TwoRooms`.

    Raises:
        AssertionError: naming the promise that is broken.
    """
    env = perturbation(make(), 0)
    expect(has_goals(env), "it must return an environment with goals")
    expect(env.spec == make().spec, "the Spec must not change")
    tasks = env.tasks(WORLDS, 5)
    expect(len(tasks) == WORLDS, "it must draw as many tasks as it is asked for")
    moves = actions(env.spec, WORLDS, 3, STEPS)
    first = _episode(env, tasks, moves)
    expect(_same(_episode(env, tasks, moves), first), "a second episode must have the same faults")
    expect(_same(_episode(perturbation(make(), 0), tasks, moves), first), "equal seeds must have equal faults")
    plain = make()
    original = _episode(plain, plain.tasks(WORLDS, 5), moves)
    expect(not _same(original, first), "it must change something")
    expect(all({*one} <= {*two} for one, two in zip(first, original, strict=True)), "it must not add a modality")
    some = tasks_of(tasks, np.arange(WORLDS) < 2)
    fewer = _episode(perturbation(make(), 0), some, moves[:, :2])
    for one, few in zip(first, fewer, strict=True):
        common = few.keys() & one.keys()
        alone, both = ({name: rows[name][:2] for name in common} for rows in (few, one))
        expect(_same([alone], [both]), "a world must not depend on the others")


def _episode(env: GoalEnvironment, tasks: Tasks, moves: npt.NDArray[np.float32]) -> list[Observation]:
    """Return the observations of one episode of each task."""
    shown = [copied(env.begin(tasks.start))]
    shown.extend(copied(env.step(action).observation) for action in moves)
    return shown


def _same(one: list[Observation], two: list[Observation]) -> bool:
    """Return whether two episodes are equal, NaN included."""
    return all(
        first.keys() == second.keys()
        and all(np.array_equal(first[name], second[name], equal_nan=first[name].dtype.kind == "f") for name in first)
        for first, second in zip(one, two, strict=True)
    )
