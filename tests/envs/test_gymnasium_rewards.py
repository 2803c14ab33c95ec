"""Rewards and successes of Gymnasium environments."""

import gymnasium
import numpy as np
import pytest
from gymnasium import spaces
from gymnasium.vector import AutoresetMode, SyncVectorEnv

from tacit.envs import GymnasiumEnvironment


class Counter(gymnasium.Env):
    """Rewards the number of the step, and is solved at the third, its last."""

    observation_space = spaces.Box(-np.inf, np.inf, (1,), np.float64)
    action_space = spaces.Box(-1.0, 1.0, (1,), np.float32)

    def __init__(self, reward=float, says=True, last=3):
        self.reward, self.says, self.last = reward, says, last

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.steps = 0
        return np.zeros(1), {}

    def step(self, action):
        self.steps += 1
        done = self.steps == self.last
        info = {"is_success": done} if self.says == "always" or (self.says and done) else {}
        return np.full(1, float(self.steps)), self.reward(self.steps), done, False, info


def run(env, steps=4):
    env.reset(seed=list(range(env.num_envs)))
    return [env.step(np.zeros((env.num_envs, 1), np.float32)) for _ in range(steps)]


@pytest.mark.parametrize("says", [True, "always"])
def test_rewards_and_successes_are_kept(says):
    made = run(GymnasiumEnvironment(lambda: Counter(says=says), num_envs=2))
    assert [one.reward.tolist() for one in made] == [[1, 1], [2, 2], [3, 3], [0, 0]]
    assert made[2].success.tolist() == [True, True]
    if says == "always":
        assert made[0].success.tolist() == [False, False]


def test_an_environment_that_says_nothing_of_success_has_none():
    assert all(one.success is None for one in run(GymnasiumEnvironment(lambda: Counter(says=False))))


@pytest.mark.parametrize("reward", [lambda n: np.array([n]), lambda n: np.float32(n), lambda n: np.array(n)])
def test_a_reward_may_be_any_single_number(reward):
    assert [one.reward.tolist() for one in run(GymnasiumEnvironment(lambda: Counter(reward)))] == [[1], [2], [3], [0]]


@pytest.mark.parametrize("reward", [lambda n: np.zeros(3), lambda n: None, lambda n: "good"])
def test_a_reward_that_is_no_number_is_unknown(reward):
    assert run(GymnasiumEnvironment(lambda: Counter(reward)), steps=2)[0].reward is None


def test_worlds_in_processes_say_the_same():
    env = GymnasiumEnvironment("Pendulum-v1", num_envs=2, processes=True)
    try:
        far = run(env, 3)
    finally:
        env.close()
    near = run(GymnasiumEnvironment("Pendulum-v1", num_envs=2), 3)
    for one, two in zip(far, near, strict=True):
        np.testing.assert_array_equal(one.reward, two.reward)


@pytest.mark.parametrize("mode", [AutoresetMode.NEXT_STEP, AutoresetMode.SAME_STEP])
def test_vector_environments_say_the_same(mode):
    made = run(GymnasiumEnvironment(SyncVectorEnv([Counter] * 2, autoreset_mode=mode)), 3)
    assert [one.reward.tolist() for one in made] == [[1, 1], [2, 2], [3, 3]]
    assert made[2].success.tolist() == [True, True]
