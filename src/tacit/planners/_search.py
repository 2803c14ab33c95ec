"""Distributions over sequences of actions that a planner draws from and narrows down."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TypeAlias

import torch
from torch import Generator, Tensor

from tacit.errors import ConfigError, PlanningError, SpecError
from tacit.types import ActionSpace, Box

__all__ = [
    "Bounds",
    "Categorical",
    "Gaussian",
    "Noise",
    "Project",
    "begin",
    "begin_box",
    "check_round",
    "finite",
    "white",
]

Noise: TypeAlias = Callable[[tuple[int, int, int, int], Generator], Tensor]
"""Standard normal numbers of the shape ``(B, S, H, A)``."""

Project: TypeAlias = Callable[[Tensor], Tensor]
"""Actions ``[B, ..., H, A]`` to those near to them that are allowed; see :class:`tacit.types.Planner`."""

WARM = 0.5
"""The share of probability that a warm start gets in a discrete space; the rest is uniform."""

ROUND = 2**30
"""Numbers in the candidates of one round, of all worlds together, at the most: 4 GB."""


@dataclass(frozen=True)
class Bounds:
    """A box as float32 tensors ``[A]``, rounded inwards, so that no float32 action lies outside it."""

    low: Tensor
    high: Tensor

    @classmethod
    def of(cls, space: Box, device: torch.device) -> Bounds:
        """The bounds of ``space`` on ``device``."""
        exact = torch.tensor([space.low, space.high], dtype=torch.float64)
        low, high = exact.float()
        infinity = torch.tensor(torch.inf)
        inner_low = torch.where(low.double() < exact[0], torch.nextafter(low, infinity), low)
        inner_high = torch.where(high.double() > exact[1], torch.nextafter(high, -infinity), high)
        narrow = inner_low > inner_high
        return cls(torch.where(narrow, low, inner_low).to(device), torch.where(narrow, low, inner_high).to(device))

    @cached_property
    def center(self) -> Tensor:
        """The middle of each range."""
        return self.low / 2 + self.high / 2  # the sum and the difference of huge bounds overflow

    @cached_property
    def half(self) -> Tensor:
        """Half of each range."""
        return self.high / 2 - self.low / 2

    @cached_property
    def unit(self) -> Tensor:
        """Half of each range, or 1 where the range is empty: what deviations are divided by."""
        return torch.where(self.half > 0, self.half, 1.0)

    def clip(self, actions: Tensor) -> Tensor:
        """The nearest actions inside the box."""
        return torch.clamp(actions, self.low, self.high)


def check_round(count: int, shape: Sequence[int]) -> None:
    """Refuse a round of more candidates than memory holds.

    Args:
        count: Candidates of each world.
        shape: ``(B, H, A)``.

    Raises:
        ConfigError: naming what the round is made of and the limit.
    """
    if count * math.prod(shape) > ROUND:
        batch, horizon, size = shape
        raise ConfigError(
            f"a round of candidates has at most {ROUND} numbers; {count} samples of {horizon} steps with {size} "
            f"action components in {batch} worlds are {count * math.prod(shape)}. Lower the samples, the horizon or "
            "the batch."
        )


def white(shape: tuple[int, int, int, int], generator: Generator) -> Tensor:
    """Independent noise."""
    return torch.randn(shape, generator=generator, device=generator.device)


@dataclass(frozen=True)
class Gaussian:
    """Independent normal distributions over a box.

    Attributes:
        bounds: The box.
        mean: ``[B, H, A]``.
        spread: ``[B, H, A]`` standard deviations.
        project: Maps sequences inside the box to those that are allowed; None: all are.
    """

    bounds: Bounds
    mean: Tensor
    spread: Tensor
    project: Project | None = None

    @property
    def mode(self) -> Tensor:
        """The one sequence that stands for the distribution, ``[B, H, A]``."""
        return self.mean

    def legal(self, actions: Tensor) -> Tensor:
        """Return the nearest actions inside the space, projected onto those that are allowed."""
        clipped = self.bounds.clip(actions)
        return clipped if self.project is None else self.project(clipped)

    def sample(self, count: int, generator: Generator, noise: Noise = white) -> Tensor:
        """Draw candidates ``[B, count, H, A]``, not yet legal."""
        check_round(count, self.mean.shape)
        batch, horizon, size = self.mean.shape
        candidates = noise((batch, count, horizon, size), generator)
        return torch.addcmul(self.mean[:, None], candidates, self.spread[:, None], out=candidates)

    def fit(self, elites: Tensor, valid: Tensor, keep_mean: float, keep_spread: float, floor: float) -> Gaussian:
        """Move to the elites ``[B, K, H, A]`` of which only the ``valid [B, K]`` count.

        ``keep_mean`` and ``keep_spread`` are the shares of the old values that stay; the standard deviation
        is the unbiased one and never below ``floor`` times half the range. An elite that does not count leaves the
        spread as it was.
        """
        weight = valid[:, :, None, None].to(elites.dtype)
        # Relative to the old mean and in halves of the range: no precision is lost in a box far from zero, and no
        # square overflows in a huge one or vanishes in a tiny one.
        unit = self.bounds.unit
        steps = (elites - self.mean[:, None]) / unit
        step = (weight * steps).sum(dim=1) / weight.sum(dim=1).clamp(min=1)
        old = self.spread / unit
        squares = (weight * (steps - step[:, None]).square()).sum(dim=1)
        missing = (~valid).sum(dim=1)[:, None, None] * old.square()
        variance = (squares + missing) / max(elites.shape[1] - 1, 1)
        spread = keep_spread * old + (1 - keep_spread) * variance.sqrt()
        mean = self.mean + (1 - keep_mean) * step * unit
        return self.moved(valid.any(dim=1), mean, spread.clamp(min=floor) * self.bounds.half)

    def moved(self, worlds: Tensor, mean: Tensor, spread: Tensor) -> Gaussian:
        """With another mean, made legal, and another standard deviation in some ``worlds [B]``."""
        some = worlds[:, None, None]
        mean = torch.where(some, self.legal(mean), self.mean)
        return replace(self, mean=mean, spread=torch.where(some, spread, self.spread))


@dataclass(frozen=True)
class Categorical:
    """Independent choices among ``A`` actions.

    Attributes:
        mean: ``[B, H, A]`` the probability of each action.
    """

    mean: Tensor

    @property
    def spread(self) -> Tensor:
        """The probabilities once more: they say all there is to say."""
        return self.mean

    @property
    def mode(self) -> Tensor:
        """The most probable action of each row, one-hot ``[B, H, A]``."""
        return self.legal(self.mean)

    def legal(self, actions: Tensor) -> Tensor:
        """One-hot at the largest entry of each row."""
        return torch.zeros_like(actions).scatter_(-1, actions.argmax(dim=-1, keepdim=True), 1.0)

    def sample(self, count: int, generator: Generator) -> Tensor:
        """Draw candidates ``[B, count, H, A]``, not yet legal: the largest entry of each row is the choice."""
        check_round(count, self.mean.shape)
        batch, horizon, size = self.mean.shape
        clocks = torch.empty(batch, count, horizon, size, device=generator.device).exponential_(generator=generator)
        return self.mean[:, None] / clocks

    def fit(self, elites: Tensor, valid: Tensor, keep_mean: float, keep_spread: float, floor: float) -> Categorical:
        """Moved to how often the ``valid [B, K]`` elites chose each action; as it was, where none is valid.

        No probability falls below ``floor / A``.
        """
        del keep_spread
        weight = valid[:, :, None, None].to(elites.dtype)
        chosen = (weight * elites).sum(dim=1) / weight.sum(dim=1)
        share = keep_mean * self.mean + (1 - keep_mean) * chosen
        moved = (1 - floor) * share + floor / elites.shape[-1]
        return Categorical(torch.where(valid.any(dim=1)[:, None, None], moved, self.mean))


def begin(
    space: ActionSpace,
    batch: int,
    horizon: int,
    generator: Generator,
    std: float,
    warm_start: Tensor | None,
    project: Project | None = None,
) -> Gaussian | Categorical:
    """The distribution that a search starts from: around the warm start, else around the middle of the space.

    Raises:
        ConfigError: if ``project`` comes with a discrete space.
        SpecError: if the warm start does not fit.
        PlanningError: if it is not finite.
    """
    shape = (batch, horizon, space.size)
    if min(batch, horizon) < 1:
        raise ConfigError(f"a plan needs batch >= 1 and horizon >= 1; got {batch} and {horizon}.")
    check_round(1, shape)
    if warm_start is not None and warm_start.shape != shape:
        raise SpecError(f"warm_start must be [B, H, A] = {list(shape)}; got {list(warm_start.shape)}.")
    if warm_start is not None:
        warm_start = finite(warm_start, "warm_start", generator.device)
    if isinstance(space, Box):
        bounds = Bounds.of(space, generator.device)
        mean = bounds.center.expand(shape) if warm_start is None else warm_start
        search = Gaussian(bounds, mean, (std * bounds.half).expand(shape), project)
        return replace(search, mean=search.legal(mean))
    if project is not None:
        raise ConfigError(f"project is for the actions of a Box; got {space}.")
    uniform = torch.full(shape, 1 / space.n, device=generator.device)
    if warm_start is None:
        return Categorical(uniform)
    return Categorical(WARM * Categorical(warm_start).mode + (1 - WARM) * uniform)


def begin_box(
    space: ActionSpace,
    batch: int,
    horizon: int,
    generator: Generator,
    std: float,
    warm_start: Tensor | None,
    project: Project | None = None,
) -> Gaussian:
    """Like :func:`begin`, for planners that have no meaning in a discrete space.

    Raises:
        ConfigError: if the space is discrete.
    """
    search = begin(space, batch, horizon, generator, std, warm_start, project)
    if isinstance(search, Categorical):
        raise ConfigError(f"this planner searches a Box; got {space}. CEM and RandomShooting search discrete spaces.")
    return search


def finite(actions: Tensor, name: str, device: torch.device) -> Tensor:
    """The actions as float32 on the device.

    Raises:
        PlanningError: if they hold NaN or infinity.
    """
    actions = actions.detach().to(device, torch.float32)
    if not bool(actions.isfinite().all()):
        raise PlanningError(f"{name} must be finite; NaN or infinity came. Look at what made them, or plan without.")
    return actions
