"""Environments of Tacit in the interface of Gymnasium."""

import gymnasium
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env

import tacit as tc
from tacit.envs import to_gymnasium
from tacit.errors import ConfigError


@pytest.mark.filterwarnings("ignore:.*(infinity|not within the observation space|normalized|symmetric).*")
@pytest.mark.parametrize("name", ["two_rooms", "point_mass", "gymnasium:CartPole-v1", "gymnasium:Pendulum-v1"])
def test_gymnasiums_own_checker_passes(name):
    check_env(to_gymnasium(tc.envs.make(name)), skip_render_check=True)


def test_an_episode_there_and_back_is_the_same():
    there = to_gymnasium(tc.envs.make("gymnasium:CartPole-v1"))
    reference = gymnasium.make("CartPole-v1")
    back = tc.envs.GymnasiumEnvironment(lambda: to_gymnasium(tc.envs.make("gymnasium:CartPole-v1")))
    shown, (expected, _) = there.reset(seed=4)[0], reference.reset(seed=4)
    again = back.reset([4])
    for _ in range(30):
        np.testing.assert_array_equal(shown["state"], expected)
        np.testing.assert_array_equal(again["state"][0], expected)
        shown, reward, terminated, truncated, _ = there.step(1)
        now = back.step(np.array([[0, 1]], np.float32))
        expected, theirs, ended, cut, _ = reference.step(1)
        again = now.observation
        assert (reward, terminated, truncated) == (theirs, ended, cut)
        assert (now.reward[0], now.terminated[0]) == (theirs, ended)
        if ended:
            break


def test_cameras_have_their_channels_last_and_are_rendered():
    env = to_gymnasium(tc.envs.make("two_rooms"))
    assert env.render() is None
    observation, _ = env.reset(seed=1)
    pixels = observation["pixels"]
    assert pixels.shape == (64, 64, 3) and pixels.dtype == np.uint8
    np.testing.assert_array_equal(env.render(), pixels)
    np.testing.assert_array_equal(pixels, tc.envs.make("two_rooms").reset([1])["pixels"][0].transpose(1, 2, 0))
    first, second = env.reset()[0], env.reset()[0]
    assert any((first[name] != second[name]).any() for name in first), "without a seed each episode is another"


def test_several_worlds_are_refused():
    with pytest.raises(ConfigError, match="num_envs=2"):
        to_gymnasium(tc.envs.make("two_rooms", 2))
