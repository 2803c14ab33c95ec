"""Random shooting."""

from __future__ import annotations

from dataclasses import dataclass

from tacit._check import require
from tacit._limits import ITERATIONS, SAMPLES, limited
from tacit.planners._distributions import Search
from tacit.planners._ranking import Rated
from tacit.planners._sampler import Sampler
from tacit.planners._search import begin
from tacit.types import Numbers, Problem

__all__ = ["RandomShooting"]


@dataclass(frozen=True)
class RandomShooting(Sampler[Search]):
    """Random shooting: uniform samples of the space in one or more rounds, of which the best wins.

    Args:
        samples: Candidates of a round; the warm start (else the middle) is among them, doing nothing among the first.
        iterations: Rounds.

    Raises:
        ConfigError: if an option is out of range.
    """

    samples: int = 1000
    iterations: int = 1

    def __post_init__(self) -> None:
        limited("RandomShooting", SAMPLES, samples=self.samples)
        limited("RandomShooting", ITERATIONS, iterations=self.iterations)
        require(
            min(self.samples, self.iterations) >= 1,
            "RandomShooting",
            f"samples and iterations >= 1; got {self.samples} and {self.iterations}",
        )

    def begin(self, problem: Problem) -> Search:
        """See :class:`tacit.planners.Sampler`; the spread is that of uniform numbers."""
        return begin(problem, 3**-0.5)

    def draw(self, search: Search, problem: Problem, round: int) -> Numbers:
        """See :class:`tacit.planners.Sampler`."""
        return search.draw_uniform(problem, round, self.samples)

    def refit(self, search: Search, rated: Rated) -> Search:
        """See :class:`tacit.planners.Sampler`; nothing is learned from a round."""
        del rated
        return search
