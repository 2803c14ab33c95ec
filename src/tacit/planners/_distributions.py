"""Distributions over action sequences that planners refit, on NumPy arrays or torch tensors."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, Self, TypeAlias

import numpy as np
import numpy.typing as npt

from tacit._arrays import array_namespace, as_numbers, like
from tacit.errors import ConfigError
from tacit.types import Box, Discrete, Numbers, Problem

if TYPE_CHECKING:
    from tacit.planners._ranking import Rated

__all__ = ["Categorical", "Gaussian", "Joint"]

Project: TypeAlias = Callable[[Numbers], Numbers]
"""A map of actions ``[B, ..., H, A]`` to the nearest allowed ones; see :class:`tacit.types.Problem`."""

ROUND = 2**30
"""The largest number of array elements in the candidates of one round, over all worlds: 4 GB."""


@dataclass(frozen=True)
class Bounds:
    """A box as float32 arrays ``[A]``, rounded inwards, so that no float32 action lies outside it."""

    low: Numbers
    high: Numbers

    @classmethod
    def of(cls, space: Box, device: Any = None) -> Bounds:
        """Return the bounds of ``space`` on a torch device, or as NumPy arrays."""
        return cls(*(as_numbers(bound, device) for bound in space.bounds))

    @cached_property
    def center(self) -> Numbers:
        """Return the middle of each range."""
        return self.low / 2 + self.high / 2  # the sum and the difference of huge bounds overflow

    @cached_property
    def half(self) -> Numbers:
        """Return half of each range."""
        return self.high / 2 - self.low / 2

    @cached_property
    def unit(self) -> Numbers:
        """Return the divisor of deviations: half of each range, or 1 where the range is empty."""
        return array_namespace(self.half).where(self.half > 0, self.half, 1.0)

    def clip(self, actions: Numbers) -> Numbers:
        """Return the nearest actions inside the box, in a new array."""
        xp = array_namespace(actions)
        return xp.minimum(xp.maximum(actions, self.low), self.high)


def check_round(count: int, shape: Sequence[int]) -> None:
    """Refuse a round of more candidates than memory holds.

    Args:
        count: Candidates of each world.
        shape: ``(B, H, A)``.

    Raises:
        ConfigError: naming the sizes of the round and the limit.
    """
    if count * math.prod(shape) > ROUND:
        batch, horizon, size = shape
        raise ConfigError(
            f"a round of candidates has at most {ROUND} numbers; {count} samples of {horizon} steps with {size} "
            f"action components in {batch} worlds are {count * math.prod(shape)}. Lower the samples, the horizon or "
            "the batch."
        )


@dataclass(frozen=True)
class Gaussian:
    """Independent normal distributions over a box.

    Attributes:
        bounds: The box.
        mean: ``[B, H, A]``.
        spread: ``[B, H, A]`` standard deviations.
        project: Maps sequences inside the box to allowed ones; None: all are allowed.
    """

    bounds: Bounds
    mean: Numbers
    spread: Numbers
    project: Project | None = None

    @property
    def mode(self) -> Numbers:
        """Return the mode of the distribution, ``[B, H, A]``."""
        return self.mean

    def legal(self, actions: Numbers) -> Numbers:
        """Return the nearest actions inside the space, projected onto the allowed ones."""
        clipped = self.bounds.clip(actions)
        return clipped if self.project is None else self.project(clipped)

    def draw(self, problem: Problem, round: int, count: int) -> Numbers:
        """Return candidates ``[B, count, H, A]``, not yet legal."""
        check_round(count, self.mean.shape)
        return self.moved_by(problem.noise.normal(round, (count, *self.mean.shape[1:])))

    def draw_uniform(self, problem: Problem, round: int, count: int) -> Numbers:
        """Return candidates ``[B, count, H, A]``, uniform in the box."""
        check_round(count, self.mean.shape)
        drawn = like(2 * problem.noise.uniform(round, (count, *self.mean.shape[1:])) - 1, self.mean)
        drawn *= self.bounds.half
        drawn += self.bounds.center
        return drawn

    def moved_by(self, noise: npt.NDArray[np.float32] | Numbers) -> Numbers:
        """Return candidates ``[B, S, H, A]`` from standard normal ones."""
        candidates = like(noise, self.mean)
        candidates *= self.spread[:, None]
        candidates += self.mean[:, None]
        return candidates

    def fit(self, rated: Rated, count: int, keep_mean: float, keep_spread: float, smallest: float) -> Self:
        """Return the distribution fitted to the best ``count`` candidates.

        ``keep_mean`` and ``keep_spread`` are the shares of the old values that stay; the standard deviation
        is the unbiased one and never below ``smallest`` times half the range. A candidate whose score is not finite is
        ignored and does not change the spread.
        """
        elites, valid = rated.elites(count)
        xp = array_namespace(elites)
        weight = xp.astype(valid, elites.dtype)[:, :, None, None]
        # Relative to the old mean and in halves of the range: no precision is lost in a box far from zero, and no
        # square overflows in a huge one or vanishes in a tiny one.
        unit = self.bounds.unit
        steps = (elites - self.mean[:, None]) / unit
        total = xp.sum(weight, axis=1)
        step = xp.sum(weight * steps, axis=1) / xp.where(total > 1, total, 1.0)
        old = self.spread / unit
        squares = xp.sum(weight * (steps - step[:, None]) ** 2, axis=1)
        variance = (squares + (count - total) * old**2) / max(count - 1, 1)
        spread = keep_spread * old + (1 - keep_spread) * xp.sqrt(variance)
        mean = self.mean + (1 - keep_mean) * step * unit
        spread = xp.where(spread > smallest, spread, smallest) * self.bounds.half
        return self.moved(xp.any(valid, axis=1), mean, spread)

    def moved(self, worlds: Numbers, mean: Numbers, spread: Numbers) -> Self:
        """Return a copy with another mean, made legal, and another standard deviation in some ``worlds [B]``."""
        xp, some = array_namespace(mean), worlds[:, None, None]
        mean = xp.where(some, self.legal(mean), self.mean)
        return replace(self, mean=mean, spread=xp.where(some, spread, self.spread))


@dataclass(frozen=True)
class Categorical:
    """Independent choices among ``A`` actions.

    Attributes:
        mean: ``[B, H, A]`` the probability of each action.
    """

    mean: Numbers

    @property
    def spread(self) -> Numbers:
        """Return the probabilities, which describe the whole distribution."""
        return self.mean

    @property
    def mode(self) -> Numbers:
        """Return the most probable action of each row, one-hot ``[B, H, A]``."""
        return self.legal(self.mean)

    def legal(self, actions: Numbers) -> Numbers:
        """Return one-hot rows at the largest entry of each."""
        return Discrete(actions.shape[-1]).project(actions)

    def draw(self, problem: Problem, round: int, count: int) -> Numbers:
        """Return candidates ``[B, count, H, A]``, not yet legal: the largest entry of each row is the choice."""
        check_round(count, self.mean.shape)
        clocks = problem.noise.exponential(round, (count, *self.mean.shape[1:]))
        # An exponential number can round to 0.
        return self.mean[:, None] / like(np.maximum(clocks, np.finfo(np.float32).tiny), self.mean)

    def draw_uniform(self, problem: Problem, round: int, count: int) -> Numbers:
        """Return candidates ``[B, count, H, A]``, not yet legal, whose choices are equally probable."""
        check_round(count, self.mean.shape)
        return like(-problem.noise.exponential(round, (count, *self.mean.shape[1:])), self.mean)

    def fit(self, rated: Rated, count: int, keep_mean: float, keep_spread: float, smallest: float) -> Categorical:
        """Return the distribution fitted to the choices of the best ``count`` candidates.

        It does not change where none of them has a finite score. No probability falls below ``smallest / A``.
        """
        del keep_spread
        elites, valid = rated.elites(count)
        xp = array_namespace(elites)
        weight = xp.astype(valid, elites.dtype)[:, :, None, None]
        total = xp.sum(weight, axis=1)
        chosen = xp.sum(weight * elites, axis=1) / xp.where(total > 1, total, 1.0)
        share = keep_mean * self.mean + (1 - keep_mean) * chosen
        moved = (1 - smallest) * share + smallest / elites.shape[-1]
        return Categorical(xp.where(xp.any(valid, axis=1)[:, None, None], moved, self.mean))


PARTS = 2
"""The first stream of noise of the spaces of a mixed one."""


@dataclass(frozen=True)
class Joint:
    """Independent distributions over the simple spaces of a mixed one.

    Attributes:
        spaces: The components ``A`` of each distribution.
        parts: The distributions.
    """

    spaces: tuple[slice, ...]
    parts: tuple[Gaussian | Categorical, ...]

    @property
    def mean(self) -> Numbers:
        """Return the means of the numbers and the probabilities of the choices, ``[B, H, A]``."""
        return self._joined([part.mean for part in self.parts])

    @property
    def spread(self) -> Numbers:
        """Return the standard deviations of the numbers and the probabilities of the choices, ``[B, H, A]``."""
        return self._joined([part.spread for part in self.parts])

    @property
    def mode(self) -> Numbers:
        """Return the mode of each distribution, ``[B, H, A]``."""
        return self._joined([part.mode for part in self.parts])

    def legal(self, actions: Numbers) -> Numbers:
        """Return the nearest actions inside the space, in a new array."""
        return self._joined([part.legal(actions[..., where]) for where, part in self._each()])

    def draw(self, problem: Problem, round: int, count: int) -> Numbers:
        """Return candidates ``[B, count, H, A]``, not yet legal."""
        check_round(count, self.mean.shape)
        return self._joined([part.draw(own, round, count) for part, own in self._with_noise(problem)])

    def draw_uniform(self, problem: Problem, round: int, count: int) -> Numbers:
        """Return candidates ``[B, count, H, A]``, not yet legal, uniform in the space."""
        check_round(count, self.mean.shape)
        return self._joined([part.draw_uniform(own, round, count) for part, own in self._with_noise(problem)])

    def fit(self, rated: Rated, count: int, keep_mean: float, keep_spread: float, smallest: float) -> Joint:
        """Return the distributions fitted to the best ``count`` candidates; see those of the parts."""
        parts = tuple(
            part.fit(replace(rated, candidates=rated.candidates[..., where]), count, keep_mean, keep_spread, smallest)
            for where, part in self._each()
        )
        return Joint(self.spaces, parts)

    def _with_noise(self, problem: Problem) -> list[tuple[Gaussian | Categorical, Problem]]:
        """Return each distribution with the problem and independent noise."""
        noise = problem.noise
        return [(part, replace(problem, noise=noise.spawn(PARTS + index))) for index, part in enumerate(self.parts)]

    def _each(self) -> list[tuple[slice, Gaussian | Categorical]]:
        return list(zip(self.spaces, self.parts, strict=True))

    def _joined(self, parts: list[Numbers]) -> Numbers:
        return array_namespace(parts[0]).concat(parts, axis=-1)


Search: TypeAlias = Gaussian | Categorical | Joint
