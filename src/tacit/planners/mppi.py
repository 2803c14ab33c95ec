"""Model predictive path integral control."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np

from tacit._arrays import array_namespace
from tacit._check import require
from tacit._limits import ITERATIONS, SAMPLES, limited
from tacit.planners._distributions import Gaussian
from tacit.planners._ranking import Rated
from tacit.planners._sampler import Sampler
from tacit.planners._search import begin_box
from tacit.types import Numbers, Problem

__all__ = ["MPPI"]

BEST, FEWEST = 0.1, 5
"""Fraction and smallest number of the best candidates, whose range of energies scales a normalized temperature."""


@dataclass(frozen=True)
class MPPI(Sampler[Gaussian]):
    """Model predictive path integral control (Williams et al., 2017).

    Each round moves the mean to the average of all samples, weighted by ``softmax(-(E - min E) / T)``. ``T -> 0``
    follows the best sample, ``T -> inf`` the plain mean.

    Args:
        samples: Candidates of a round.
        iterations: Rounds.
        temperature: ``T``, in units of the energy or, with ``normalize``, of the range of the best tenth.
        normalize: Divide the energies of each round by the range of the best tenth of its candidates, so that one
            temperature fits costs of any size, and a large penalty on other candidates does not change the weights.
        std: First standard deviation, in halves of the range.
        decay: Each round multiplies the standard deviation by this.
        result: ``best``: the best rated candidate; ``mean``: the last mean is rated too, as an additional candidate.

    Raises:
        ConfigError: if an option is out of range.
    """

    samples: int = 300
    iterations: int = 10
    temperature: float = 0.1
    normalize: bool = True
    std: float = 1.0
    decay: float = 0.8
    result: Literal["best", "mean"] = "mean"

    def __post_init__(self) -> None:
        limited("MPPI", SAMPLES, samples=self.samples)
        limited("MPPI", ITERATIONS, iterations=self.iterations)
        require(
            min(self.samples, self.iterations) >= 1,
            "MPPI",
            f"samples and iterations >= 1; got {self.samples} and {self.iterations}",
        )
        require(self.temperature > 0, "MPPI", f"temperature > 0; got {self.temperature}")
        require(
            self.std >= 0 and 0 < self.decay <= 1, "MPPI", f"std >= 0, 0 < decay <= 1; got {self.std}, {self.decay}"
        )
        require(self.result in ("best", "mean"), "MPPI", f"result 'best' or 'mean'; got {self.result!r}")

    def begin(self, problem: Problem) -> Gaussian:
        """See :class:`tacit.planners.Sampler`."""
        return begin_box(problem, self.std)

    def draw(self, search: Gaussian, problem: Problem, round: int) -> Numbers:
        """See :class:`tacit.planners.Sampler`."""
        return search.draw(problem, round, self.samples)

    def refit(self, search: Gaussian, rated: Rated) -> Gaussian:
        """See :class:`tacit.planners.Sampler`."""
        xp, merit = array_namespace(rated.candidates), rated.merit
        # A mean of differences: in a box far from zero the weighted sum of the actions would be imprecise.
        steps = xp.reshape(rated.candidates - search.mean[:, None], (*merit.shape, -1))
        weights = xp.astype(self._weights(merit), steps.dtype)
        # A sum, since the rounding of a batched matrix product depends on the size of the batch.
        step = xp.reshape(xp.sum(weights[:, :, None] * steps, axis=1), search.mean.shape)
        any_finite = xp.any(xp.isfinite(merit), axis=1)
        return search.moved(any_finite, search.mean + step, self.decay * search.spread)

    def final(self, search: Gaussian) -> Numbers | None:
        """See :class:`tacit.planners.Sampler`."""
        return search.mode if self.result == "mean" else None

    def _weights(self, merit: Numbers) -> Numbers:
        """Return weights ``[B, S]`` that sum to one, zero for candidates whose merit is +inf.

        The weights are NaN if all merits are +inf. If fewer than the best tenth have a finite merit, their weights are
        equal, which is the limit for huge other merits.
        """
        xp = array_namespace(merit)
        lowest = xp.min(merit, axis=1, keepdims=True)
        if not self.normalize:
            with np.errstate(over="ignore"):
                return _softmax((lowest - merit) / self.temperature)
        excess = merit / 2 - lowest / 2  # halves: the difference of huge energies overflows
        count = merit.shape[1]
        last = max(math.ceil(BEST * count), min(FEWEST, count))
        unit = xp.sort(excess, axis=1)[:, last - 1 : last]
        # Equal energies have no range: their differences are zero, and those to all others infinite.
        tiny = xp.finfo(excess.dtype).smallest_normal
        with np.errstate(over="ignore"):
            scaled = excess / xp.where(unit > tiny, unit, tiny)
            return _softmax(-xp.where(xp.isfinite(excess), scaled, xp.inf) / self.temperature)


def _softmax(values: Numbers) -> Numbers:
    """Return the softmax of values ``[B, S]`` whose maximum is 0 in each row."""
    xp = array_namespace(values)
    weights = xp.exp(values)
    return weights / xp.sum(weights, axis=1, keepdims=True)
