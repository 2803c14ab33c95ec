"""Each cost equals its formula, and costs compose."""

import numpy as np
import pytest
import torch

from tacit import costs
from tacit.costs import Effort, Goal
from tacit.errors import ConfigError, SpecError
from tacit.types import Box, Rollout

B, S, H, D, A = 2, 3, 4, 5, 2


def imagined(latents, actions, goal=None, parts=None):
    """A rollout from the first imagined latent."""
    return Rollout(latents[:, 0, 0], latents, actions, goal, parts or {})


@pytest.fixture
def latents():
    return torch.randn(B, S, H, D, generator=torch.Generator().manual_seed(0))


@pytest.fixture
def actions():
    return torch.randn(B, S, H, 2 * A, generator=torch.Generator().manual_seed(1))


@pytest.fixture
def goal():
    return torch.randn(B, D, generator=torch.Generator().manual_seed(2))


@pytest.mark.parametrize("reduce", ["last", "sum", "min"])
@pytest.mark.parametrize("metric", ["l2", "l1"])
def test_goal_equals_its_formula(reduce, metric, latents, actions, goal):
    energies = Goal(reduce=reduce, metric=metric)(imagined(latents, actions, goal))
    power = {"l2": 2, "l1": 1}[metric]
    for b in range(B):
        for s in range(S):
            steps = [sum(abs(float(latents[b, s, t, d] - goal[b, d])) ** power for d in range(D)) / D for t in range(H)]
            expected = {"last": steps[-1], "sum": sum(steps), "min": min(steps)}[reduce]
            assert float(energies[b, s]) == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("shape", [(D,), (1, D), (B, D)])
def test_a_target_of_its_own_comes_before_the_goal_of_the_agent(shape, latents, actions, goal):
    target = torch.ones(shape)
    energies = Goal(target)(imagined(latents, actions, goal))
    assert torch.allclose(energies, (latents[:, :, -1] - 1).square().mean(dim=-1))


@pytest.mark.parametrize("reduce", ["last", "sum", "min"])
@pytest.mark.parametrize("worlds", [1, B])
def test_the_distance_to_several_goals_is_that_to_the_nearest(reduce, worlds, latents, actions):
    goals = torch.randn(worlds, 3, D, generator=torch.Generator().manual_seed(3))
    energies = Goal(goals, reduce)(imagined(latents, actions))
    for b in range(B):
        for s in range(S):
            steps = [
                min(float((latents[b, s, t] - goals[b % worlds, k]).square().mean()) for k in range(3))
                for t in range(H)
            ]
            expected = {"last": steps[-1], "sum": sum(steps), "min": min(steps)}[reduce]
            assert float(energies[b, s]) == pytest.approx(expected, rel=1e-5)
    with pytest.raises(SpecError, match=r"got \[3, 2, 5\]"):
        Goal(torch.zeros(3, 2, D))(imagined(latents, actions))


def test_goal_is_differentiable_and_zero_at_the_goal(latents, actions, goal):
    latents = latents.requires_grad_()
    Goal(reduce="sum")(imagined(latents, actions, goal)).sum().backward()
    assert latents.grad.abs().min() > 0
    reached = goal[:, None, None].expand(B, S, H, D)
    assert Goal(reduce="sum")(imagined(reached, actions, goal)).eq(0).all()


@pytest.mark.parametrize("metric", ["l2", "l1"])
def test_a_goal_on_one_part_compares_its_components_alone(metric, latents, actions, goal):
    parts = {"front": slice(0, 2), "pose": slice(2, D)}
    rollout = imagined(latents, actions, goal, parts)
    expected = Goal(metric=metric)(imagined(latents[..., :2], actions, goal[:, :2]))
    assert torch.equal(Goal(metric=metric, on="front")(rollout), expected)
    assert "on='front'" in repr(Goal(on="front")) and "on=" not in repr(Goal())
    with pytest.raises(SpecError, match=r"they have front, pose\. Did you mean 'front'"):
        Goal(on="fron")(rollout)
    with pytest.raises(SpecError, match="mixes all modalities"):
        Goal(on="front")(imagined(latents, actions, goal))


def test_costs_of_arrays_are_those_of_tensors(latents, actions, goal):
    cost = Goal(reduce="sum") + 0.5 * Goal(torch.ones(D), metric="l1", reduce="min")
    cost = cost + 2 * Effort(Box((-2.0, 0.0), (2.0, 1.0)))
    tensors = imagined(latents, actions, goal)
    arrays = Rollout(*(part.numpy() for part in (latents[:, 0, 0], latents, actions, goal)))
    found = cost(arrays)
    assert isinstance(found, np.ndarray)
    np.testing.assert_allclose(found, cost(tensors).numpy(), rtol=1e-5)


def test_goal_needs_a_goal_that_fits(latents, actions, goal):
    with pytest.raises(SpecError, match="no target"):
        Goal()(imagined(latents, actions))
    with pytest.raises(SpecError, match=r"nearest of K; got \[3, 5\]"):
        Goal()(imagined(latents, actions, torch.zeros(3, D)))
    with pytest.raises(ConfigError, match="'mean'"):
        Goal(reduce="mean")
    with pytest.raises(ConfigError, match="'cosine'"):
        Goal(metric="cosine")


def test_effort_equals_its_formula(latents, actions):
    raw = Effort()(imagined(latents, actions))
    assert raw.shape == (B, S)
    assert float(raw[1, 2]) == pytest.approx(float(sum(a**2 for a in actions[1, 2].flatten())) / (H * 2 * A), rel=1e-5)


def test_effort_relative_to_a_box(latents):
    space = Box((-2.0, 0.0, 5.0), (2.0, 1.0, 5.0))
    full = torch.tensor([2.0, 0.5, 0.0, -2.0, 0.5, 0.0]).expand(B, S, H, 6)
    energies = Effort(space)(imagined(latents, full))
    assert torch.allclose(energies, torch.full((B, S), 2 / 3))
    with pytest.raises(SpecError, match="multiple of 3"):
        Effort(space)(imagined(latents, full[..., :4]))


def test_costs_add_up(latents, actions, goal):
    near, effort = Goal(), Effort()
    total = near + 0.5 * (effort * 4 + 2 * Goal(reduce="min"))
    expected = near(imagined(latents, actions, goal)) + 2 * effort(imagined(latents, actions, goal))
    expected = expected + Goal(reduce="min")(imagined(latents, actions, goal))
    assert torch.allclose(total(imagined(latents, actions, goal)), expected)
    assert [term.weight for term in total.terms()] == [1, 2, 1]


def test_repr_says_what_a_cost_is():
    assert repr(Goal(torch.zeros(7), reduce="sum") + 0.01 * Effort()) == (
        "Goal(target=[7], reduce='sum', metric='l2') + 0.01 * Effort(space=None)"
    )


@pytest.mark.parametrize("weight", [-1.0, float("nan"), float("inf")])
def test_weights_are_finite_and_not_negative(weight):
    with pytest.raises(ConfigError, match="weight"):
        weight * Goal()


def test_registry():
    names = ("effort", "expected_return", "goal", "recalled_goal", "region", "target", "temporal_distance")
    assert costs.names() == names
    assert costs.load("goal") is Goal
    assert issubclass(Goal, costs.CostTerm)
