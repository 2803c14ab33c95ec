"""L-BFGS on many problems at once, each with its own steps and its own end."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import torch
from torch import Tensor

__all__ = ["minimise"]

Objective: TypeAlias = Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]
"""Points ``[k, P]`` of the problems ``[k]`` to their values ``[k]`` and gradients ``[k, P]``."""

ENOUGH = 1e-4
HALVINGS = 20


def minimise(objective: Objective, start: Tensor, *, steps: int, tolerance: float, memory: int = 10) -> Tensor:
    """Return the minima of convex problems (Nocedal and Wright, algorithm 7.5), from ``start [K, P]``.

    A problem ends when no entry of its gradient exceeds ``tolerance`` or no step lowers its value; those that ended
    cost nothing while the others go on. The line search halves the step until the value falls enough (Armijo), which
    is all that a strictly convex function needs.

    Args:
        objective: Values and gradients of some of the problems.
        start: ``[K, P]``.
        steps: The most steps of a problem.
        tolerance: See above.
        memory: Pairs of steps and gradient changes to remember.
    """
    point = start.clone()
    active = torch.arange(len(point), device=point.device)
    value, gradient = objective(point, active)
    pairs: list[tuple[Tensor, Tensor, Tensor]] = []
    for _ in range(steps):
        going = gradient.abs().amax(dim=1) > tolerance
        if not going.all():
            active, value, gradient = active[going], value[going], gradient[going]
            pairs = [(s[going], y[going], rho[going]) for s, y, rho in pairs]
        if not len(active):
            break
        direction = -_inverse(gradient, pairs)
        # The first step has no curvature to go by, so its length is bounded.
        length = torch.ones_like(gradient[:, 0]) if pairs else (1 / gradient.norm(dim=1)).clamp(max=1)
        here = point[active]
        reached, fresh, slope = _searched(objective, here, value, gradient, direction, length, active)
        moved = (reached != here).any(dim=1)
        change, bend = reached - here, slope - gradient
        curvature = (change * bend).sum(dim=1)
        rho = torch.where(curvature > 0, 1 / curvature.clamp(min=torch.finfo(curvature.dtype).tiny), 0)
        pairs = [*pairs[-memory + 1 :], (change, bend, rho)]
        point[active], value, gradient = reached, fresh, slope
        if not moved.all():
            active, value, gradient = active[moved], value[moved], gradient[moved]
            pairs = [(s[moved], y[moved], rho[moved]) for s, y, rho in pairs]
    return point


def _searched(
    objective: Objective,
    here: Tensor,
    value: Tensor,
    gradient: Tensor,
    direction: Tensor,
    length: Tensor,
    active: Tensor,
) -> tuple[Tensor, Tensor, Tensor]:
    """Return point, value and gradient after a step down each direction.

    The old ones are kept where no step lowers the value.
    """
    point, fresh, slope = here.clone(), value.clone(), gradient.clone()
    descent = (gradient * direction).sum(dim=1)
    open_ = torch.arange(len(here), device=here.device)
    for _ in range(HALVINGS):
        tried = here[open_] + length[open_, None] * direction[open_]
        found, its_slope = objective(tried, active[open_])
        good = found <= value[open_] + ENOUGH * length[open_] * descent[open_]
        rows = open_[good]
        point[rows], fresh[rows], slope[rows] = tried[good], found[good], its_slope[good]
        open_ = open_[~good]
        if not len(open_):
            break
        length = length / 2
    return point, fresh, slope


def _inverse(gradient: Tensor, pairs: list[tuple[Tensor, Tensor, Tensor]]) -> Tensor:
    """Return the inverse Hessian as the remembered pairs see it, times the gradient."""
    out, kept = gradient, []
    for change, bend, rho in reversed(pairs):
        share = rho * (change * out).sum(dim=1)
        out = out - share[:, None] * bend
        kept.append(share)
    if pairs:
        change, bend, rho = pairs[-1]
        out = out * torch.where(rho > 0, 1 / (rho * bend.square().sum(dim=1)).clamp(min=1e-30), 1)[:, None]
    for (change, bend, rho), share in zip(pairs, reversed(kept), strict=True):
        out = out + (share - rho * (bend * out).sum(dim=1))[:, None] * change
    return out
