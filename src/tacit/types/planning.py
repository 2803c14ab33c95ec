"""What planners, costs and agents pass to each other."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt

from tacit.types.spec import ActionSpace, Box, Observation

if TYPE_CHECKING:
    from torch import Generator, Tensor


__all__ = ["ActionConstraint", "Cost", "FallbackPolicy", "Iteration", "Plan", "Planner", "Score", "Verdict"]


@dataclass(frozen=True)
class Iteration:
    """One round of a planner, for people to look at.

    Attributes:
        best: ``[B]`` lowest energy so far.
        mean: ``[B]`` mean of the finite energies of this round; NaN where there is none.
        elite: ``[B, H, A]`` mean of the search distribution after the round.
        spread: ``[B, H, A]`` its standard deviation (probability for a discrete space).
        rejected: ``[B]`` number of candidates whose energy was not finite.
    """

    best: Tensor
    mean: Tensor
    elite: Tensor
    spread: Tensor
    rejected: Tensor


@dataclass(frozen=True)
class Plan:
    """What a planner found.

    Attributes:
        actions: ``[B, H, A]`` raw actions inside the action space.
        energy: ``[B]`` their energy.
        trace: One entry for each iteration.
        evaluations: Candidates scored for each element of the batch.
    """

    actions: Tensor
    energy: Tensor
    trace: tuple[Iteration, ...]
    evaluations: int


class Score(Protocol):
    """The energy of candidate actions; the only thing a planner knows about a world."""

    def __call__(self, actions: Tensor, /) -> Tensor:
        """``[B, S, H, A]`` raw actions to energies ``[B, S]``, low is good.

        A NumPy array of real numbers is taken as well, except by planners that differentiate.
        """


class Planner(Protocol):
    """Searches an action space for a sequence of low energy. Holds configuration, never state."""

    def __call__(
        self,
        score: Score,
        space: ActionSpace,
        *,
        horizon: int,
        batch: int,
        generator: Generator,
        warm_start: Tensor | None = None,
        proposals: Tensor | None = None,
        project: Callable[[Tensor], Tensor] | None = None,
    ) -> Plan:
        """Plan for ``batch`` worlds at once.

        The plan is the best candidate that was rated. Doing nothing is rated in the first round, where that has two
        candidates or more.

        Args:
            score: Energy of candidates.
            space: The space of one row of a plan.
            horizon: Rows ``H`` of a plan.
            batch: Worlds ``B``.
            generator: The only source of randomness; its device is where the search runs.
            warm_start: ``[B, H, A]`` where to start the search.
            proposals: ``[B, P, H, A]`` candidates to score in the first round.
            project: Maps sequences ``[B, ..., H, A]`` inside the space to the nearest that are allowed, in a tensor of
                their own, and leaves those as they are. It may leave the space. Every candidate and the plan are
                results of it. For a :class:`Box`. None: all are allowed.

        Raises:
            PlanningError: if no candidate of some world has a finite energy.
            SpecError: if the score returns something else than energies ``[B, S]``, or the hints do not fit.
        """


class Cost(Protocol):
    """A hand-written energy of rollouts."""

    def __call__(self, latents: Tensor, actions: Tensor, goal: Tensor | None) -> Tensor:
        """Energies ``[B, S]`` of rollouts.

        Args:
            latents: ``[B, S, H, D]`` imagined latents.
            actions: ``[B, S, H, A]`` the raw action blocks that lead to them.
            goal: ``[B, D]`` the latent of the goal, where the agent was given one.
        """


@runtime_checkable
class ActionConstraint(Protocol):
    """A restriction of actions that holds without exception. Holds configuration, never state."""

    def limited(self, space: Box, /) -> Box:
        """Return the part of the space that is allowed at all times.

        Raises:
            ConfigError: if the constraint does not fit the space or leaves nothing of it.
        """

    def after(self, previous: Tensor, /) -> tuple[Tensor, Tensor] | None:
        """Return the lowest and the highest action ``[..., A]`` that may follow the action ``previous [..., A]``.

        Both contain ``previous`` between them. None: any action may.
        """


class FallbackPolicy(Protocol):
    """Actions of worlds in which nothing was planned. Holds no state and answers from the observation alone."""

    def __call__(self, observation: Observation, /) -> npt.NDArray[np.float32]:
        """Return actions ``[B, A]`` for observations ``[B, ...]``; only those of the worlds that fail are used."""


@dataclass(frozen=True)
class Verdict:
    """Report of an actor on its own decision.

    Attributes:
        ok: The decision can be acted upon.
        surprise: ``[B]`` energy of what was observed under what had been predicted; NaN before the first prediction.
        reason: Why not, in words; empty when ``ok``.
        fallback: What each world did without a decision: ``last_plan``, ``noop``, ``last_action`` or ``policy``;
            empty where it did what was decided. No entries from an actor that has no fallback.
    """

    ok: bool
    surprise: npt.NDArray[np.float32]
    reason: str = ""
    fallback: tuple[str, ...] = ()
