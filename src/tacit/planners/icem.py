"""The sample-efficient cross-entropy method."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from tacit._arrays import array_namespace, like
from tacit._check import require
from tacit._limits import ITERATIONS, SAMPLES, limited
from tacit.planners._distributions import Gaussian, check_round
from tacit.planners._ranking import Rated
from tacit.planners._sampler import Sampler
from tacit.planners._search import begin_box
from tacit.types import Numbers, Problem

__all__ = ["ICEM"]


@dataclass(frozen=True)
class ICEM(Sampler["_Colored"]):
    """iCEM: noise correlated in time, kept elites, fewer samples each round (Pinneri et al., 2020).

    Two things differ from the paper, where the noise has one spectrum in all rounds and the standard deviation is
    that of the elites. Low frequencies, which make up most of red noise, are found first; the standard deviation then
    falls, and the noise is too small at high frequencies to correct them. Here each round also fits the spectrum to its
    elites, and measures both about the mean that the elites were drawn from (as Hansen, 2016, 3.2, does for CMA-ES), so
    that the search does not narrow too early.

    The plan is the best rated candidate. A planner holds no state, so elites of an earlier plan are passed as
    ``warm_start`` (the best, shifted), which is a candidate of the first round, and as ``proposals``.

    Args:
        samples: Candidates of the first round.
        iterations: Rounds.
        elites: The number of candidates to fit to.
        std: First standard deviation, in halves of the range.
        momentum: Share of the old mean, standard deviation and spectrum that stays.
        beta: The power of the first round's noise along the horizon falls as ``frequency ** -beta``: 0 white, 1 pink,
            2 red.
        keep: Share of the elites, the best ones, that the next round rates again.
        decay: Each round draws this factor fewer samples, never fewer than ``2 * elites``.

    Raises:
        ConfigError: if an option is out of range.
    """

    samples: int = 300
    iterations: int = 10
    elites: int = 30
    std: float = 0.5
    momentum: float = 0.1
    beta: float = 1.0
    keep: float = 0.3
    decay: float = 1.25

    def __post_init__(self) -> None:
        limited("ICEM", SAMPLES, samples=self.samples)
        limited("ICEM", ITERATIONS, iterations=self.iterations)
        require(1 <= self.elites <= self.samples, "ICEM", f"1 <= elites <= samples; got {self.elites}, {self.samples}")
        require(self.iterations >= 1, "ICEM", f"iterations >= 1; got {self.iterations}")
        require(self.std >= 0 and self.beta >= 0, "ICEM", f"std and beta >= 0; got {self.std}, {self.beta}")
        require(0 <= self.momentum < 1, "ICEM", f"momentum in [0, 1); got {self.momentum}")
        require(0 <= self.keep <= 1 <= self.decay, "ICEM", f"keep in [0, 1], decay >= 1; got {self.keep}, {self.decay}")

    def begin(self, problem: Problem) -> _Colored:
        """See :class:`tacit.planners.Sampler`."""
        plain = begin_box(problem, self.std)
        number = np.arange(problem.horizon)
        angle = number[:, None] * number % problem.horizon * (2 * np.pi / problem.horizon)
        waves = np.broadcast_to((np.cos(angle) + np.sin(angle)) / problem.horizon**0.5, (problem.batch, *angle.shape))
        power = np.maximum(np.minimum(number, problem.horizon - number), 1.0) ** -self.beta
        power = np.broadcast_to(power / power.mean(), (problem.batch, problem.horizon))
        return _Colored(
            plain.bounds,
            plain.mean,
            plain.spread,
            plain.project,
            waves=like(waves.copy(), plain.mean),
            power=like(power.copy(), plain.mean),
            kept=plain.mean[:, None][:, :0],
        )

    def draw(self, search: _Colored, problem: Problem, round: int) -> Numbers:
        """See :class:`tacit.planners.Sampler`."""
        count = max(int(self.samples * self.decay**-round), min(2 * self.elites, self.samples))
        candidates = search.draw(problem, round, count)
        return array_namespace(candidates).concat([candidates, search.kept], axis=1)

    def refit(self, search: _Colored, rated: Rated) -> _Colored:
        """See :class:`tacit.planners.Sampler`; an ignored candidate does not change the spread."""
        elites, valid = rated.elites(self.elites)
        xp, unit = array_namespace(elites), search.bounds.unit
        weight = xp.astype(valid, elites.dtype)[:, :, None, None]
        steps = (elites - search.mean[:, None]) / unit * weight
        total, old = xp.sum(weight, axis=1), search.spread / unit
        spread = xp.sqrt((xp.sum(steps**2, axis=1) + (self.elites - total) * old**2) / self.elites)
        spread = self.momentum * old + (1 - self.momentum) * spread
        mean = search.mean + (1 - self.momentum) * xp.sum(steps, axis=1) / xp.where(total > 1, total, 1.0) * unit
        drawn = steps / xp.where(old > 0, old, 1.0)[:, None]
        moved = search.moved(xp.any(valid, axis=1), mean, spread * unit)
        kept = elites[:, : int(self.keep * self.elites)]
        return replace(moved, power=search.fitted_power(drawn, self.momentum), kept=kept)


@dataclass(frozen=True)
class _Colored(Gaussian):
    """A normal distribution whose noise has a spectrum along the horizon.

    The noise is drawn in the basis of the discrete Hartley transform, whose waves ``k`` and ``H - k`` have one
    frequency.

    Attributes:
        waves: ``[B, H, H]`` the basis, orthonormal and symmetric, the same for all worlds.
        power: ``[B, H]`` variance of the coefficient of each wave; their mean is 1.
        kept: ``[B, K, H, A]`` candidates of the previous round that are rated again.
    """

    waves: Numbers = None
    power: Numbers = None
    kept: Numbers = None

    def draw(self, problem: Problem, round: int, count: int) -> Numbers:
        """Return candidates ``[B, count, H, A]``, not yet legal."""
        batch, horizon, size = self.mean.shape
        check_round(count, self.mean.shape)
        xp = array_namespace(self.mean)
        parts = like(problem.noise.normal(round, (count, size, horizon)), self.mean)
        parts *= xp.sqrt(self.power)[:, None, None]
        noise = xp.reshape(xp.reshape(parts, (batch, -1, horizon)) @ self.waves, (batch, count, size, horizon))
        return self.moved_by(xp.asarray(xp.permute_dims(noise, (0, 1, 3, 2)), copy=True))

    def fitted_power(self, drawn: Numbers, keep: float) -> Numbers:
        """Return the power fitted to the spectrum of ``drawn [B, K, H, A]``. The share ``keep`` of the old one stays.

        A world in which only zeros were drawn keeps its power.
        """
        xp = array_namespace(drawn)
        rows = xp.reshape(xp.permute_dims(drawn, (0, 1, 3, 2)), (len(drawn), -1, drawn.shape[2]))
        power = xp.mean((rows @ self.waves) ** 2, axis=1)
        power = power + xp.roll(xp.flip(power, axis=1), 1, axis=1)  # one power for each frequency
        mean = xp.mean(power, axis=1, keepdims=True)
        fitted = keep * self.power + (1 - keep) * power / xp.where(mean > 0, mean, 1.0)
        return xp.where(mean > 0, fitted, self.power)
