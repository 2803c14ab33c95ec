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
from tacit.errors import ConfigError, PlanningError, SpecError
from tacit.types import Box, Discrete, Numbers, Problem

if TYPE_CHECKING:
    from tacit.planners._ranking import Rated

__all__ = ["Categorical", "Gaussian", "begin", "begin_box"]

Project: TypeAlias = Callable[[Numbers], Numbers]
"""A map of actions ``[B, ..., H, A]`` to the nearest allowed ones; see :class:`tacit.types.Problem`."""

WARM = 0.5
"""The share of probability that a warm start gets in a discrete space; the rest is uniform."""

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

    def moved_by(self, noise: npt.NDArray[np.float32] | Numbers) -> Numbers:
        """Return candidates ``[B, S, H, A]`` from standard normal ones."""
        candidates = like(noise, self.mean)
        candidates *= self.spread[:, None]
        candidates += self.mean[:, None]
        return candidates

    def fit(self, rated: Rated, count: int, keep_mean: float, keep_spread: float, floor: float) -> Self:
        """Return the distribution fitted to the best ``count`` candidates.

        ``keep_mean`` and ``keep_spread`` are the shares of the old values that stay; the standard deviation
        is the unbiased one and never below ``floor`` times half the range. A candidate whose score is not finite is
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
        spread = xp.where(spread > floor, spread, floor) * self.bounds.half
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
        return self.mean[:, None] / like(clocks, self.mean)

    def fit(self, rated: Rated, count: int, keep_mean: float, keep_spread: float, floor: float) -> Categorical:
        """Return the distribution fitted to the choices of the best ``count`` candidates.

        It does not change where none of them has a finite score. No probability falls below ``floor / A``.
        """
        del keep_spread
        elites, valid = rated.elites(count)
        xp = array_namespace(elites)
        weight = xp.astype(valid, elites.dtype)[:, :, None, None]
        total = xp.sum(weight, axis=1)
        chosen = xp.sum(weight * elites, axis=1) / xp.where(total > 1, total, 1.0)
        share = keep_mean * self.mean + (1 - keep_mean) * chosen
        moved = (1 - floor) * share + floor / elites.shape[-1]
        return Categorical(xp.where(xp.any(valid, axis=1)[:, None, None], moved, self.mean))


Search: TypeAlias = Gaussian | Categorical


def begin(problem: Problem, std: float) -> Search:
    """Return the first distribution of a search: around the warm start, else the middle of the space.

    Args:
        problem: The problem to solve.
        std: Its standard deviation in a box, in halves of the range.

    Raises:
        ConfigError: if the problem is empty or too large, or projects in a discrete space.
        SpecError: if the warm start does not fit.
        PlanningError: if it is not finite.
    """
    space, device = problem.space, problem.device
    shape = (problem.batch, problem.horizon, space.size)
    if min(shape[:2]) < 1:
        raise ConfigError(f"a plan needs batch >= 1 and horizon >= 1; got {shape[0]} and {shape[1]}.")
    check_round(1, shape)
    warm = problem.warm_start
    if warm is not None and tuple(warm.shape) != shape:
        raise SpecError(f"warm_start must be [B, H, A] = {list(shape)}; got {list(warm.shape)}.")
    if warm is not None:
        warm = finite(warm, "warm_start", device)
    zeros = as_numbers(np.zeros(shape, np.float32), device)
    if isinstance(space, Box):
        bounds = Bounds.of(space, device)
        mean = zeros + bounds.center if warm is None else warm
        search = Gaussian(bounds, mean, zeros + std * bounds.half, problem.project)
        return replace(search, mean=search.legal(mean))
    if problem.project is not None:
        raise ConfigError(f"project is for the actions of a Box; got {space}.")
    uniform = zeros + 1 / space.n
    return Categorical(uniform if warm is None else WARM * Categorical(warm).mode + (1 - WARM) * uniform)


def begin_box(problem: Problem, std: float) -> Gaussian:
    """Return the first distribution in a box and refuse a discrete space; see :func:`begin`.

    Raises:
        ConfigError: if the space is discrete.
    """
    search = begin(problem, std)
    if isinstance(search, Categorical):
        raise ConfigError(
            f"this planner searches a Box; got {problem.space}. CEM and RandomShooting search discrete spaces."
        )
    return search


def finite(actions: Numbers, name: str, device: Any) -> Numbers:
    """Return actions as float32 on the device of a problem.

    Raises:
        PlanningError: if they hold NaN or infinity.
    """
    actions = as_numbers(actions, device)
    xp = array_namespace(actions)
    if not bool(xp.all(xp.isfinite(actions))):
        raise PlanningError(f"{name} must be finite; NaN or infinity came. Look at what made them, or plan without.")
    return actions
