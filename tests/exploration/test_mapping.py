"""Maps of recorded episodes, and the agents that are saved with them."""

import numpy as np
import pytest
import torch

import tacit as tc
from tacit.errors import ConfigError, DataError
from tacit.exploration import encode_recorded, map_episodes, reach


@pytest.fixture(scope="module")
def episodes():
    return tc.collect("two_rooms", episodes=4, steps=60, seed=0)


@pytest.fixture(scope="module")
def agent():
    return tc.recipes.pretrained("two_rooms")


@pytest.fixture(scope="module")
def critic(agent):
    torch.manual_seed(0)
    return tc.costs.TemporalCritic(tc.costs.TemporalCriticConfig(agent.model.config.latent)).eval()


def test_recorded_states_are_those_of_the_episodes(agent, episodes) -> None:
    recorded = encode_recorded(agent.model, episodes)
    skip, first = agent.frameskip, episodes[1]
    rows = np.flatnonzero(recorded.episode == 1)
    expected = agent.model.encode({"pixels": first.observation["pixels"][:3]})
    torch.testing.assert_close(recorded.latents[rows[:3]], expected, rtol=1e-4, atol=1e-5)
    np.testing.assert_array_equal(recorded.blocks[rows[2]], first.action[2 : 2 + skip].ravel())
    assert recorded.blocks[rows[-skip:]].isnan().all() and recorded.blocks[rows[:-skip]].isfinite().all()


def test_radii_come_from_the_episodes(agent, critic, episodes) -> None:
    recorded = encode_recorded(agent.model, episodes)
    sub_goals = map_episodes(agent.model, critic, episodes, horizon=4, confirm=False)
    assert sub_goals.graph.radius == reach(critic, recorded, 1, 0.5)
    assert sub_goals.ahead == sub_goals.graph.longest == reach(critic, recorded, 4, 0.9)
    assert sub_goals.graph.hops == 3 and sub_goals.graph.episodes == 4
    later = agent.frameskip * 4
    pairs = [critic(r[:-later], r[later:]) for r in recorded.latents.split([61] * 4)]
    assert sub_goals.ahead == pytest.approx(float(np.quantile(torch.cat(pairs).detach(), 0.9)), rel=1e-4)


def test_an_agent_is_saved_with_its_map_and_refuses_that_of_another_model(agent, critic, episodes, tmp_path) -> None:
    sub_goals = map_episodes(agent.model, critic, episodes, horizon=4)
    acting = agent.replace(sub_goals=sub_goals)
    acting.save(tmp_path / "agent")
    again = tc.Agent.load(tmp_path / "agent")
    assert again.digest() == acting.digest() != agent.digest() and str(again) == str(acting)
    env = tc.envs.TwoRooms()
    tasks = env.tasks(3, seed=1)
    plans = []
    for one in (acting, again):
        state = one.start(seed=0, batch=3, goal=env.observe(tasks.goal))
        plans.append(one.act(state, env.observe(tasks.start))[1].plan)
    assert torch.equal(plans[0].actions, plans[1].actions)
    assert "length of the way to the goal" in plans[0].evidence
    other = tc.models.WorldModel(agent.model.config)
    with pytest.raises(ConfigError, match="belongs to another model"):
        tc.Agent.of(other, acting.config)


def test_bad_maps_are_refused(agent, critic, episodes) -> None:
    with pytest.raises(ConfigError, match="horizon >= 1"):
        map_episodes(agent.model, critic, episodes, horizon=0)
    with pytest.raises(DataError, match="has 50 whole blocks"):
        map_episodes(agent.model, critic, episodes, horizon=50)
    small = tc.costs.TemporalCritic(tc.costs.TemporalCriticConfig(3))
    with pytest.raises(ConfigError, match="Train a critic on this model"):
        map_episodes(agent.model, small, episodes, horizon=4)
