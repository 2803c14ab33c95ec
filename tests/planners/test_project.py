"""Planners under a restriction of what may follow what."""

from dataclasses import replace

import pytest
import torch

from planners.asking import ask
from tacit import planners
from tacit.errors import ConfigError
from tacit.planners import CEM, MPPI, Gradient
from tacit.testing.planners import bandit, check_planner
from tacit.types import Box

SPACE = Box((-1.0, -1.0), (1.0, 1.0))
CHANGE = 0.25


def slowly(start):
    """Each action differs from the one before by at most ``CHANGE``, the first from ``start [B, A]``."""

    def project(actions):
        before, rows = start.view(len(start), *(1,) * (actions.ndim - 3), -1), []
        for row in actions.unbind(dim=-2):
            before = torch.clamp(row, before - CHANGE, before + CHANGE)
            rows.append(before)
        return torch.stack(rows, dim=-2)

    return project


def slow(planner, score, start, **options):
    return ask(planner, score, SPACE, horizon=6, batch=len(start), project=slowly(start), **options)


@pytest.mark.parametrize("name", planners.names())
def test_a_good_allowed_plan_is_found(name):
    """The nearest to a corner is to walk there as fast as is allowed, from wherever each world starts."""
    start = torch.tensor([[-1.0, -1.0], [0.0, 0.5], [1.0, 1.0]])
    corner = torch.ones(3, 6, 2)
    best = slowly(start)(corner)

    def score(actions):
        return (actions - 1).square().sum(dim=(2, 3))

    plan = slow(planners.load(name)(), score, start)
    energy = score(best[:, None])[:, 0]
    assert (plan.energy >= energy - 1e-4).all()
    idle = score(slowly(start)(torch.zeros(3, 6, 2))[:, None])[:, 0]
    share = {"random_shooting": 0.9, "cem": 0.7, "mppi": 0.15}.get(name, 0.05)  # independent noise rarely walks on
    assert (plan.energy - energy <= share * (idle - energy).clamp(min=0.1)).all(), (plan.energy, energy, idle)


@pytest.mark.parametrize("name", planners.names())
def test_a_warm_start_that_is_not_allowed_is_projected(name):
    start, rated = torch.zeros(2, 2), []

    def score(actions):
        rated.append(actions.detach())
        return actions.square().sum(dim=(2, 3))

    slow(planners.load(name)(), score, start, warm_start=torch.full((2, 6, 2), 9.0))
    steps = torch.arange(1, 7)[:, None] * CHANGE
    assert torch.equal(rated[0][1, 0], steps.clamp(max=1.0).expand(6, 2))


def test_without_a_restriction_nothing_changes():
    start = torch.zeros(2, 2)

    def score(actions):
        return (actions - 0.3).square().sum(dim=(2, 3))

    for planner in (CEM(samples=20, elites=4), MPPI(samples=20), Gradient(starts=3, iterations=5)):
        options = {"horizon": 4, "batch": 2}
        plain = ask(planner, score, SPACE, **options)
        same = ask(planner, score, SPACE, project=torch.clone, **options)
        assert torch.allclose(plain.actions, same.actions, atol=1e-6)
    assert start.abs().max() == 0


@pytest.mark.parametrize("name", ["cem", "random_shooting"])
def test_a_discrete_space_has_no_restriction(name):
    problem = bandit()
    with pytest.raises(ConfigError, match="project is for the actions of a Box; got Discrete"):
        problem.solve(planners.load(name)(), project=torch.clone)


class Careless:
    """CEM that breaks the promise in one way."""

    def __init__(self, breakage):
        self.breakage = breakage

    def __call__(self, problem):
        if problem.project is None:
            return CEM()(problem)
        if self.breakage == "ignores":
            return CEM()(replace(problem, project=None))
        plan = CEM()(problem)
        return replace(plan, actions=plan.actions.flip(1) + 0.5)


@pytest.mark.parametrize(
    ("planner", "promise"),
    [
        (Careless("ignores"), "every candidate must be a result of project"),
        (Careless("plan"), "the plan must be a result of project"),
    ],
    ids=["ignores", "plan"],
)
def test_the_suite_notices(planner, promise):
    with pytest.raises(AssertionError, match=promise):
        check_planner(planner)
