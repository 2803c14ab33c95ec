"""Ranks of conformal thresholds and the tails of the binomial and beta distributions."""

from __future__ import annotations

import math
from typing import Literal

import numpy as np

from tacit.errors import ConfigError

__all__ = ["beta_quantile", "beta_tail", "binomial_tail", "conformal_rank", "count_rank", "episodes_needed", "pac_rank"]

Guarantee = Literal["mean", "pac"]


def binomial_tail(count: int, n: int, rate: float) -> float:
    """Return the probability of at least ``count`` successes in ``n`` attempts of the given rate."""
    _check_rate(rate)
    if count <= 0:
        return 1.0
    terms = [_log_choose(n, k) + k * math.log(rate) + (n - k) * math.log1p(-rate) for k in range(count, n + 1)]
    return min(float(np.exp(terms).sum()), 1.0)


def beta_tail(rate: float, m: int, n: int) -> float:
    """Return the probability that the rate above the ``m``-th largest of ``n`` scores is at most ``rate``.

    The rate of new scores above it has the distribution ``Beta(m, n + 1 - m)``, for exchangeable continuous scores.
    """
    return binomial_tail(m, n, rate)


def beta_quantile(probability: float, m: int, n: int) -> float:
    """Return the rate that the rate above the ``m``-th largest of ``n`` scores exceeds with ``1 - probability``."""
    low, high = 0.0, 1.0
    while high - low > 1e-9:
        middle = (low + high) / 2
        low, high = (middle, high) if beta_tail(middle, m, n) < probability else (low, middle)
    return (low + high) / 2


def conformal_rank(n: int, rate: float) -> int:
    """Return ``m`` such that a new score is above the ``m``-th largest of ``n`` with probability of at most ``rate``.

    The probability is over new scores and calibrations together; 0 if there are too few scores.
    """
    _check_rate(rate)
    # 0.1 * 30 is above 3 by rounding, and 0.07 * 100 too; their exact products must not lose a rank.
    return math.floor((n + 1) * rate + 1e-9)


def pac_rank(n: int, rate: float, confidence: float = 0.95) -> int:
    """Return the largest ``m`` whose rate of new scores above it is at most ``rate``, with the given confidence.

    The confidence is over calibrations; 0 if there are too few scores. See Vovk (2012), training-conditional validity.
    """
    _check_rate(rate)
    m = conformal_rank(n, rate)
    while m and beta_tail(rate, m, n) < confidence:
        m -= 1
    return m


def count_rank(n: int, rate: float, fresh: int, confidence: float = 0.95) -> int:
    """Return the largest ``m`` for which at most ``rate * fresh`` of ``fresh`` new scores exceed it.

    This holds with the given confidence, over calibrations and new scores: their number has a beta-binomial
    distribution. 0 if there are too few scores.
    """
    _check_rate(rate)
    allowed = math.floor(fresh * rate + 1e-9)
    m = conformal_rank(n, rate)
    while m and _beta_binomial(allowed, fresh, m, n) < confidence:
        m -= 1
    return m


def episodes_needed(rate: float, guarantee: Guarantee = "mean", confidence: float = 0.95) -> int:
    """Return the least number of scores for which a threshold of the given rate exists.

    Args:
        rate: The largest rate of new scores above the threshold.
        guarantee: ``mean``: as in :func:`conformal_rank`; ``pac``: as in :func:`pac_rank`.
        confidence: The confidence of ``pac``.
    """
    _check_rate(rate)
    if guarantee == "mean":
        return math.ceil(1 / rate - 1 - 1e-9)
    return math.ceil(math.log(1 - confidence) / math.log1p(-rate))


def _beta_binomial(most: int, fresh: int, m: int, n: int) -> float:
    """Return the probability that at most ``most`` of ``fresh`` new scores exceed the ``m``-th largest of ``n``."""
    first, second = m, n + 1 - m
    terms = [
        _log_choose(fresh, k) + _log_beta(k + first, fresh - k + second) - _log_beta(first, second)
        for k in range(most + 1)
    ]
    return float(np.exp(terms).sum())


def _log_choose(n: int, k: int) -> float:
    return math.lgamma(n + 1) - math.lgamma(k + 1) - math.lgamma(n - k + 1)


def _log_beta(a: float, b: float) -> float:
    return math.lgamma(a) + math.lgamma(b) - math.lgamma(a + b)


def _check_rate(rate: float) -> None:
    if not 0 < rate < 1:
        raise ConfigError(f"a rate lies between 0 and 1, for example 0.01; got {rate}.")
