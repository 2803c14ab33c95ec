"""The first distribution of a search, from its problem."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from tacit._arrays import array_namespace, as_numbers
from tacit.errors import ConfigError, PlanningError, SpecError
from tacit.planners._distributions import Bounds, Categorical, Gaussian, Joint, Search, check_round
from tacit.types import Box, Discrete, Numbers, Problem

__all__ = ["begin", "begin_box"]

WARM = 0.5
"""The share of probability that a warm start gets in a discrete space; the rest is uniform."""


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
    if problem.project is not None and not isinstance(space, Box):
        raise ConfigError(f"project is for the actions of a Box; got {space}.")
    parts = [
        _gaussian(part, zeros[..., where], None if warm is None else warm[..., where], std, problem)
        if isinstance(part, Box)
        else _categorical(part, zeros[..., where], None if warm is None else warm[..., where])
        for where, part in space.parts
    ]
    return parts[0] if len(parts) == 1 else Joint(tuple(where for where, _ in space.parts), tuple(parts))


def _gaussian(space: Box, zeros: Numbers, warm: Numbers | None, std: float, problem: Problem) -> Gaussian:
    """Return normal distributions around a warm start ``[B, H, A]``, else the middle of a box."""
    bounds = Bounds.of(space, problem.device)
    mean = zeros + bounds.center if warm is None else warm
    search = Gaussian(bounds, mean, zeros + std * bounds.half, problem.project)
    return replace(search, mean=search.legal(mean))


def _categorical(space: Discrete, zeros: Numbers, warm: Numbers | None) -> Categorical:
    """Return equal probabilities, with a larger one for the choice of a warm start ``[B, H, A]``."""
    uniform = zeros + 1 / space.n
    return Categorical(uniform if warm is None else WARM * Categorical(warm).mode + (1 - WARM) * uniform)


def begin_box(problem: Problem, std: float) -> Gaussian:
    """Return the first distribution in a box and refuse a discrete space; see :func:`begin`.

    Raises:
        ConfigError: if the space is discrete.
    """
    search = begin(problem, std)
    if not isinstance(search, Gaussian):
        raise ConfigError(
            f"this planner searches a Box; got {problem.space}. CEM and RandomShooting search other spaces too."
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
