"""Conformal thresholds of scores, with a stated rate of false alarms."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from tacit._conformal import Guarantee, beta_quantile, conformal_rank, episodes_needed, pac_rank
from tacit.errors import ConfigError
from tacit.guard._standardization import Standardization

__all__ = ["Calibration", "Threshold"]


@dataclass(frozen=True)
class Threshold:
    """A conformal threshold of the largest standardised score of an episode.

    Attributes:
        value: The threshold.
        rate: The requested rate of episodes with a false alarm.
        guarantee: ``mean``: the rate holds on average over calibrations; ``pac``: with the confidence.
        confidence: The confidence of ``pac``.
        n: The number of calibration episodes.
        rank: The rank, from the largest, of the episode whose score is the threshold.
    """

    value: float
    rate: float
    guarantee: Guarantee
    confidence: float
    n: int
    rank: int

    @property
    def expected(self) -> float:
        """Return the expected rate of episodes with a false alarm, over calibrations."""
        return self.rank / (self.n + 1)

    @property
    def interval(self) -> tuple[float, float]:
        """Return the central 95 % interval of the realised rate, over calibrations."""
        return beta_quantile(0.025, self.rank, self.n), beta_quantile(0.975, self.rank, self.n)

    def __str__(self) -> str:
        low, high = (100 * end for end in self.interval)
        how = "on average" if self.guarantee == "mean" else f"with confidence {self.confidence:g}"
        return (
            f"{self.value:.3f}: false alarms in at most {100 * self.rate:g} % of episodes {how} "
            f"(n = {self.n}, rank {self.rank}, realised rate {low:.2f} to {high:.2f} %)"
        )


@dataclass(frozen=True, eq=False)
class Calibration:
    """Standardisation of scores and joint thresholds of the largest of them in an episode.

    Attributes:
        names: The ``C`` calibrated scores.
        standardization: Makes the scores and their cumulative sums comparable.
        slow: The threshold above which an agent slows down.
        stop: The threshold above which it stops.
    """

    names: tuple[str, ...]
    standardization: Standardization = field(repr=False)
    slow: Threshold
    stop: Threshold

    @property
    def terms(self) -> tuple[str, ...]:
        """Return the names of the ``2 C`` standardised scores and sums."""
        return (*self.names, *(f"drift of {name}" for name in self.names))

    def __str__(self) -> str:
        return f"scores: {', '.join(self.names)}\nstop above {self.stop}\nslow above {self.slow}"


def rank_of(n: int, rate: float, guarantee: Guarantee, confidence: float, share: float = 1.0) -> int:
    """Return the rank of the threshold among ``n`` calibration episodes, from the largest.

    Args:
        n: The number of episodes.
        rate: The largest rate of episodes above the threshold.
        guarantee: ``mean``: on average over calibrations; ``pac``: with the confidence over calibrations.
        confidence: The confidence of ``pac``.
        share: The share of all calibration episodes that these are, for the error.

    Raises:
        ConfigError: if there are too few episodes for the rate, or an option is out of range.
    """
    if guarantee not in ("mean", "pac") or not 0 < confidence < 1:
        raise ConfigError(
            f"guarantee is 'mean' or 'pac', and confidence lies between 0 and 1; got {guarantee!r} and {confidence}."
        )
    rank = conformal_rank(n, rate) if guarantee == "mean" else pac_rank(n, rate, confidence)
    if rank < 1:
        needed = episodes_needed(rate, guarantee, confidence)
        whole = "" if share == 1 else f", so {math.ceil(needed / share)} with those that standardise the scores"
        raise ConfigError(
            f"a rate of {100 * rate:g} % with guarantee={guarantee!r} needs {needed} episodes for the threshold"
            f"{whole}; got {n}. Record more episodes, or allow more false alarms."
        )
    return rank


def threshold_of(largest: npt.NDArray[np.float64], rate: float, guarantee: Guarantee, confidence: float) -> Threshold:
    """Return the conformal threshold of the largest scores ``[n]`` of episodes; see :func:`rank_of`."""
    n = len(largest)
    rank = rank_of(n, rate, guarantee, confidence)
    return Threshold(float(np.sort(largest)[n - rank]), rate, guarantee, confidence, n, rank)
