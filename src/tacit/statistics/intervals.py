"""Rates, means, paired differences and rank correlations, with their intervals."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import comb, sqrt
from statistics import NormalDist
from typing import Any

import numpy as np
import numpy.typing as npt

from tacit.errors import ConfigError

__all__ = [
    "Estimate",
    "Paired",
    "Rate",
    "Seeds",
    "bootstrap",
    "crossed_bootstrap",
    "mcnemar",
    "over_seeds",
    "paired",
    "rank_correlation",
    "wilson",
]

Floats = npt.NDArray[np.floating[Any]]


@dataclass(frozen=True)
class Rate:
    """A share of successes with its Wilson interval.

    Attributes:
        rate: Successes divided by ``n``.
        low: Lower end of the interval.
        high: Upper end of the interval.
        n: Independent attempts.
    """

    rate: float
    low: float
    high: float
    n: int

    def __str__(self) -> str:
        return f"{100 * self.rate:.1f} % [{100 * self.low:.1f}, {100 * self.high:.1f}] of {self.n}"


@dataclass(frozen=True)
class Estimate:
    """A mean with its bootstrap interval over ``n`` independent units (episodes, tasks)."""

    mean: float
    low: float
    high: float
    n: int

    def __str__(self) -> str:
        # Of one unit nothing can be resampled.
        interval = f"{self.low:.3g}, {self.high:.3g}" if self.n > 1 else "no interval"
        return f"{self.mean:.3g} [{interval}]"


@dataclass(frozen=True)
class Paired:
    """Difference between two actors on the same tasks.

    Attributes:
        difference: Success rate of the first less that of the second.
        low: Lower end of its paired bootstrap interval.
        high: Upper end of it.
        p: Two-sided p value of McNemar's exact test that neither is better.
        only_first: Tasks that only the first solved.
        only_second: Tasks that only the second solved.
        n: Tasks.
    """

    difference: float
    low: float
    high: float
    p: float
    only_first: int
    only_second: int
    n: int


@dataclass(frozen=True)
class Seeds:
    """Scores of several training seeds: median, worst, best, and each of them in order."""

    median: float
    worst: float
    best: float
    rates: tuple[Rate, ...]


def wilson(successes: int, n: int, confidence: float = 0.95) -> Rate:
    """Return the rate of ``successes`` in ``n`` attempts with its score interval (Wilson 1927).

    Raises:
        ConfigError: if ``n`` is below one or ``successes`` is not in ``0 .. n``.
    """
    if n < 1 or not 0 <= successes <= n:
        raise ConfigError(f"a rate needs 0 <= successes <= n and n >= 1; got {successes} of {n}.")
    z = _quantile(confidence)
    rate = successes / n
    center = (rate + z * z / (2 * n)) / (1 + z * z / n)
    half = z * sqrt(rate * (1 - rate) / n + z * z / (4 * n * n)) / (1 + z * z / n)
    # The exact ends of 0 of n and n of n are 0 and 1; rounding must not push them inside.
    return Rate(rate, 0.0 if successes == 0 else center - half, 1.0 if successes == n else center + half, n)


def bootstrap(
    values: Sequence[float] | Floats, seed: int = 0, resamples: int = 4000, confidence: float = 0.95
) -> Estimate:
    """Return the mean of ``values [n]`` with the percentile interval of its bootstrap distribution.

    Raises:
        ConfigError: if there is no value.
    """
    sample = np.asarray(values, np.float64)
    if sample.ndim != 1 or not len(sample):
        raise ConfigError(f"a bootstrap needs values of shape [n] with n >= 1; got shape {sample.shape}.")
    counts = np.random.default_rng(seed).multinomial(len(sample), np.full(len(sample), 1 / len(sample)), resamples)
    low, high = np.quantile(counts @ sample / len(sample), [(1 - confidence) / 2, (1 + confidence) / 2])
    return Estimate(float(sample.mean()), float(low), float(high), len(sample))


def crossed_bootstrap(
    values: Sequence[Sequence[float]] | Floats, seed: int = 0, resamples: int = 2000, confidence: float = 0.95
) -> Estimate:
    """Estimate the mean of ``values [S, n]``: ``S`` training runs scored on the same ``n`` tasks.

    Runs and tasks are resampled each by themselves (Owen 2007, the pigeonhole bootstrap), which is wider than to take
    all of them for independent. ``n`` of the result counts tasks.

    Raises:
        ConfigError: if there is no value.
    """
    table = np.asarray(values, np.float64)
    if table.ndim != 2 or not table.size:
        raise ConfigError(f"a crossed bootstrap needs values of shape [S, n], S and n >= 1; got {table.shape}.")
    draw = np.random.default_rng(seed)
    runs, tasks = (draw.multinomial(size, np.full(size, 1 / size), resamples) / size for size in table.shape)
    means = np.einsum("rs,sn,rn->r", runs, table, tasks, optimize=True)
    low, high = np.quantile(means, [(1 - confidence) / 2, (1 + confidence) / 2])
    return Estimate(float(table.mean()), float(low), float(high), table.shape[1])


def mcnemar(first: npt.NDArray[np.bool_], second: npt.NDArray[np.bool_]) -> float:
    """Compute the two-sided p value of McNemar's exact test on paired outcomes ``[n]``.

    Each disagreement counts as a fair coin.
    """
    first, second = _pair(first, second)
    wins, losses = int((first & ~second).sum()), int((~first & second).sum())
    disagreements = wins + losses
    tail = sum(comb(disagreements, k) for k in range(min(wins, losses) + 1))
    return float(min(1.0, 2 * tail / 2**disagreements))


def paired(first: npt.NDArray[np.bool_], second: npt.NDArray[np.bool_], seed: int = 0) -> Paired:
    """Compare two actors on the same tasks, ``[n]`` outcomes each.

    Raises:
        ConfigError: if the outcomes differ in number.
    """
    first, second = _pair(first, second)
    estimate = bootstrap(first.astype(np.float64) - second, seed)
    wins, losses = int((first & ~second).sum()), int((~first & second).sum())
    return Paired(estimate.mean, estimate.low, estimate.high, mcnemar(first, second), wins, losses, len(first))


def over_seeds(rates: Sequence[Rate]) -> Seeds:
    """Return the median, worst and best of the rates of several training seeds.

    Raises:
        ConfigError: if there is none.
    """
    if not rates:
        raise ConfigError("over_seeds needs the rate of at least one seed; got none.")
    values = [rate.rate for rate in rates]
    return Seeds(float(np.median(values)), min(values), max(values), tuple(rates))


def rank_correlation(x: Sequence[float] | Floats, y: Sequence[float] | Floats) -> float:
    """Compute Spearman's rank correlation of ``x [n]`` and ``y [n]``. Ties share their mean rank.

    A constant side orders nothing: the correlation is then 0, the score of a model that cannot distinguish plans.

    Raises:
        ConfigError: if the sides differ in length, have fewer than two values or hold one that is not finite.
    """
    left, right = np.asarray(x, np.float64), np.asarray(y, np.float64)
    if left.shape != right.shape or left.ndim != 1 or len(left) < 2:
        raise ConfigError(
            f"a rank correlation needs two sequences of one length >= 2; got {left.shape}, {right.shape}."
        )
    if not (np.isfinite(left).all() and np.isfinite(right).all()):
        raise ConfigError("a rank correlation needs finite values; drop the candidates whose energy is not finite.")
    a, b = _ranks(left), _ranks(right)
    a, b = a - a.mean(), b - b.mean()
    scale = np.sqrt((a @ a) * (b @ b))
    return float(a @ b / scale) if scale > 0 else 0.0


def _ranks(values: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    return np.asarray((last - (counts - 1) / 2)[inverse], np.float64)


def _quantile(confidence: float) -> float:
    if not 0 < confidence < 1:
        raise ConfigError(f"confidence lies between 0 and 1, for example 0.95; got {confidence}.")
    return NormalDist().inv_cdf((1 + confidence) / 2)


def _pair(
    first: npt.NDArray[np.bool_], second: npt.NDArray[np.bool_]
) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.bool_]]:
    first, second = np.asarray(first, np.bool_), np.asarray(second, np.bool_)
    if first.shape != second.shape or first.ndim != 1:
        raise ConfigError(
            f"paired outcomes need one shape [n], the same tasks in one order; got {first.shape}, {second.shape}."
        )
    return first, second
