"""The cost of predicted rewards: its sum by hand, a plan by reward alone, and what it refuses."""

import numpy as np
import pytest
import torch

from tacit.agent import Agent
from tacit.costs import Effort, ExpectedReturn, ReturnCritic, ReturnCriticConfig
from tacit.errors import ConfigError, SpecError
from tacit.planners import CEM
from tacit.testing.costs import rollout
from tacit.testing.worlds import PointModel


def returns(latent=6, block=4, **options):
    """A critic with random weights and statistics."""
    torch.manual_seed(0)
    critic = ReturnCritic(ReturnCriticConfig(latent, block, width=16, **options)).eval()
    for name, values in critic.named_buffers():
        values[0] = 0.1 if name == "latents" else -0.5
        values[1] = 2.0
    return critic


class Flag(ReturnCritic):
    """A critic that knows of a flag at x = 2: each block there is worth 1, and so is the value."""

    def reward(self, latents, blocks):
        return torch.exp(-(latents[..., 0] - 2).square())

    def value(self, latents):
        return torch.exp(-(latents[..., 0] - 2).square())


def test_the_energy_is_the_negative_discounted_sum_and_the_value_after_it():
    critic, whole = returns(discount=0.5), rollout()
    with torch.no_grad():
        found = ExpectedReturn(critic)(whole)
        for world in range(3):
            for sample in range(5):
                latent, total = whole.start[world], 0.0
                for ahead in range(4):
                    total += 0.5**ahead * critic.reward(latent, whole.blocks[world, sample, ahead])
                    latent = whole.latents[world, sample, ahead]
                total += 0.5**4 * min(critic.values(latent))
                torch.testing.assert_close(found[world, sample], -total)


def test_an_agent_without_a_goal_goes_where_the_reward_is():
    model, planner = PointModel(), CEM(samples=64, iterations=4, elites=8)
    flag = Flag(ReturnCriticConfig(2, 2, discount=0.9))
    agent = Agent(model, planner, ExpectedReturn(flag) + 0.001 * Effort(), horizon=4)
    path = model.live(agent, np.array([[0.0, 0.0]], np.float32), steps=5)[0]
    assert abs(path[-1, 0, 0] - 2) < 0.2 and abs(path[1, 0, 0]) > 0.8


def test_what_does_not_fit_is_refused():
    with pytest.raises(ConfigError, match=r"0 <= discount < 1; got discount=1\.0"):
        ReturnCriticConfig(6, 4, discount=1.0)
    with pytest.raises(SpecError, match="latents of size 6"):
        ExpectedReturn(returns())(rollout(latent=5))
    with pytest.raises(SpecError, match="blocks of size 4"):
        ExpectedReturn(returns())(rollout(block=2))
