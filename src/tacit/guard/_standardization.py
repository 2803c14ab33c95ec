"""Standardisation of scores and of their cumulative sums, per step."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from tacit.errors import DataError, SpecError

__all__ = ["Standardization", "standardization_of"]

Floats = npt.NDArray[np.float64]

ALLOWANCE = 0.5
"""Standard deviations that a cumulative sum subtracts at each boundary (``k`` of Page's test)."""
CLIP = 5.0
"""The largest number of standard deviations that one boundary adds to a sum; the score itself shows a jump."""
FEWEST = 20
"""The number of episodes below which a step takes mean and deviation from the last step with as many."""
SMALLEST = 0.1
"""The smallest standard deviation of a step, as a share of that of all steps."""
EXCEEDING = 10
"""The least number of episodes above the quantile by which scores are made comparable."""


@dataclass(frozen=True, eq=False)
class Standardization:
    """Mean and deviation of scores and of their cumulative sums at each step, with one scale for all scores.

    The cumulative sum of a score is Page's CUSUM of its deviations. Scores and sums are standardised per step, and then
    shifted and divided such that 0 is the median of the largest value in an episode and 1 is one of its upper
    quantiles, so that scores with long tails do not dominate their joint maximum.

    Attributes:
        mean: ``[T, 2 C]`` mean of each of ``C`` scores, and then of each sum, at each step.
        std: ``[T, 2 C]`` their standard deviations.
        center: ``[2 C]`` the median of the largest deviation in an episode.
        scale: ``[2 C]`` the upper quantile less the median.
    """

    mean: Floats
    std: Floats
    center: Floats
    scale: Floats

    def __post_init__(self) -> None:
        shapes = [np.shape(part) for part in (self.mean, self.std, self.center, self.scale)]
        (mean, *others), size = shapes, np.shape(self.center)[-1:]
        if len(mean) != 2 or mean[0] < 1 or mean[1] % 2 or others != [mean, size, size] or mean[1:] != size:
            raise SpecError(f"a standardisation has arrays [T, 2 C], [T, 2 C], [2 C] and [2 C]; got {shapes}.")
        finite = all(np.isfinite(part).all() for part in (self.mean, self.std, self.center, self.scale))
        if not finite or self.std.min(initial=1) <= 0 or self.scale.min(initial=1) <= 0:
            raise SpecError("a standardisation has finite numbers, and deviations and scales above 0; got others.")

    def __call__(self, scores: Floats, steps: npt.NDArray[np.int64], drift: Floats) -> tuple[Floats, Floats]:
        """Return standardised scores and sums ``[B, 2 C]``, and the new sums ``[B, C]``.

        Args:
            scores: ``[B, C]`` scores; NaN where undefined.
            steps: ``[B]`` blocks since the start of each episode; the last known step stands for later ones.
            drift: ``[B, C]`` the sums before.
        """
        columns, rows = scores.shape[1], np.minimum(steps, len(self.mean) - 1)
        mean, std = self.mean[rows], self.std[rows]
        deviations = (scores - mean[:, :columns]) / std[:, :columns]
        undefined = np.isnan(deviations)
        # An undefined score is no evidence, so its sum stays.
        added = np.clip(np.where(undefined, ALLOWANCE, deviations), -CLIP, CLIP) - ALLOWANCE
        drift = np.maximum(drift + added, 0.0)
        sums = np.where(undefined, np.nan, (drift - mean[:, columns:]) / std[:, columns:])
        return (np.concatenate([deviations, sums], axis=1) - self.center) / self.scale, drift

    def series(self, values: Floats) -> Floats:
        """Return standardised scores and sums ``[N, T, 2 C]`` of score series ``[N, T, C]``."""
        drift, found = np.zeros((len(values), values.shape[2])), []
        for step in range(values.shape[1]):
            standard, drift = self(values[:, step], np.full(len(values), step), drift)
            found.append(standard)
        return np.stack(found, axis=1)

    def largest(self, values: Floats) -> Floats:
        """Return the largest standardised values ``[N, 2 C]`` of episodes; NaN where undefined at all steps."""
        return np.asarray(np.fmax.reduce(self.series(values), axis=1))

    def joint(self, values: Floats) -> Floats:
        """Return the largest of all standardised values ``[N]`` of episodes."""
        return np.asarray(np.fmax.reduce(self.largest(values), axis=1, initial=-np.inf))


def standardization_of(names: tuple[str, ...], values: Floats, rate: float) -> Standardization:
    """Return the standardisation of score series.

    Args:
        names: The ``C`` scores.
        values: ``[N, T, C]`` scores of episodes; NaN where undefined and after the end of an episode.
        rate: The share of episodes above the quantile that becomes 1, where there are enough episodes for it.

    Raises:
        DataError: if a score is infinite, or undefined at all steps.
    """
    for name, score in zip(names, np.moveaxis(values, 2, 0), strict=True):
        if np.isinf(score).any() or not np.isfinite(score).any():
            problem = "infinite at a step" if np.isinf(score).any() else "undefined at all steps"
            raise DataError(f"the score {name!r} is {problem} of these episodes; check the model and their lengths.")
    columns = values.shape[2]
    mean, std = _moments(values)
    none, one = np.zeros_like(mean), np.ones_like(std)
    zeros, ones = np.zeros(2 * columns), np.ones(2 * columns)
    raw = Standardization(np.concatenate([mean, none], axis=1), np.concatenate([std, one], axis=1), zeros, ones)
    sums = _moments(raw.series(values)[..., columns:])
    mean, std = np.concatenate([mean, sums[0]], axis=1), np.concatenate([std, sums[1]], axis=1)
    plain = Standardization(mean, std, zeros, ones)
    largest = plain.largest(values)
    center = np.nanmedian(largest, axis=0)
    upper = np.nanquantile(largest, 1 - max(rate, min(EXCEEDING / len(values), 0.5)), axis=0)
    return replace(plain, center=center, scale=np.maximum(upper - center, 1e-6))


def _moments(values: Floats) -> tuple[Floats, Floats]:
    """Return mean and standard deviation ``[T, C]`` of series ``[N, T, C]`` at each step."""
    known = np.isfinite(values)
    counts = known.sum(axis=0)
    mean = np.where(known, values, 0.0).sum(axis=0) / np.maximum(counts, 1)
    std = np.sqrt((np.where(known, values - mean, 0.0) ** 2).sum(axis=0) / np.maximum(counts, 1))
    for column in range(values.shape[2]):
        enough = np.flatnonzero(counts[:, column] >= min(FEWEST, counts[:, column].max()))
        place = np.searchsorted(enough, np.arange(len(counts)), side="right") - 1
        source = enough[np.maximum(place, 0)]
        pooled = values[..., column][known[..., column]]
        floor = max(SMALLEST * float(pooled.std()), 1e-6 * float(np.abs(pooled).max()), 1e-12)
        mean[:, column], std[:, column] = mean[source, column], np.maximum(std[source, column], floor)
    return mean, std
