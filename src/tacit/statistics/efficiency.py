"""Curves of score over cost, compared at equal scores."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from math import inf, isfinite, isnan, nan

import numpy as np
import numpy.typing as npt

from tacit.errors import ConfigError

__all__ = ["CostRatio", "Curve", "cost_ratio", "cost_to_reach"]

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Curve:
    """Scores of a method at increasing costs, in several training runs.

    Args:
        cost: ``[P]``, rising and above 0, in whatever is counted: operations, seconds, labels.
        scores: ``[S, P]``, a row for each training seed; more is better.

    Raises:
        ConfigError: if the shapes do not fit, or costs do not rise from above 0.
    """

    cost: Sequence[float]
    scores: Sequence[Sequence[float]]

    def __post_init__(self) -> None:
        cost, scores = np.asarray(self.cost, np.float64), np.asarray(self.scores, np.float64)
        if cost.ndim != 1 or scores.ndim != 2 or not len(scores) or scores.shape[1] != len(cost) or len(cost) < 2:
            raise ConfigError(
                f"a curve has costs [P] and scores [S, P] with P >= 2; got {cost.shape} and {scores.shape}."
            )
        if not (np.isfinite(cost).all() and np.isfinite(scores).all() and cost[0] > 0 and (np.diff(cost) > 0).all()):
            raise ConfigError("the costs of a curve rise from above 0, and its scores are finite.")

    def mean(self, rows: Sequence[int] | None = None) -> Floats:
        """Return the mean score ``[P]`` over the seeds, or over some of them. A seed may be counted twice."""
        scores = np.asarray(self.scores, np.float64)
        return np.asarray(scores[list(range(len(scores)) if rows is None else rows)].mean(axis=0))


@dataclass(frozen=True)
class CostRatio:
    """Ratio of the costs of two curves, second over first, both up to ``target``.

    Above 1 the first is cheaper. A curve that never gets there costs more than anything: the ratio is then infinite,
    or 0, and not a number where neither does.

    Attributes:
        target: The score.
        ratio: Between the means over all seeds.
        low: Lower end of its bootstrap interval over the seeds of both.
        high: Upper end of it.
        reached: The share of resamples in which the first gets there, and the second.
    """

    target: float
    ratio: float
    low: float
    high: float
    reached: tuple[float, float]

    def __str__(self) -> str:
        def text(value: float) -> str:
            if isfinite(value) and value > 0:
                return f"{value:.2g}x"
            return "reached by neither" if isnan(value) else "not reached by the " + ("second" if value else "first")

        ratio, low, high = (text(value) for value in (self.ratio, self.low, self.high))
        words = not 0 < self.ratio < inf
        return ratio if words and ratio == low == high else f"{ratio} [{low}, {high}]"


def cost_to_reach(cost: Sequence[float] | Floats, score: Sequence[float] | Floats, target: float) -> float:
    """Return the cost at which a curve first reaches a score.

    Points are joined by straight lines over the logarithm of cost.

    Args:
        cost: ``[P]``, rising and above 0.
        score: ``[P]``.
        target: The score.

    Returns:
        The first cost where the first point is high enough, infinity where none is.
    """
    spent, found = np.log(np.asarray(cost, np.float64)), np.asarray(score, np.float64)
    there = np.flatnonzero(found >= target)
    if not len(there):
        return inf
    after = int(there[0])
    if after == 0:
        return float(np.exp(spent[0]))
    before = after - 1
    share = (target - found[before]) / (found[after] - found[before])
    return float(np.exp(spent[before] + share * (spent[after] - spent[before])))


def cost_ratio(first: Curve, second: Curve, target: float, confidence: float = 0.95) -> CostRatio:
    """Compute the cost ratio of two curves, second over first, at equal score.

    Choose the target before looking. At the best score of the lower curve, about half of its resamples do not get
    there, and below its first point the cost of reaching it is unknown: the cost of that point is taken then.

    The interval is the percentile bootstrap over the seeds of each curve: all 27 resamples of three seeds against all
    27 of the other, and 100 drawn ones of more seeds than that. Three seeds make a rough interval: no end of it lies
    outside of what pairs of single runs give.

    Args:
        first: The curve of the method that is thought to be cheaper.
        second: That of its rival.
        target: The score.
        confidence: Of the interval.
    """
    ratio = _over(*(cost_to_reach(curve.cost, curve.mean(), target) for curve in (first, second)))
    costs = [
        np.array([cost_to_reach(curve.cost, curve.mean(rows), target) for rows in _resamples(len(curve.scores))])
        for curve in (first, second)
    ]
    ratios = np.array([_over(one, other) for one in costs[0] for other in costs[1]])
    kept = np.sort(ratios[~np.isnan(ratios)])
    low, high = nan, nan
    if len(kept):  # nothing is interpolated: between a number and infinity there is nothing
        low, high = (float(np.quantile(kept, (1 + sign * confidence) / 2, method="nearest")) for sign in (-1, 1))
    reached = (float(np.isfinite(costs[0]).mean()), float(np.isfinite(costs[1]).mean()))
    return CostRatio(target, ratio, low, high, reached)


def _over(one: float, other: float) -> float:
    """Return ``other / one``, NaN where both are infinite."""
    if one == inf:
        return nan if other == inf else 0.0
    return other / one


def _resamples(seeds: int) -> list[tuple[int, ...]]:
    """Return the rows of bootstrap resamples: all for up to three seeds, else a hundred."""
    if seeds <= 3:
        return list(product(range(seeds), repeat=seeds))
    draw = np.random.default_rng(0)
    return [tuple(draw.integers(0, seeds, seeds).tolist()) for _ in range(100)]
