"""The values and protocols of planning: a problem, its score, its noise and the plan."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt

from tacit._arrays import Numbers
from tacit.types.spaces import ActionSpace, Box

__all__ = ["ActionConstraint", "Iteration", "Noise", "Numbers", "Plan", "Planner", "Problem", "Score", "Scored"]


@dataclass(frozen=True)
class Scored:
    """The score of candidates.

    Attributes:
        energy: ``[B, S]``, low is good; one that is not finite never wins.
        violation: ``[B, S]`` amount by which a candidate breaks the constraints; 0 or less is feasible, and one that
            is not finite counts as an energy that is not. None: there are no constraints.
        terms: Parts of the energy ``[B, S]`` by name, for inspection.
    """

    energy: Numbers
    violation: Numbers | None = None
    terms: Mapping[str, Numbers] = field(default_factory=dict)


class Score(Protocol):
    """The score of candidate actions; the only thing a planner knows about a world."""

    def __call__(self, actions: Numbers, /) -> Scored | Numbers:
        """Return the score of raw actions ``[B, S, H, A]``. Without constraints, energies ``[B, S]`` suffice."""


class Noise(Protocol):
    """Random numbers with a separate stream for each world.

    A number is a function of its world's seed, the step, the round and its index, on any device and in any batch.
    """

    def __len__(self) -> int:
        """Return the number of worlds ``B``."""

    def normal(self, round: int, shape: tuple[int, ...], /) -> npt.NDArray[np.float32]:
        """Return standard normal numbers ``[B, *shape]``."""

    def uniform(self, round: int, shape: tuple[int, ...], /) -> npt.NDArray[np.float32]:
        """Return numbers ``[B, *shape]``, uniform in ``[0, 1)``."""

    def exponential(self, round: int, shape: tuple[int, ...], /) -> npt.NDArray[np.float32]:
        """Return exponential numbers ``[B, *shape]`` of mean 1."""

    def spawn(self, stream: int, /) -> Noise:
        """Return independent noise of the same worlds, for another use at the same step."""


@dataclass(frozen=True)
class Problem:
    """A search for the best actions of a batch of worlds.

    Attributes:
        score: Rates candidates.
        space: The space of one row of a plan.
        horizon: Rows ``H`` of a plan.
        noise: The only source of randomness; its length is the number of worlds ``B``.
        device: The torch device to search on. None: the search runs on NumPy arrays.
        warm_start: ``[B, H, A]`` the start of the search.
        proposals: ``[B, P, H, A]`` candidates to rate in the first round.
        project: Maps sequences ``[B, ..., H, A]`` inside the space to the nearest allowed ones, in a new array, and
            does not change allowed ones. A result may be outside the space. Every candidate and the plan are results
            of it. For a :class:`Box`. None: all are allowed.
        stop: Called after each chunk of candidates; True ends the search with the best plan so far. None: all rounds
            run.
        chunk: Candidates of a world to rate between two calls of ``stop``. None: those of a round.
        exact: Rates the best candidates again at the end, where ``score`` is an approximation of it. The plan is the
            best of them by this score. None: ``score`` is exact.
    """

    score: Score
    space: ActionSpace
    horizon: int
    noise: Noise
    device: Any = None
    warm_start: Numbers | None = None
    proposals: Numbers | None = None
    project: Callable[[Numbers], Numbers] | None = None
    stop: Callable[[], bool] | None = None
    chunk: int | None = None
    exact: Score | None = None

    @property
    def batch(self) -> int:
        """Return the number of worlds ``B``."""
        return len(self.noise)


@dataclass(frozen=True)
class Iteration:
    """The record of one round of a planner, for inspection.

    Attributes:
        best: ``[B]`` energy of the best candidate so far.
        mean: ``[B]`` mean of the finite energies of this round; NaN where there is none.
        elite: ``[B, H, A]`` mean of the search distribution after the round.
        spread: ``[B, H, A]`` its standard deviation (probability for a discrete space).
        rejected: ``[B]`` number of candidates whose score was not finite.
    """

    best: Numbers
    mean: Numbers
    elite: Numbers
    spread: Numbers
    rejected: Numbers


@dataclass(frozen=True)
class Plan:
    """The result of a search.

    Attributes:
        actions: ``[B, H, A]`` actions inside the action space, undefined in a world that failed: rows of the problem
            from a planner, raw actions from a decider.
        energy: ``[B]`` their energy; infinite in a world that failed.
        trace: One entry for each iteration.
        evaluations: Candidates rated for each element of the batch.
        violation: ``[B]`` amount by which the actions break the constraints; None where there are none.
        ended: ``complete``: all rounds ran; ``stopped``: ``Problem.stop`` ended the search.
        reasons: ``[B]`` the reason in words where a world failed, from a decider.
        slacks: ``[B, H]`` the predicted slack of each block of the actions by the name of the constraint, from a
            decider; see :class:`tacit.types.MarginConstraint`.
        evidence: Further numbers ``[B]`` behind the decision by name, from a decider.
    """

    actions: Numbers
    energy: Numbers
    trace: tuple[Iteration, ...]
    evaluations: int
    violation: Numbers | None = None
    ended: Literal["complete", "stopped"] = "complete"
    reasons: tuple[str, ...] = ()
    slacks: Mapping[str, Numbers] = field(default_factory=dict)
    evidence: Mapping[str, Numbers] = field(default_factory=dict)

    def __str__(self) -> str:
        """Return one line: the number of actions and worlds, the energies and what the search took."""
        worlds, horizon, size = self.actions.shape
        energies = ", ".join(f"{float(energy):.4g}" for energy in self.energy[:4]) + (", ..." if worlds > 4 else "")
        shape = f"{horizon} actions of {size} numbers for {worlds} world{'s' * (worlds != 1)}"
        return f"plan of {shape}, energy {energies}; {self.ended} after {self.evaluations} candidates"

    @property
    def failed(self) -> Numbers:
        """Return ``[B]`` flags of the worlds in which no candidate had a finite score."""
        return ~(abs(self.energy) < float("inf"))

    @property
    def infeasible(self) -> Numbers:
        """Return ``[B]`` flags of the worlds in which every candidate broke the constraints."""
        return self.failed & False if self.violation is None else self.violation > 0


class Planner(Protocol):
    """A search of an action space for a sequence of low energy. Holds configuration, never state."""

    def __call__(self, problem: Problem, /) -> Plan:
        """Plan for all worlds of a problem at once.

        The plan is the best rated candidate: the one of lowest energy among those that break no constraint, else the
        one of least violation. Doing nothing is rated in the first round if that has two candidates or more. The plan
        of a world depends neither on the other worlds nor on its index among them.

        Raises:
            PlanningError: if the warm start or a proposal is not finite.
            SpecError: if the score returns anything but the declared type and shape, or the hints do not fit.
        """


@runtime_checkable
class ActionConstraint(Protocol):
    """A restriction of actions that holds without exception. Holds configuration, never state."""

    def limited(self, space: Box, /) -> Box:
        """Return the part of the space that is allowed at all times.

        Raises:
            ConfigError: if the constraint does not fit the space or leaves nothing of it.
        """

    def after(self, previous: Numbers, /) -> tuple[Numbers, Numbers] | None:
        """Return the lowest and the highest action ``[..., A]`` that may follow the action ``previous [..., A]``.

        ``previous`` lies between them. None: any action may follow.
        """
