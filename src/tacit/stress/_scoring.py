"""Scores of an actor on tasks, with one change of what it sees or of its goal."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from tacit._seeds import derive_seed
from tacit._states import copied, tasks_of
from tacit.agent._verdicts import SCORE
from tacit.evaluation.closed_loop import closed_loop
from tacit.stress._perturbation import Perturbation
from tacit.stress.changed_factor import ChangedWorld
from tacit.types import Actor, GoalEnvironment, Observation, Tasks, Verdict, WorldModel

__all__ = ["Scored", "displacement", "scored"]

LEAST = float(np.finfo(np.float32).min)
"""The score of an episode in which the guard has none."""
STARTS = 64
"""Starts whose latents are compared."""


@dataclass(frozen=True)
class Scored:
    """Outcomes of an actor on tasks.

    Attributes:
        allowed: ``[n]`` the tasks that the change allows; the other lists have an entry for each of these.
        solved: Which were solved.
        refused: In which the guard stopped the actor; None without a guard.
        scores: The largest score of the guard in each; None without a guard.
        displacement: See :class:`StressResult`.
    """

    allowed: tuple[bool, ...]
    solved: tuple[bool, ...]
    refused: tuple[bool, ...] | None = None
    scores: tuple[float, ...] | None = None
    displacement: float | None = None


@dataclass(frozen=True)
class _Aimed:
    """An actor that is given goals other than those of the environment.

    Attributes:
        actor: The actor.
        goal: Its goals.
    """

    actor: Actor
    goal: Observation

    def start(self, *, seed: int | Sequence[int], batch: int = 1, goal: Observation | None = None) -> Any:
        """See :class:`tacit.types.Actor`."""
        del goal
        return self.actor.start(seed=seed, batch=batch, goal=self.goal)

    def act(self, state: Any, observation: Observation) -> tuple[npt.NDArray[np.float32], Verdict, Any]:
        """See :class:`tacit.types.Actor`."""
        return self.actor.act(state, observation)


def scored(
    actor: Actor,
    make: Callable[[], GoalEnvironment],
    tasks: Tasks,
    seed: int,
    batch: int,
    perturbation: Perturbation | None = None,
    on: str = "observation",
) -> Scored:
    """Let an actor pursue tasks, ``batch`` at a time.

    Args:
        actor: The actor.
        make: Makes the environment.
        tasks: The tasks of the environment without a change.
        seed: Seed of the actor and of the change.
        batch: Tasks that act together.
        perturbation: The change; None: there is none.
        on: ``observation``, ``goal`` or ``both``.
    """
    allowed, solved, refused, scores = list[bool](), list[bool](), list[bool](), list[float]()
    for first in range(0, len(tasks), batch):
        some = tasks_of(tasks, slice(first, first + batch))
        plain, fault = make(), derive_seed(seed, first)
        world = plain if perturbation is None else perturbation(make(), fault)
        possible = np.ones(len(some), np.bool_)
        if isinstance(world, ChangedWorld):
            some, possible = world.changed(some)
            some, on = tasks_of(some, possible), "both"
        allowed += possible.tolist()
        if not possible.any():
            continue
        shown = copied((plain if on == "observation" else world).begin(some.goal))
        found = closed_loop(
            _Aimed(actor, shown), plain if on == "goal" else world, tasks=some, seed=seed + first, progress=False
        )
        solved += found.solved.tolist()
        if SCORE in found.trace.evidence:
            refused += (found.trace.decisions == "stop").any(axis=1).tolist()
            scores += np.nanmax(np.nan_to_num(found.trace.evidence[SCORE], nan=LEAST), axis=1).tolist()
    guarded = len(scores) == len(solved) > 0
    kept = (tuple(refused), tuple(scores)) if guarded else (None, None)
    return Scored(tuple(allowed), tuple(solved), *kept)


def displacement(
    model: WorldModel, make: Callable[[], GoalEnvironment], tasks: Tasks, seed: int, perturbation: Perturbation
) -> float:
    """Return the mean squared change of the latents of starts, in the mean squared difference of two of them."""
    some = tasks_of(tasks, slice(0, STARTS))
    world = perturbation(make(), derive_seed(seed, 0))
    if isinstance(world, ChangedWorld):
        changed, possible = world.changed(some)
        some, there = tasks_of(some, possible), tasks_of(changed, possible)
    else:
        there = some
    if len(some) < 2:
        return 0.0
    with torch.no_grad():
        clean = model.encode(make().begin(some.start))
        moved = model.encode(world.begin(there.start))
    usual = 2 * clean.var(dim=0).sum()
    return float((moved - clean).square().sum(dim=1).mean() / usual)
