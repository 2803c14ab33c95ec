"""The cost of learned temporal distance: its reduction, its switch near the goal, and what it refuses."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from tacit.agent import Agent
from tacit.costs import Effort, Goal, TemporalCritic, TemporalCriticConfig, TemporalDistance
from tacit.errors import ConfigError, SpecError
from tacit.planners import CEM
from tacit.testing.costs import rollout
from tacit.testing.worlds import PointModel


def calibrated(method="expectile", latent=6):
    """A critic whose states k blocks apart are at distance k, and at a mean squared difference of 2 k."""
    torch.manual_seed(0)
    critic = TemporalCritic(TemporalCriticConfig(latent, method, width=16, calibrated=8)).eval()
    critic.distances.copy_(torch.arange(1.0, 9.0))
    critic.squares.copy_(2 * torch.arange(1.0, 9.0))
    return critic


class Ring(TemporalCritic):
    """A critic that knows the distance of two points on the circle of x from 0 to 10."""

    def forward(self, latents, goals):
        apart = (latents[..., 0] - goals[..., 0]).abs()
        return torch.minimum(apart, 10 - apart)


@pytest.mark.parametrize("method", ["expectile", "pair", "quasimetric"])
def test_the_energy_is_the_distance_over_the_horizon(method):
    critic, whole = calibrated(method), rollout()
    with torch.no_grad():
        each = critic(whole.latents, whole.goal[:, None, None].expand_as(whole.latents))
        assert each.shape == (3, 5, 4) and (each > 0).all()
        torch.testing.assert_close(TemporalDistance(critic)(whole), each.sum(-1))
        torch.testing.assert_close(TemporalDistance(critic, reduce="last")(whole), each[..., -1])
        torch.testing.assert_close(TemporalDistance(critic, reduce="min")(whole), each.amin(-1))
        assert (critic(whole.goal, whole.goal) == 0).all()


def test_latent_distance_takes_over_near_the_goal():
    critic, whole = calibrated(), rollout()
    with torch.no_grad():
        apart = critic(whole.start, whole.goal)
        between = float(apart.sort().values[:2].mean())  # the nearest of three worlds arrives
        critic.distances.copy_(between * torch.arange(1.0, 9.0) / 3)
        found = TemporalDistance(critic, near=3)(whole)
        plain, latent = TemporalDistance(critic)(whole), Goal(reduce="sum")(whole) * 3 / 6
    near = apart <= between
    assert near.sum() == 1
    torch.testing.assert_close(found[near], latent[near])
    torch.testing.assert_close(found[~near], plain[~near])
    assert not torch.isclose(found[near], plain[near]).any()


def test_an_agent_takes_the_short_way_round():
    model, planner = PointModel(), CEM(samples=64, iterations=4, elites=8)
    ring = Ring(TemporalCriticConfig(2, calibrated=1))
    start, goal = np.array([[1.0, 0.0]], np.float32), np.array([[9.0, 0.0]], np.float32)
    ahead = [
        model.live(Agent(model, planner, cost, horizon=2), start, goal, steps=2)[0][-1, 0, 0]
        for cost in (Goal(), TemporalDistance(ring), 0.01 * Effort() + TemporalDistance(ring, reduce="last"))
    ]
    assert ahead[0] > 2.5 and ahead[1] < -0.5 and ahead[2] < -0.5


def test_what_does_not_fit_is_refused():
    critic = calibrated()
    with pytest.raises(ConfigError, match="'last', 'sum' or 'min'"):
        TemporalDistance(critic, reduce="mean")
    with pytest.raises(ConfigError, match="calibrated up to 8 blocks; got 9"):
        TemporalDistance(critic, near=9)
    with pytest.raises(SpecError, match=r"needs a goal: start\(goal=...\)"):
        TemporalDistance(critic)(replace(rollout(), goal=None))
    with pytest.raises(SpecError, match="latents of size 6"):
        TemporalDistance(critic)(rollout(latent=5))
