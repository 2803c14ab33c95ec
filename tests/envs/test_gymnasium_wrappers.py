"""Wrappers of Gymnasium environments, named in a word."""

import gymnasium
import numpy as np
import pytest
from gymnasium.wrappers import FrameStackObservation, RescaleAction, TimeAwareObservation

import tacit as tc
from tacit.envs import GymnasiumEnvironment
from tacit.errors import ConfigError, TacitError

MINIGRID = "minigrid:MiniGrid-Empty-5x5-v0"
STACK = ["FrameStackObservation", {"stack_size": 4}]


def same_episode(env, reference, action, raw):
    """Step both with the same actions and compare what they show."""
    shown, (expected, _) = env.reset([3])["state"][0], reference.reset(seed=3)
    for _ in range(5):
        np.testing.assert_allclose(shown, np.asarray(expected, np.float32).ravel())
        shown, (expected, *_) = env.step(action).observation["state"][0], reference.step(raw)


@pytest.mark.parametrize(
    ("wrappers", "reference"),
    [
        (["TimeAwareObservation"], TimeAwareObservation),
        ([STACK], lambda env: FrameStackObservation(env, 4)),
        (["TimeAwareObservation", STACK], lambda env: FrameStackObservation(TimeAwareObservation(env), 4)),
        (["gymnasium.wrappers:TimeAwareObservation"], TimeAwareObservation),
    ],
)
def test_wrapped_episodes_are_gymnasiums_own(wrappers, reference):
    env = GymnasiumEnvironment("CartPole-v1", wrappers=wrappers)
    same_episode(env, reference(gymnasium.make("CartPole-v1")), np.array([[0, 1]], np.float32), 1)


def test_a_wrapper_of_actions_bounds_them():
    word = 'gymnasium:Pendulum-v1,wrappers=[["RescaleAction",{"min_action":-1,"max_action":1}]]'
    env = tc.envs.make(word)
    assert (env.spec.action.low, env.spec.action.high) == ((-1.0,), (1.0,))
    assert env.spec.action.kind == (None,) or env.spec.action.kind is None  # a wrapper may change what actions mean
    same_episode(
        env, RescaleAction(gymnasium.make("Pendulum-v1"), -1, 1), np.array([[0.5]], np.float32), np.array([0.5])
    )


@pytest.mark.parametrize("processes", [False, True])
def test_a_word_names_the_wrapper_of_a_module_that_registers_environments(processes):
    word = f'gymnasium:{MINIGRID},wrappers=["minigrid.wrappers:ImgObsWrapper"],processes={str(processes).lower()}'
    env = tc.envs.make(word, 2)
    try:
        observation = env.reset([1, 2])
        assert list(env.spec.modalities) == ["pixels"] or list(env.spec.modalities) == ["state"]
        assert env.spec.action.size == 7
        assert all(len(value) == 2 for value in observation.values())
    finally:
        env.close()


def test_the_advice_for_texts_is_an_option_that_a_word_can_hold():
    with pytest.raises(TacitError, match="modalities=") as caught:
        tc.envs.make(f"gymnasium:{MINIGRID}")
    advice = str(caught.value).partition("Leave it out: ")[2].rstrip(".")
    assert set(tc.envs.make(f"gymnasium:{MINIGRID},{advice}").spec.modalities) == {"direction", "image"}


@pytest.mark.parametrize(
    ("wrappers", "message"),
    [
        (["TimeAwareObservatio"], "Did you mean 'TimeAwareObservation'"),
        (["minigrid.wrapper:ImgObsWrapper"], "cannot be imported"),
        (["numpy:zeros"], "has no wrapper 'zeros'"),
        ([["FrameStackObservation", {"stack": 4}]], "does not take"),
        ([["FrameStackObservation", 4]], "a wrapper is"),
        ([["FrameStackObservation", {}, 1]], "a wrapper is"),
        ([3], "a wrapper is"),
        ("TimeAwareObservation", "wrappers are a list"),
        (3, "wrappers are a list"),
    ],
)
def test_wrappers_that_are_none_are_refused(wrappers, message):
    with pytest.raises(ConfigError, match=message):
        GymnasiumEnvironment("CartPole-v1", wrappers=wrappers)


def test_an_environment_of_a_function_is_wrapped_there():
    with pytest.raises(ConfigError, match="in that function"):
        GymnasiumEnvironment(lambda: gymnasium.make("CartPole-v1"), wrappers=["TimeAwareObservation"])


def test_commas_inside_nested_brackets_do_not_end_an_option():
    env = tc.envs.make(
        'gymnasium:CartPole-v1,wrappers=[["FrameStackObservation",{"stack_size":2}],"FlattenObservation"],fps=7'
    )
    assert env.spec.modalities["state"].shape == (8,)
    assert env.spec.fps == 7
