"""An agent with costs that return other things than float32 tensors."""

import numpy as np
import pytest
import torch

from tacit.agent import Agent
from tacit.errors import SpecError
from tacit.planners import CEM, MPPI
from tacit.testing.worlds import PointModel

START = np.zeros((2, 2), np.float32)
GOAL = np.array([[2.0, 1.0], [-3.0, 0.5]], np.float32)


def distance(rollout):
    return (rollout.latents - rollout.goal[:, None, None]).square().sum(dim=(2, 3))


@pytest.mark.parametrize("planner", [CEM(samples=100), MPPI(samples=100)], ids=lambda planner: type(planner).__name__)
@pytest.mark.parametrize("form", [lambda e: e.numpy(), lambda e: e.numpy().astype(np.float64), torch.Tensor.double])
def test_energies_of_numpy_and_of_double_precision(planner, form):
    world = PointModel(1)
    agent = Agent(world, planner, lambda rollout: form(distance(rollout)), horizon=3)
    positions, _, verdicts, _ = world.live(agent, START, GOAL, steps=8)
    assert np.abs(positions[-1] - GOAL).max() < 0.15
    assert all(verdict.ok for verdict in verdicts)


def test_a_failed_world_leaves_the_others_alone_with_numpy_too():
    def broken(rollout):
        energies = distance(rollout).numpy()
        energies[1] = np.nan
        return energies

    world = PointModel(1)
    agent = Agent(world, CEM(samples=100), broken, horizon=3)
    positions, actions, verdicts, _ = world.live(agent, START, GOAL, steps=8)
    assert np.abs(positions[-1][0] - GOAL[0]).max() < 0.15
    assert (actions[:, 1] == 0).all()
    assert "world 1" in verdicts[0].reason


def test_a_cost_that_returns_a_list_is_refused():
    world = PointModel(1)
    agent = Agent(world, CEM(samples=100), lambda rollout: distance(rollout).tolist(), horizon=3)
    with pytest.raises(SpecError, match="got list"):
        world.live(agent, START, GOAL, steps=1)
