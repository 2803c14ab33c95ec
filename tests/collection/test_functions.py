"""Functions, classes and objects given to ``collect`` as they are: each works, or an error says what does."""

import functools
from typing import Any

import gymnasium
import numpy as np
import pytest

import tacit as tc
from tacit.collection import Each, Random
from tacit.envs import GymnasiumEnvironment, PointMass, TwoRooms
from tacit.errors import ConfigError, SpecError, TacitError


def home(observation: Any) -> Any:
    return -observation["state"][:2]


def turning(observation: Any, step: int) -> Any:
    return [np.cos(step), np.sin(step)]


def noisy(observation: Any, step: int, generator: np.random.Generator) -> Any:
    return generator.uniform(-1, 1, 2)


class Homing:
    def __call__(self, observation: Any) -> Any:
        return home(observation)


class Own(PointMass):
    """An environment whose constructor takes nothing."""

    def __init__(self) -> None:
        super().__init__(3)


def collect(env: Any = "point_mass", policy: Any = "random", **options: Any) -> tc.data.Episodes:
    return tc.collect(env, policy, episodes=2, steps=3, **options)


@pytest.mark.parametrize("policy", [home, Homing(), functools.partial(home), lambda seen: home(seen), Each(home)])
def test_a_function_of_the_observation_is_a_policy(policy: Any) -> None:
    for episode in collect(policy=policy):
        np.testing.assert_array_equal(episode.action, np.clip(-episode.observation["state"][:-1, :2], -1, 1))


def test_a_function_may_ask_for_the_step_and_a_generator() -> None:
    assert collect(policy=turning)[0].action[0].tolist() == [1.0, 0.0]
    first, again = collect(policy=Each(noisy)), collect(policy=Each(noisy), num_envs=1)
    assert [one.action.tolist() for one in first] == [one.action.tolist() for one in again]


def test_a_function_given_and_a_function_named_are_one_policy(tmp_path: Any) -> None:
    tc.collect("point_mass", home, episodes=1, steps=3, to=tmp_path / "data")
    assert len(tc.collect("point_mass", f"{__name__}:home", episodes=2, steps=3, to=tmp_path / "data")) == 2


@pytest.mark.parametrize(
    ("policy", "error", "message"),
    [
        (Random, ConfigError, r"Random is a class; give an instance of it, Random\(\)\. A policy is 'random'"),
        (7, ConfigError, r"a int is no policy\. A policy is 'random'"),
        (None, ConfigError, r"a NoneType is no policy"),
        (lambda: 0, ConfigError, r"takes other arguments than a policy does, \(\)\. A policy is"),
        (lambda a, b, c, d: 0, ConfigError, r"takes other arguments than a policy does"),
        (noisy, TacitError, r"policy .*:noisy raised AttributeError.* A policy is 'random'"),
        (lambda env, seeds, steps: 0, ConfigError, r"returned a int\. A policy is"),
        (lambda *words: (1, 2), ConfigError, r"returned a tuple\. A policy is"),
        (lambda env, seeds, steps: (env.reset(seeds), lambda step: 0), TacitError, r"raised TypeError.* A policy is"),
        (lambda env, seeds, steps: (env.reset(seeds), lambda *_: None), SpecError, r"got shape \(\)"),
        (lambda step, seen: home(seen), TacitError, r"raised TypeError"),
        (lambda seen: seen.position, TacitError, r"raised AttributeError"),
        (lambda seen: None, SpecError, r"shape \(2,\); got shape \(\)"),
    ],
)
def test_what_is_no_policy_is_refused(policy: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        collect(policy=policy)


@pytest.mark.parametrize(
    "env",
    [
        Own,
        lambda: PointMass(3),
        PointMass,
        functools.partial(TwoRooms, size=16),
        lambda **options: PointMass(**options),
    ],
)
def test_what_makes_an_environment_is_called(env: Any) -> None:
    assert len(collect(env)) == 2


@pytest.mark.parametrize(
    ("env", "options", "error", "message"),
    [
        (Own, {"num_envs": 2}, ConfigError, r"the environment has 3 worlds; got num_envs=2"),
        (lambda size: TwoRooms(size=size), {}, ConfigError, r"or with nothing; it takes \(size\)"),
        (lambda: 1 / 0, {}, TacitError, r"environment .*lambda.* raised ZeroDivisionError"),
        (lambda: gymnasium.make("CartPole-v1"), {}, ConfigError, r"lacks num_envs, labels\..*GymnasiumEnvironment"),
        (gymnasium.make("CartPole-v1"), {}, ConfigError, r"lacks num_envs, labels\..*GymnasiumEnvironment"),
        (gymnasium.make_vec("CartPole-v1", 2), {}, ConfigError, r"lacks labels\..*GymnasiumEnvironment"),
        (None, {}, ConfigError, r"collect needs an environment; NoneType lacks spec"),
        (7, {}, ConfigError, r"int lacks spec"),
    ],
)
def test_what_is_no_environment_is_refused(
    env: Any, options: dict[str, Any], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        collect(env, **options)


def test_the_advice_of_the_error_works() -> None:
    assert len(collect(GymnasiumEnvironment(lambda: gymnasium.make("CartPole-v1")))) == 2


@pytest.mark.parametrize("num_envs", [1, 3])
def test_an_actor_collects_and_each_episode_is_a_function_of_its_seed(num_envs: int) -> None:
    actor = tc.agent.RandomActor(tc.envs.make("point_mass").spec.action, repeat=3)
    episodes = tc.collect("point_mass", actor, episodes=5, steps=7, num_envs=num_envs)
    alone = tc.collect("point_mass", actor, episodes=5, steps=7, num_envs=5)
    for one, two in zip(episodes, alone, strict=True):
        np.testing.assert_array_equal(one.action, two.action)
        assert (np.diff(one.action[:3], axis=0) == 0).all() and len(np.unique(one.action, axis=0)) == 3


def test_an_agent_collects_on_the_way_to_a_goal() -> None:
    env = tc.envs.make("point_mass", 2)

    class Towards:
        def start(self, *, seed: Any, batch: int = 1, goal: Any = None) -> Any:
            assert len(seed) == batch == 2
            return goal

        def act(self, state: Any, observation: Any) -> Any:
            way = state["state"][:, :2] - observation["state"][:, :2]
            return np.clip(10 * way, -1, 1).astype(np.float32), tc.types.Verdict.acting(2), state

    goal = {"state": np.array([0.5, -0.5, 0.0, 0.0], np.float32)}
    episode = tc.collect(env, tc.collection.Acting(Towards(), goal), episodes=2, steps=60)[1]
    assert np.abs(episode.observation["state"][-1, :2] - [0.5, -0.5]).max() < 0.2
