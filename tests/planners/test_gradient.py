"""Gradient takes the steps of Adam, from several starts, through scores that torch can differentiate."""

from itertools import pairwise

import pytest
import torch

from planners.asking import ask
from tacit.errors import PlanningError, SpecError
from tacit.planners import Gradient
from tacit.testing.planners import bowl, two_valleys
from tacit.types import Box


def test_gradient_needs_several_starts_where_there_are_two_valleys():
    problem = two_valleys()
    decoy = -0.4 * torch.ones_like(problem.optimum)

    def solve(starts):
        return problem.solve(Gradient(starts=starts), warm_start=decoy)

    assert (solve(1).actions < 0).all()
    assert (solve(32).actions > 0).all()


@pytest.mark.parametrize("betas", [(0.9, 0.999), (0.5, 0.7)])
def test_gradient_equals_the_adam_of_torch(betas):
    """One step at a time, each from where the planner was: rounding of earlier steps plays no part."""
    planner = Gradient(starts=2, iterations=25, learning_rate=0.07, betas=betas)
    problem = bowl(horizon=3)
    seen = []

    def watched(actions):
        seen.append(actions.detach().clone())
        return problem.score(actions)

    problem.solve(planner, score=watched)
    low, high = torch.tensor([problem.space.low, problem.space.high]).double()
    center, half = (high + low) / 2, (high - low) / 2
    point = torch.zeros(seen[0].shape, dtype=torch.float64, requires_grad=True)
    adam = torch.optim.Adam([point], lr=0.07, betas=betas)
    for actions, after in pairwise(seen):
        with torch.no_grad():
            point.copy_((actions - center) / half)
        adam.zero_grad()
        problem.score(center + half * point).sum().backward()
        adam.step()
        assert torch.allclose(center + half * point.detach().clamp(-1, 1), after.double(), atol=1e-5)
    assert (seen[-1] - seen[0]).abs().max() > 0.3


def test_gradient_says_when_it_cannot_differentiate():
    problem = bowl()
    with pytest.raises(PlanningError, match="differentiate"):
        problem.solve(Gradient(), score=lambda actions: problem.score(actions.detach()))


@pytest.mark.parametrize("context", [torch.no_grad, torch.inference_mode])
def test_gradient_works_where_gradients_are_off(context):
    problem = bowl()
    with context():
        plan = problem.solve(Gradient())
    assert (problem.regret(plan) < 0.01).all()


def test_gradient_leaves_the_model_alone():
    weight = torch.nn.Parameter(torch.ones(()))
    planner, space = Gradient(starts=2, iterations=3), Box((-1.0,), (1.0,))
    ask(planner, lambda actions: weight * actions.square().sum(dim=(2, 3)), space, horizon=2, batch=1)
    assert weight.grad is None


def solve(problem, score):
    return problem.solve(Gradient(), score=score)


@pytest.mark.parametrize("scale", [1e-6, 1.0, 1e25, 1e37])
def test_gradient_moves_on_slopes_of_any_size(scale):
    problem = bowl(horizon=3)
    plan = solve(problem, lambda actions: scale * problem.score(actions))
    assert ((plan.energy / scale - problem.energy) < 0.05).all()


def test_gradient_refuses_arrays():
    problem = bowl()
    with pytest.raises(SpecError, match="ndarray"):
        solve(problem, lambda actions: problem.score(actions.detach()).numpy())


def test_a_score_that_depends_on_parameters_alone_is_refused():
    problem, weight = bowl(), torch.nn.Parameter(torch.ones(()))
    with pytest.raises(PlanningError, match="differentiate"):
        solve(problem, lambda actions: weight * problem.score(actions.detach()))
