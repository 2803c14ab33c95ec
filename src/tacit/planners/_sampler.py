"""Base class of planners that draw candidates and refit a distribution."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Generic, TypeVar, cast

from tacit.planners._distributions import Search
from tacit.planners._ranking import Ranking, Rated, with_hints
from tacit.planners._search import begin
from tacit.types import Numbers, Plan, Problem

__all__ = ["Sampler"]

S = TypeVar("S", bound=Search)


class Sampler(ABC, Generic[S]):
    """Base class of planners that draw candidates, rank them and refit a distribution, round by round.

    A subclass is a frozen dataclass with ``iterations``, :meth:`draw` and :meth:`refit`. The distribution of
    :meth:`begin` passes from one round to the next; it is a :class:`Gaussian`, a :class:`Categorical` or a subclass
    with more fields.
    """

    iterations: int

    def begin(self, problem: Problem) -> S:
        """Return the first distribution: by default normal about the warm start, or uniform over discrete choices."""
        return cast("S", begin(problem, std=1.0))

    @abstractmethod
    def draw(self, search: S, problem: Problem, round: int) -> Numbers:
        """Return candidates ``[B, S, H, A]`` of a round; they need not be legal. Candidate 0 is overwritten."""

    @abstractmethod
    def refit(self, search: S, rated: Rated) -> S:
        """Return the distribution after a round."""

    def final(self, search: S) -> Numbers | None:
        """Return a sequence ``[B, H, A]`` to rate at the end, by default none."""
        del search
        return None

    def __call__(self, problem: Problem, /) -> Plan:
        """See :class:`tacit.types.Planner`."""
        search = self.begin(problem)
        ranking = Ranking(problem, search.legal)
        for round in range(self.iterations):
            candidates = self.draw(search, problem, round)
            if round == 0:
                candidates = with_hints(candidates, search, problem)
            else:
                candidates[:, 0] = search.mode
            search = self.refit(search, ranking.rate(candidates))
            ranking.note(search)
            if ranking.stopped:
                break
        return ranking.plan(self.final(search))
