"""Action spaces of several parts: of Gymnasium, in an agent's search, recorded, and back to Gymnasium."""

import gymnasium
import numpy as np
import pytest
from gymnasium import spaces
from gymnasium.utils.env_checker import check_env

import tacit as tc
from tacit._config import from_json, to_json
from tacit.agent import Agent, RandomActor
from tacit.costs import Goal
from tacit.envs import GymnasiumEnvironment
from tacit.errors import SpecError
from tacit.planners import CEM
from tacit.testing.environments import check_environment
from tacit.testing.worlds import PointModel
from tacit.types import Box, Discrete, Mixed, Modality, Spec

SPACES = {
    "multi_discrete": spaces.MultiDiscrete([3, 2], start=[0, 1]),
    "multi_binary": spaces.MultiBinary(3),
    "dict": spaces.Dict({"gear": spaces.Discrete(3), "wheel": spaces.Box(-1, 1, (2,))}),
    "tuple": spaces.Tuple([spaces.Box(0, 9, (1,), np.int64), spaces.MultiDiscrete([2, 2])]),
}


class Echo(gymnasium.Env):
    """An environment whose observation is the sum of its actions, flattened."""

    def __init__(self, name="dict"):
        self.action_space = SPACES[name]
        size = spaces.flatdim(self.action_space)
        self.observation_space = spaces.Box(-np.inf, np.inf, (size,), np.float32)

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.total = self.np_random.random(self.observation_space.shape, np.float32)
        return self.total.copy(), {}

    def step(self, action):
        assert self.action_space.contains(action), action
        self.total += spaces.flatten(self.action_space, action).astype(np.float32)
        return self.total.copy(), 0.0, False, False, {}


def batch(name):
    return GymnasiumEnvironment(lambda: Echo(name), num_envs=3)


def vector(name):
    return GymnasiumEnvironment(gymnasium.vector.SyncVectorEnv([lambda: Echo(name)] * 3))


@pytest.mark.filterwarnings("ignore:.*whole numbers as actions")
@pytest.mark.parametrize("name", SPACES)
@pytest.mark.parametrize("make", [batch, vector])
def test_actions_reach_the_environment(name, make):
    env = make(name)
    rows = env.spec.action.sample(np.random.default_rng(0), (3,))
    assert env.spec.action.contains(rows).all()
    start = env.reset(1)["state"]
    now = env.step(rows)
    executed = rows if now.action is None else now.action
    shown = now.observation["state"] - start
    if name == "multi_binary":
        executed = executed[:, 1::2]
    np.testing.assert_allclose(shown, executed, atol=1e-6)
    env.close()


def test_the_environments_conform_and_their_episodes_are_recorded(tmp_path):
    make = lambda: Echo("dict")  # noqa: E731
    check_environment(GymnasiumEnvironment(make, num_envs=2))
    episodes = tc.collect(GymnasiumEnvironment(make, num_envs=2), episodes=4, steps=6, seed=0, to=tmp_path / "data")
    assert episodes.spec.action == Mixed((Discrete(3), Box((-1.0,) * 2, (1.0,) * 2)), ("gear", "wheel"))
    assert tc.data.open(tmp_path / "data").spec == episodes.spec
    for episode in episodes:
        assert episodes.spec.action.contains(episode.action).all()
    bad = episodes[0].action.copy()
    bad[0, :3] = 0.5
    with pytest.raises(SpecError, match="one-hot rows of width 3"):
        tc.data.from_episodes([tc.types.Episode(episodes[0].observation, bad)], episodes.spec)


@pytest.mark.filterwarnings("ignore:.*Box observation space m")
def test_back_to_gymnasium():
    env = tc.envs.to_gymnasium(GymnasiumEnvironment(lambda: Echo("dict"), num_envs=1))
    assert env.action_space == SPACES["dict"]
    check_env(env, skip_render_check=True)
    unnamed = tc.envs.to_gymnasium(GymnasiumEnvironment(lambda: Echo("multi_discrete"), num_envs=1))
    assert unnamed.action_space == spaces.Tuple([spaces.Discrete(3), spaces.Discrete(2)])


def test_an_agent_searches_choices_and_numbers_at_once():
    world = PointModel(space=Mixed((Discrete(3, noop=2), Box((-1.0, -0.5), (1.0, 0.5), "delta"))))
    agent = Agent(world, CEM(samples=200, elites=20, iterations=8), Goal(reduce="sum"), horizon=2)
    goal = np.array([[4.0, 0, 0, 2.0, -1.0], [0, 3, 1, -1.5, 0.25]], np.float32)
    positions, actions, verdicts, _ = world.live(agent, np.zeros((2, 5), np.float32), goal, steps=4)
    assert all(verdict.ok for verdict in verdicts)
    np.testing.assert_array_equal(positions[-1, :, :3], goal[:, :3])
    assert np.abs(positions[-1, :, 3:] - goal[:, 3:]).max() < 0.1
    assert world.spec.action.contains(actions).all()


def test_the_fallback_knows_each_part():
    space = Mixed((Discrete(3, noop=2), Box((-1.0,), (1.0,), "velocity")))
    world = PointModel(space=space)

    def fails(problem):
        raise tc.errors.PlanningError("no")

    agent = Agent(world, fails, Goal(), horizon=1)
    _, actions, _, _ = world.live(agent, np.zeros((2, 4), np.float32), np.ones((2, 4), np.float32), steps=1)
    np.testing.assert_array_equal(actions[0], [[0, 0, 1, 0]] * 2)
    unknown = PointModel(space=Mixed((Discrete(3), Box((-1.0,), (1.0,)))))
    with pytest.raises(tc.errors.ConfigError, match=r"component 3 has no kind .*; Discrete\(3\) names no choice"):
        Agent(unknown, fails, Goal(), horizon=1).start(seed=0)


def test_random_actions_are_uniform_in_each_part():
    space = Mixed((Discrete(4), Box((2.0,), (6.0,))))
    actor = RandomActor(space)
    action, _, _ = actor.act(actor.start(seed=0, batch=4000), {})
    np.testing.assert_allclose(action.mean(axis=0), [0.25] * 4 + [4.0], atol=0.06)
    plan = tc.collection.Random(repeat=1).plan(space, np.random.default_rng(0), 3000)
    np.testing.assert_allclose(plan.mean(axis=0), [0.25] * 4 + [4.0], atol=0.08)


def test_the_space_converts_to_json_and_refuses_what_it_cannot_be():
    space = Mixed((Discrete(2), Box((0.0,), (1.0,))), ("one", "two"))
    spec = Spec({"state": Modality("vector", (1,))}, space)
    assert from_json(Spec, to_json(spec), where="spec") == spec
    with pytest.raises(SpecError, match="two or more spaces"):
        Mixed((Discrete(2),))
    with pytest.raises(SpecError, match="one name for each of its 2 spaces"):
        Mixed((Discrete(2), Discrete(2)), ("a", "a"))
