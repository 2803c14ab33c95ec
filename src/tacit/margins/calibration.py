"""Calibration of the margins of constraints in closed loop."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from tacit._seeds import derive_seed
from tacit.agent import Agent, MarginRecord
from tacit.errors import ConfigError
from tacit.evaluation.trace import trace
from tacit.margins.violations import allowed_tasks, nonconformity, realised_slacks, require_labels
from tacit.statistics import Rate, conformal_rank, episodes_needed, pac_rank, wilson
from tacit.types import GoalEnvironment, MarginConstraint, State

__all__ = ["MarginCalibration", "MarginTest", "calibrate", "try_margins", "with_margins"]

Floats = npt.NDArray[np.float64]

GRID = (1.5, 1.0, 0.7, 0.5, 0.35, 0.25, 0.18, 0.12)
"""Margins to test, in units of the largest nonconformity of the pilot up to the rate."""


@dataclass(frozen=True)
class MarginTest:
    """Scores of an agent with certain margins.

    Attributes:
        margins: The margin of each constraint.
        broken: ``[n]`` whether each episode broke a constraint at some step, also under the fallback.
        solved: ``[n]`` whether each task was solved.
        stopped: Share of steps under the fallback.
        nonconformity: ``[n]`` the largest predicted minus realised slack of each episode, by constraint.
        goals: ``[n, D]`` latents of the goals.
    """

    margins: Mapping[str, float]
    broken: npt.NDArray[np.bool_] = field(repr=False)
    solved: npt.NDArray[np.bool_] = field(repr=False)
    stopped: float
    nonconformity: Mapping[str, Floats] = field(repr=False)
    goals: Tensor = field(repr=False)

    @property
    def violated(self) -> Rate:
        """Return the share of episodes that broke a constraint."""
        return wilson(int(self.broken.sum()), len(self.broken))

    @property
    def success(self) -> Rate:
        """Return the share of solved tasks."""
        return wilson(int(self.solved.sum()), len(self.solved))

    def __str__(self) -> str:
        margins = ", ".join(f"{margin:.3g}" for margin in self.margins.values())
        return (
            f"margin {margins}: {self.violated} of episodes broke a constraint, {self.success} of tasks solved, "
            f"{100 * self.stopped:.2g} % of steps under the fallback"
        )


@dataclass(frozen=True)
class MarginCalibration:
    """Result of :func:`calibrate`.

    Attributes:
        agent: The agent with the calibrated margins, and with their record.
        pilot: The test without margins.
        tests: The tests of the margins in their order, until the first failure.
        confirmation: The test of the chosen margins on fresh episodes.
    """

    agent: Agent
    pilot: MarginTest
    tests: tuple[MarginTest, ...]
    confirmation: MarginTest

    def __str__(self) -> str:
        named = [("pilot", self.pilot), *(("test", test) for test in self.tests), ("confirmation", self.confirmation)]
        rows = [str(self.agent.calibration)]
        rows += [f"  {name:<12} {test}" for name, test in named]
        return "\n".join(rows)


def calibrate(
    agent: Agent,
    env: GoalEnvironment,
    *,
    rate: float = 0.01,
    guarantee: Literal["mean", "pac"] = "pac",
    confidence: float = 0.95,
    episodes: int = 1000,
    grid: Sequence[float] = GRID,
    seed: int = 0,
) -> MarginCalibration:
    """Find the smallest margins with which few enough episodes break a constraint.

    A margin changes what the agent does, so each is tested on episodes of the agent with this margin in force. The
    margins of a decreasing grid are tested in order until one fails, which needs no correction for several tests
    (fixed-sequence testing; Angelopoulos et al., 2021, arXiv 2110.01052). A margin passes if at most ``m - 1`` of the
    ``n`` episodes break a constraint, where ``m`` is the rank of the conformal quantile. The smallest passed margin is
    confirmed on fresh episodes; where that fails, the next larger one is.

    The nonconformity of an episode is the largest predicted minus realised slack over its steps. A pilot of a fifth of
    the episodes without a margin gives its quantile for each constraint; the grid holds multiples of it.

    Args:
        agent: The agent; the targets of its constraints are labels of the environment.
        env: The environment. Tasks start and end where the constraints hold.
        rate: The largest allowed share of episodes that break a constraint.
        guarantee: ``mean``: the share is at most ``rate`` on average over calibrations; ``pac``: with ``confidence``.
        confidence: The confidence of ``pac``.
        episodes: Episodes of each test, ``n``.
        grid: Decreasing multiples of the quantile of the pilot.
        seed: Seed of the tasks; evaluate with another one.

    Raises:
        ConfigError: if there are too few episodes for the rate, the agent has no constraint with a margin, the grid
            does not decrease, or no margin passes.
    """
    rank = _rank(episodes, rate, guarantee, confidence, grid)
    asked = MarginRecord({}, rate, guarantee, confidence, episodes, rank)
    limits = agent.config.margin_constraints
    pilot = try_margins(agent, env, dict.fromkeys(limits, 0.0), max(episodes // 5, 1), derive_seed(seed, 0))
    tests = []
    for index, margins in enumerate(_margins(limits, pilot, grid, rate)):
        tests.append(try_margins(agent, env, margins, episodes, derive_seed(seed, 1, index)))
        if tests[-1].broken.sum() >= rank:
            break
    for index, test in enumerate(reversed([test for test in tests if test.broken.sum() < rank])):
        confirmation = try_margins(agent, env, test.margins, episodes, derive_seed(seed, 2, index))
        if confirmation.broken.sum() < rank:
            return MarginCalibration(_recorded(agent, asked, test, confirmation), pilot, tuple(tests), confirmation)
    raise ConfigError(
        f"no margin of the grid passes: with {dict(tests[0].margins)}, {tests[0].violated} of the episodes broke a "
        f"constraint, at most {rank - 1} of {episodes} may. Allow a higher rate, give a larger grid, or improve the "
        "model and the readout."
    )


def _recorded(agent: Agent, asked: MarginRecord, test: MarginTest, confirmation: MarginTest) -> Agent:
    """Return the agent with the margins of a test, and with the record of their calibration."""
    found = with_margins(agent, test.margins)
    record = replace(
        asked,
        margins=dict(test.margins),
        violated=int(test.broken.sum()),
        confirmed=int(confirmation.broken.sum()),
        digest=found.digest(),
        goals=MarginRecord.goals_of(found.config.margin_constraints, torch.cat([test.goals, confirmation.goals])),
    )
    return Agent.of(found.model, found.config, found.proposal, record)


def _margins(
    limits: Mapping[str, MarginConstraint], pilot: MarginTest, grid: Sequence[float], rate: float
) -> list[dict[str, float]]:
    """Return the margins to test; those below the error of a readout are not."""
    units = {name: max(float(np.quantile(values, 1 - rate)), 0.0) for name, values in pilot.nonconformity.items()}
    found: list[dict[str, float]] = []
    for multiple in grid:
        margins = {name: limit.with_margin(multiple * units[name]).margin for name, limit in limits.items()}
        if margins not in found:
            found.append(margins)
    return found


def try_margins(
    agent: Agent, env: GoalEnvironment, margins: Mapping[str, float], episodes: int, seed: int
) -> MarginTest:
    """Let an agent with certain margins pursue tasks that start and end where the constraints hold.

    Raises:
        ConfigError: if a margin has no constraint, or the environment has no true value of the quantity of one.
    """
    limits = agent.config.margin_constraints
    require_labels(env, limits)
    tried, tasks = with_margins(agent, margins), allowed_tasks(env, limits, episodes, seed)
    found = trace(tried, env, tasks, seed, track=sorted({limit.target for limit in limits.values()}), progress=False)
    slack = np.min([slack.min(axis=1) for slack in realised_slacks(found, limits).values()], axis=0)
    gaps = nonconformity(found, limits, agent.frameskip * agent.replan_every)
    return MarginTest(
        dict(margins),
        slack < 0,
        found.within(env.rules.radius, env.rules.success_at),
        float((found.decisions == "stop").sum() / found.lengths.sum()),
        {name: np.nanmax(np.where(np.isnan(gap), -np.inf, gap), axis=1) for name, gap in gaps.items()},
        _latents(agent, env, tasks.goal),
    )


def _latents(agent: Agent, env: GoalEnvironment, goals: State) -> Tensor:
    """Return the latents ``[n, D]`` of goals."""
    with torch.no_grad():
        return agent.model.encode(env.observe(goals))


def with_margins(agent: Agent, margins: Mapping[str, float]) -> Agent:
    """Return an agent whose constraints have certain margins, by their names.

    Raises:
        ConfigError: if a margin has no constraint, or a constraint no margin.
    """
    limits = agent.config.margin_constraints
    if {*margins} != {*limits}:
        raise ConfigError(f"give a margin of each of {sorted(limits)}; got {sorted(margins)}.")
    changed = {id(limit): limit.with_margin(margins[name]) for name, limit in limits.items()}
    constraints = tuple(changed.get(id(one), one) for one in agent.config.constraints)
    return agent.replace(constraints=constraints)


def _rank(episodes: int, rate: float, guarantee: str, confidence: float, grid: Sequence[float]) -> int:
    """Return the rank of the conformal quantile; refuse options that do not fit.

    Raises:
        ConfigError: if there are too few episodes, with the number that is needed, or the grid does not decrease.
    """
    if not grid or list(grid) != sorted({*grid}, reverse=True) or min(grid) <= 0:
        raise ConfigError(f"grid holds decreasing multiples above 0; got {tuple(grid)}.")
    if guarantee not in ("mean", "pac"):
        raise ConfigError(f"guarantee is 'mean' or 'pac'; got {guarantee!r}.")
    rank = conformal_rank(episodes, rate) if guarantee == "mean" else pac_rank(episodes, rate, confidence)
    if rank < 1:
        needed = episodes_needed(rate, guarantee, confidence)  # type: ignore[arg-type]
        raise ConfigError(f"a rate of {rate:g} needs at least {needed} episodes; got {episodes}.")
    return rank
