"""The cross-entropy method."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from tacit._check import require
from tacit._limits import ITERATIONS, SAMPLES, limited
from tacit.planners._distributions import Search
from tacit.planners._ranking import Rated
from tacit.planners._sampler import Sampler
from tacit.planners._search import begin
from tacit.types import Numbers, Problem

__all__ = ["CEM"]


@dataclass(frozen=True)
class CEM(Sampler[Search]):
    """The cross-entropy method: repeatedly draw and fit to the elites (Rubinstein and Kroese, 2004).

    In a :class:`tacit.types.Box` the distribution is normal and samples are clipped to the box; in a
    :class:`tacit.types.Discrete` space it is categorical. Sample 0 of every round is the mean (the most probable).

    Args:
        samples: Candidates of a round.
        iterations: Rounds.
        elites: The number of candidates to fit to.
        std: First standard deviation, in halves of the range; a discrete space starts uniform.
        min_std: The standard deviation never falls below this, in halves of the range; in a discrete space
            it is the share of uniform probability.
        mean_momentum: Share of the old mean that stays.
        std_momentum: Share of the old standard deviation that stays.
        result: ``best``: the best rated candidate; ``mean``: the last mean is rated too, as an additional candidate.

    Raises:
        ConfigError: if an option is out of range.
    """

    samples: int = 300
    iterations: int = 10
    elites: int = 30
    std: float = 1.0
    min_std: float = 0.05
    mean_momentum: float = 0.0
    std_momentum: float = 0.0
    result: Literal["best", "mean"] = "best"

    def __post_init__(self) -> None:
        limited("CEM", SAMPLES, samples=self.samples)
        limited("CEM", ITERATIONS, iterations=self.iterations)
        require(1 <= self.elites <= self.samples, "CEM", f"1 <= elites <= samples; got {self.elites}, {self.samples}")
        require(self.iterations >= 1, "CEM", f"iterations >= 1; got {self.iterations}")
        require(0 <= self.min_std <= self.std, "CEM", f"0 <= min_std <= std; got {self.min_std}, {self.std}")
        momenta = self.mean_momentum, self.std_momentum
        require(all(0 <= share < 1 for share in momenta), "CEM", f"momenta in [0, 1); got {momenta}")
        require(self.result in ("best", "mean"), "CEM", f"result 'best' or 'mean'; got {self.result!r}")

    def begin(self, problem: Problem) -> Search:
        """See :class:`tacit.planners.Sampler`."""
        return begin(problem, self.std)

    def draw(self, search: Search, problem: Problem, round: int) -> Numbers:
        """See :class:`tacit.planners.Sampler`."""
        return search.draw(problem, round, self.samples)

    def refit(self, search: Search, rated: Rated) -> Search:
        """See :class:`tacit.planners.Sampler`."""
        return search.fit(rated, self.elites, self.mean_momentum, self.std_momentum, self.min_std)

    def final(self, search: Search) -> Numbers | None:
        """See :class:`tacit.planners.Sampler`."""
        return search.mode if self.result == "mean" else None
