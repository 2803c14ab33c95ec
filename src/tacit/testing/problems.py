"""Planning problems with known answers."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Generator, Tensor

from tacit.planners import WorldNoise
from tacit.types import ActionSpace, Box, Discrete, Mixed, Plan, Planner, Problem

__all__ = [
    "KnownProblem",
    "bandit",
    "bandit_and_bowl",
    "bowl",
    "corner",
    "double_integrator",
    "point_mass",
    "rastrigin",
    "rosenbrock",
    "sphere",
    "two_valleys",
    "walls",
]


@dataclass(frozen=True)
class KnownProblem:
    """Planning problem for a batch of worlds with a known best plan.

    Attributes:
        space: The space of one row of a plan.
        score: Energies ``[B, S]`` of candidates ``[B, S, H, A]``; differentiable where the space is a box.
        optimum: ``[B, H, A]`` the best plan.
    """

    space: ActionSpace
    score: Callable[[Tensor], Tensor]
    optimum: Tensor

    @property
    def energy(self) -> Tensor:
        """Return ``[B]`` energy of the best plan."""
        return self.score(self.optimum[:, None])[:, 0]

    @property
    def idle(self) -> Tensor:
        """Return ``[B]`` energy of doing nothing: zero, clipped to the box, or the first choice."""
        return self.score(self.space.project(torch.zeros_like(self.optimum))[:, None])[:, 0]

    def asked(self, seed: int = 0, **options: Any) -> Problem:
        """Return the problem as input of a planner, a pure function of ``seed``.

        Args:
            seed: Seed of the noise.
            options: Fields of :class:`tacit.types.Problem`.
        """
        batch, horizon, _ = self.optimum.shape
        noise = WorldNoise.of(seed, batch)
        known = {"score": self.score, "space": self.space, "horizon": horizon, "noise": noise}
        return Problem(**{**known, "device": self.optimum.device, **options})

    def solve(self, planner: Planner, seed: int = 0, **options: Any) -> Plan:
        """Return the plan of ``planner``; see :meth:`asked`."""
        return planner(self.asked(seed, **options))

    def regret(self, plan: Plan) -> Tensor:
        """Return ``[B]``: 0 for the best plan, 1 for one no better than the middle of the box (or arm 0)."""
        idle = torch.zeros_like(self.optimum)
        for where, space in self.space.parts:
            if isinstance(space, Box):
                idle[..., where] += torch.tensor([space.low, space.high]).mean(dim=0)
            else:
                idle[..., where.start] = 1.0
        reference = self.score(idle[:, None])[:, 0]
        energy: Tensor = plan.energy
        return (energy - self.energy) / (reference - self.energy).clamp(min=1e-9)


def bandit(batch: int = 3, horizon: int = 4, arms: int = 5, seed: int = 0) -> KnownProblem:
    """Build arms with known prices, different in each row; the best plan takes the cheapest of each row."""
    prices = torch.rand(batch, horizon, arms, generator=Generator().manual_seed(seed))
    prices[..., 0] += 1.0
    optimum = torch.nn.functional.one_hot(prices.argmin(dim=-1), arms).float()
    return KnownProblem(Discrete(arms), lambda actions: (actions * prices[:, None]).sum(dim=(2, 3)), optimum)


def bandit_and_bowl(batch: int = 3, horizon: int = 2, arms: int = 4, seed: int = 0) -> KnownProblem:
    """Build the sum of :func:`bandit` and :func:`bowl`, in a mixed space."""
    one, two = bandit(batch, horizon, arms, seed), bowl(batch, horizon, seed=seed)
    return KnownProblem(
        Mixed(tuple(part for space in (one.space, two.space) for _, part in space.parts)),
        lambda actions: one.score(actions[..., :arms]) + two.score(actions[..., arms:]),
        torch.cat([one.optimum, two.optimum], dim=-1),
    )


def bowl(batch: int = 3, horizon: int = 2, size: int = 2, seed: int = 0, space: Box | None = None) -> KnownProblem:
    """Build the squared distance to a point outside the box in some components; its projection is the best plan."""
    box = space or Box(tuple(-1.0 - i for i in range(size)), tuple(0.5 + i for i in range(size)))
    low, high = torch.tensor([box.low, box.high])
    shares = torch.rand(batch, horizon, box.size, generator=Generator().manual_seed(seed)) * 1.4 - 0.2
    point = low + shares * (high - low)
    return _distance(box, point)


def point_mass(batch: int = 3, horizon: int = 8, seed: int = 0, effort: float = 0.05) -> KnownProblem:
    """Build linear dynamics with quadratic cost from random ``(p, v)`` to rest at zero.

    The dynamics are ``p' = p + v / 4``, ``v' = v + a``. The energy is ``p_H^2 + v_H^2 + effort * sum a^2``, its
    minimum the solution of the normal equations. The box is wide enough that the bounds do not bind.
    """
    step = torch.tensor([[1.0, 0.25], [0.0, 1.0]], dtype=torch.float64)
    push = torch.tensor([0.0, 1.0], dtype=torch.float64)
    start = torch.rand(batch, 2, generator=Generator().manual_seed(seed), dtype=torch.float64) * 2 - 1
    powers = [torch.linalg.matrix_power(step, k) for k in range(horizon + 1)]
    drift = start @ powers[horizon].T
    gain = torch.stack([powers[horizon - 1 - k] @ push for k in range(horizon)], dim=1)
    hessian = gain.T @ gain + effort * torch.eye(horizon, dtype=torch.float64)
    optimum = -torch.linalg.solve(hessian, gain.T @ drift.T).T.float()[:, :, None]
    drift32, gain32 = drift.float()[:, None], gain.float()

    def score(actions: Tensor) -> Tensor:
        end: Tensor = drift32 + actions[..., 0] @ gain32.T
        return end.square().sum(dim=-1) + effort * actions.square().sum(dim=(2, 3))

    return KnownProblem(Box((-2.0,), (2.0,)), score, optimum)


def two_valleys(batch: int = 3, horizon: int = 2, size: int = 2) -> KnownProblem:
    """Build two bowls in opposite corners of the box: the deeper at 0.6, a decoy of energy 0.2 at -0.6."""
    deep = torch.full((batch, horizon, size), 0.6)

    def score(actions: Tensor) -> Tensor:
        right = (actions - 0.6).square().mean(dim=(2, 3))
        return torch.minimum(right, (actions + 0.6).square().mean(dim=(2, 3)) + 0.2)

    return KnownProblem(Box((-1.0,) * size, (1.0,) * size), score, deep)


def sphere(batch: int = 3, horizon: int = 6, size: int = 2, seed: int = 0) -> KnownProblem:
    """Build the squared distance to a different point in each row, inside the box ``[-1, 1]``."""
    point = torch.rand(batch, horizon, size, generator=Generator().manual_seed(seed)) * 1.6 - 0.8
    return _distance(Box((-1.0,) * size, (1.0,) * size), point)


def corner(batch: int = 3, horizon: int = 6, size: int = 2) -> KnownProblem:
    """Build the squared distance to a point beyond a corner; this corner of the box ``[-1, 1]`` is the best plan."""
    return _distance(Box((-1.0,) * size, (1.0,) * size), torch.full((batch, horizon, size), 1.5))


def rosenbrock(batch: int = 3, horizon: int = 6, size: int = 1) -> KnownProblem:
    """Build a curved valley along all numbers of a plan, in the box ``[-2, 2]``; the best plan is 1 everywhere."""

    def score(actions: Tensor) -> Tensor:
        x = actions.flatten(2)
        return (100 * (x[..., 1:] - x[..., :-1].square()).square() + (1 - x[..., :-1]).square()).sum(dim=-1)

    return KnownProblem(Box((-2.0,) * size, (2.0,) * size), score, torch.ones(batch, horizon, size))


def rastrigin(batch: int = 3, horizon: int = 3, size: int = 1, seed: int = 0) -> KnownProblem:
    """Build a bowl in the box ``[-5, 5]`` with a local minimum at each distance of 1 from the best plan."""
    point = torch.rand(batch, horizon, size, generator=Generator().manual_seed(seed)) * 4 - 2

    def score(actions: Tensor) -> Tensor:
        x = actions - point[:, None]
        return (x.square() + 10 * (1 - torch.cos(2 * math.pi * x))).sum(dim=(2, 3))

    return KnownProblem(Box((-5.0,) * size, (5.0,) * size), score, point)


def double_integrator(batch: int = 3, horizon: int = 20, seed: int = 0, effort: float = 0.01) -> KnownProblem:
    """Build linear dynamics with a quadratic cost of each step, from a random ``p``.

    The dynamics are ``v' = v + a / 5``, ``p' = p + v' / 5``. The energy is the sum of
    ``p^2 + v^2 / 10 + effort * a^2`` over the horizon. The bounds ``[-1, 1]`` bind.
    """
    far = torch.rand(batch, 1, generator=Generator().manual_seed(seed), dtype=torch.float64) + 0.5
    speed = torch.ones(horizon, horizon, dtype=torch.float64).tril() / 5
    position = speed.cumsum(dim=0) / 5
    hessian = position.T @ position + speed.T @ speed / 10 + effort * torch.eye(horizon, dtype=torch.float64)
    slope = far * position.sum(dim=0)
    optimum = _box_optimum(hessian, slope, 1.0).float()[:, :, None]
    far32, speed32, position32 = far.float()[:, None], speed.float(), position.float()

    def score(actions: Tensor) -> Tensor:
        rows = actions[..., 0]
        reached = (far32 + rows @ position32.T).square().sum(dim=-1)
        return reached + (rows @ speed32.T).square().sum(dim=-1) / 10 + effort * rows.square().sum(dim=-1)

    return KnownProblem(Box((-1.0,), (1.0,)), score, optimum)


def walls(batch: int = 3, horizon: int = 3, penalty: float = 1e6) -> KnownProblem:
    """Build the squared distance to a point with walls right behind it; touching one costs the penalty.

    Most candidates of a first round touch one.
    """
    target = torch.tensor([0.6, -0.6])

    def score(actions: Tensor) -> Tensor:
        far = (actions - target).square().sum(dim=(2, 3))
        hit = ((actions[..., 0] > 0.65) | (actions[..., 1] < -0.65)).any(dim=-1)
        return torch.where(hit, far + penalty, far)

    return KnownProblem(Box((-1.0, -1.0), (1.0, 1.0)), score, target.expand(batch, horizon, 2).clone())


def _distance(box: Box, point: Tensor) -> KnownProblem:
    """Build the squared distance to points ``[B, H, A]``; the best plan is their projection."""
    low, high = torch.tensor([box.low, box.high])
    return KnownProblem(
        box, lambda actions: (actions - point[:, None]).square().sum(dim=(2, 3)), point.clamp(low, high)
    )


def _box_optimum(hessian: Tensor, slope: Tensor, bound: float) -> Tensor:
    """Minimise ``x H x / 2 + slope x`` for ``|x| <= bound`` by accelerated projected gradients (Nesterov, 1983)."""
    rate = 1 / torch.linalg.matrix_norm(hessian, ord=2)
    x = ahead = torch.zeros_like(slope)
    for step in range(1, 2001):
        moved = (ahead - rate * (ahead @ hessian + slope)).clamp(-bound, bound)
        ahead = moved + (step - 1) / (step + 2) * (moved - x)
        x = moved
    return x
