"""Recording: each episode a function of (seed, index), through interruptions, batches and processes."""

import functools
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import pytest

import tacit as tc
from tacit.collection import Expert, Random
from tacit.data.reading import collection_note
from tacit.envs import GymnasiumEnvironment, PointMass, TwoRooms
from tacit.errors import ConfigError, DataError, SpecError, TacitError
from tacit.types import Array, Box, Discrete, Environment, Episode, Observation


def equal(one: Episode, two: Episode) -> bool:
    def same(a: Any, b: Any) -> bool:
        return set(a) == set(b) and all(np.array_equal(a[name], b[name]) for name in a)

    facts = (one.index, one.seed, one.terminated) == (two.index, two.seed, two.terminated)
    return (
        facts
        and np.array_equal(one.action, two.action)
        and same(one.observation, two.observation)
        and same(one.labels, two.labels)
    )


def spiral(observation: Observation, step: int, rng: np.random.Generator) -> Array:
    """A policy that looks, counts and rolls dice."""
    return np.array([np.cos(step), observation["state"][0] + rng.normal()])


def flip(observation: Observation, step: int, rng: np.random.Generator) -> int:
    return int(observation["state"][2] > 0)


def too_short(observation: Observation, step: int, rng: np.random.Generator) -> Array:
    return np.zeros(1)


def failing(observation: Observation, step: int, rng: np.random.Generator) -> Array:
    raise ZeroDivisionError("by nothing")


@pytest.mark.parametrize(
    ("env", "policy"),
    [
        (functools.partial(TwoRooms, layout="random"), "random"),
        ("two_rooms", "expert"),
        ("point_mass", f"{__name__}:spiral"),
        ("gymnasium:CartPole-v1", "random"),
    ],
)
def test_an_episode_depends_on_the_seed_and_its_index_alone(env: Any, policy: str) -> None:
    reference = tc.collect(env, policy, episodes=7, steps=20, seed=3, num_envs=1)
    batched = tc.collect(env, policy, episodes=7, steps=20, seed=3, num_envs=4)
    assert all(equal(one, two) for one, two in zip(reference, batched, strict=True))
    first = tc.collect(env, policy, episodes=1, steps=20, seed=3, num_envs=3)
    assert equal(first[0], reference[0])
    other = tc.collect(env, policy, episodes=1, steps=20, seed=4)
    starts = [next(iter(episode.observation.values()))[0].tobytes() for episode in (*reference, *other)]
    assert len(set(starts)) == 8, "every episode and every collection starts elsewhere"


def test_processes_record_the_same() -> None:
    alone = tc.collect("two_rooms", episodes=7, steps=10, num_envs=2)
    together = tc.collect("two_rooms", episodes=7, steps=10, num_envs=2, workers=2)
    assert all(equal(one, two) for one, two in zip(alone, together, strict=True))


def test_actions_lead_from_one_observation_to_the_next() -> None:
    env = PointMass(3)
    episodes = tc.collect(env, "random", episodes=5, steps=12, seed=1)
    assert len({episode.action.tobytes() for episode in episodes}) == 5
    for episode in episodes:
        assert len(episode) == 13 and episode.action.shape == (12, 2) and episode.action.dtype == np.float32
        start = {"position": episode.observation["state"][:1, :2], "velocity": episode.observation["state"][:1, 2:]}
        path = env.simulate(start, episode.action[None])
        np.testing.assert_allclose(path["position"][0], episode.labels["position"][1:], atol=1e-5)
        assert np.array_equal(episode.labels["position"], episode.observation["state"][:, :2])
        assert episode.truncated


class Fuse(gymnasium.Env[Any, Any]):
    """Burns for as many steps as its seed says, then terminates; shows how often it was lit."""

    observation_space = gymnasium.spaces.Box(-np.inf, np.inf, (2,))
    action_space = gymnasium.spaces.Box(-1, 1, (1,))

    def __init__(self, longest: int = 12) -> None:
        self.lit, self.longest = 0, longest

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Any, dict[str, Any]]:
        super().reset(seed=seed)
        self.lit = 0 if seed is not None else self.lit + 1
        self.left = int(self.np_random.integers(1, self.longest))
        return self.show(), {}

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        self.left -= 1
        return self.show(), 0.0, self.left == 0, False, {}

    def show(self) -> Any:
        return np.array([self.left, self.lit], np.float32)


def test_episodes_end_where_the_world_ends_them() -> None:
    episodes = tc.collect(GymnasiumEnvironment(Fuse, 4), episodes=13, steps=8, seed=2)
    lengths = set()
    for episode in episodes:
        left, lit = episode.observation["state"].T
        assert np.array_equal(left, left[0] - np.arange(len(episode))), "one unbroken countdown"
        assert (lit == 0).all(), "no step of a world that was lit again"
        assert episode.terminated == (left[-1] == 0) and len(episode) == min(left[0], 8) + 1
        lengths.add(len(episode))
    assert len(lengths) > 3


KILLED = """
import sys, time
import tacit as tc
from tacit.envs import TwoRooms
class Slow(TwoRooms):
    def step(self, action):
        time.sleep(0.01)
        return super().step(action)
if __name__ == "__main__":
    Slow.__module__, Slow.__qualname__ = TwoRooms.__module__, TwoRooms.__qualname__
    tc.collect(Slow, episodes=40, steps=5, num_envs=2, seed=9, to=sys.argv[1])
"""


def test_a_killed_collection_goes_on_and_ends_the_same(tmp_path: Path) -> None:
    place = tmp_path / "killed"
    script = tmp_path / "script.py"
    script.write_text(KILLED)
    process = subprocess.Popen([sys.executable, str(script), str(place)])
    waiting = tmp_path / ".killed.unfinished"
    until = time.monotonic() + 60
    while len(list(waiting.glob("episode-*"))) < 5 and time.monotonic() < until:
        time.sleep(0.01)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    recorded = len(list(waiting.glob("episode-*")))
    assert 5 <= recorded < 40 and not place.exists()
    with pytest.raises(DataError, match=r"never finished: \d+ episodes wait .*Run the same tacit collect again"):
        tc.data.open(place)
    resumed = tc.collect(TwoRooms, episodes=40, steps=5, num_envs=3, seed=9, to=place)
    whole = tc.collect(TwoRooms, episodes=40, steps=5, seed=9, to=tmp_path / "whole")
    in_memory = tc.collect(TwoRooms, episodes=40, steps=5, seed=9)
    assert resumed.hash() == whole.hash()
    assert all(equal(one, two) for one, two in zip(resumed, in_memory, strict=True))
    again = tc.collect(TwoRooms, episodes=40, steps=5, seed=9, to=place)
    assert again.hash() == whole.hash()
    longer = tc.collect(TwoRooms, episodes=42, steps=5, seed=9, to=place)
    assert len(longer) == 42 and equal(longer[39], in_memory[39])


@pytest.mark.parametrize("change", [{"seed": 1}, {"steps": 6}, {"policy": "expert"}, {"policy": Random(repeat=2.0)}])
def test_another_collection_is_not_mixed_in(tmp_path: Path, change: dict[str, Any]) -> None:
    tc.collect(TwoRooms, episodes=2, steps=5, to=tmp_path / "data")
    with pytest.raises(ConfigError, match=r"holds 2 episodes of .*Choose another place"):
        tc.collect(TwoRooms, **{"episodes": 3, "steps": 5, "to": tmp_path / "data", **change})
    with pytest.raises(ConfigError, match="holds 2 episodes"):
        tc.collect(functools.partial(TwoRooms, factors={"speed": 1.0}), episodes=3, steps=5, to=tmp_path / "data")


def test_a_collection_of_version_0_1_goes_on(tmp_path: Path) -> None:
    tc.collect(TwoRooms, Random(2.0), episodes=2, steps=5, to=tmp_path / "data")
    note = collection_note(tmp_path / "data")
    assert "Random(repeat=2.0)" in note.read_text()
    note.write_text(note.read_text().replace("repeat=", "hold="))
    assert len(tc.collect(TwoRooms, Random(2.0), episodes=3, steps=5, to=tmp_path / "data")) == 3


def pull(strength: float) -> Any:
    def act(env: Environment, seeds: Any, steps: int) -> Any:
        return env.reset(seeds), lambda step, observation: np.full((env.num_envs, 2), strength, np.float32)

    return act


@pytest.mark.parametrize(
    ("began", "goes_on"),
    [
        ({"env": lambda: TwoRooms(2, layout="random")}, {"env": lambda: TwoRooms(2, factors={"speed": 1.0})}),
        (
            {"env": lambda: GymnasiumEnvironment(Fuse, 2)},
            {"env": lambda: GymnasiumEnvironment(functools.partial(Fuse, longest=40), 2)},
        ),
        (
            {"env": lambda: lambda num_envs: TwoRooms(num_envs)},
            {"env": lambda: lambda num_envs: TwoRooms(num_envs, layout="random")},
        ),
        ({"env": lambda: TwoRooms(2), "policy": pull(0.1)}, {"env": lambda: TwoRooms(2), "policy": pull(0.9)}),
    ],
)
def test_what_has_no_name_is_not_mixed_in(tmp_path: Path, began: dict[str, Any], goes_on: dict[str, Any]) -> None:
    def go_on(env: Callable[[], Any], policy: Any = "random", episodes: int = 3) -> tc.data.Episodes:
        return tc.collect(env(), policy, episodes=episodes, steps=5, to=tmp_path / "data")

    before = go_on(**began)
    with pytest.raises(ConfigError, match=r"holds 3 episodes of .* recorded again, comes out otherwise"):
        go_on(**goes_on, episodes=5)
    with pytest.raises(ConfigError, match="comes out otherwise"):
        go_on(**goes_on)
    longer = go_on(**began, episodes=5)
    assert len(longer) == 5 and longer[:3].hash() == before.hash()


def test_an_unfinished_collection_is_not_mixed_in(tmp_path: Path) -> None:
    class Broken(TwoRooms):
        def reset(self, seed: Any) -> Observation:
            self.resets = getattr(self, "resets", 0) + 1
            if self.resets == 2:
                raise InterruptedError
            return super().reset(seed)

    Broken.__module__, Broken.__qualname__ = TwoRooms.__module__, TwoRooms.__qualname__
    with pytest.raises(InterruptedError):
        tc.collect(Broken(2), episodes=6, steps=5, to=tmp_path / "data")
    assert len(list((tmp_path / ".data.unfinished").glob("episode-*"))) == 2
    with pytest.raises(ConfigError, match=r"holds 2 episodes .* comes out otherwise"):
        tc.collect(TwoRooms(2, layout="random"), episodes=6, steps=5, to=tmp_path / "data")
    resumed = tc.collect(TwoRooms(3), episodes=6, steps=5, to=tmp_path / "data")
    assert resumed.hash() == tc.collect(TwoRooms(1), episodes=6, steps=5).hash()


def test_episodes_of_someone_else_are_not_added_to(tmp_path: Path) -> None:
    tc.data.save(tc.collect(TwoRooms, episodes=2, steps=5), tmp_path / "data")
    with pytest.raises(ConfigError, match="something that collect did not record"):
        tc.collect(TwoRooms, episodes=3, steps=5, to=tmp_path / "data")


@pytest.mark.parametrize("content", [b'{"env": "two', b"[]", b"\xff"])
def test_a_damaged_note_is_named(tmp_path: Path, content: bytes) -> None:
    tc.collect(PointMass, episodes=2, steps=5, to=tmp_path / "data")
    note = tmp_path / ".data.collection.json"
    assert note.exists()
    note.write_bytes(content)
    with pytest.raises(DataError, match=r"\.data\.collection\.json, which says .* cannot be read"):
        tc.collect(PointMass, episodes=3, steps=5, to=tmp_path / "data")


def test_random_actions_are_held_and_fill_the_space() -> None:
    space = Box((-1.0, 0.0), (1.0, 4.0))
    plan = Random(repeat=8).plan(space, np.random.default_rng(0), 40_000)
    changes = (np.diff(plan, axis=0) != 0).any(axis=1)
    assert 7.5 < 1 / changes.mean() < 8.5
    assert (np.diff(plan, axis=0)[changes] != 0).all(), "all components change together"
    np.testing.assert_allclose(plan.mean(axis=0), [0, 2], atol=0.1)
    np.testing.assert_allclose(plan.std(axis=0), [2 / 12**0.5, 4 / 12**0.5], rtol=0.05)
    gaps = np.diff(np.flatnonzero(changes))
    assert abs((gaps == 1).mean() - 1 / 8) < 0.02, "holding times are geometric"
    fresh = Random(repeat=1).plan(Discrete(3), np.random.default_rng(0), 3000)
    assert (fresh.sum(axis=1) == 1).all() and (np.abs(fresh.mean(axis=0) - 1 / 3) < 0.05).all()
    with pytest.raises(ConfigError, match="at least 1 step"):
        Random(repeat=0.5)


def test_the_expert_reaches_its_goals() -> None:
    env = TwoRooms(4)
    for episode in tc.collect(env, Expert(), episodes=8, steps=env.rules.budget):
        assert episode.seed is not None
        goal = env.tasks(1, episode.seed).goal
        last = {"position": episode.labels["position"][-1:]}
        assert env.distance(last, goal)[0] < env.rules.radius
    with pytest.raises(ConfigError, match="policy='expert' needs an environment with goals"):
        tc.collect("gymnasium:Pendulum-v1", "expert", episodes=1)


def test_a_function_may_name_a_discrete_action() -> None:
    episode = tc.collect("gymnasium:CartPole-v1", f"{__name__}:flip", episodes=1, steps=200)[0]
    assert np.array_equal(episode.action.argmax(axis=1), episode.observation["state"][:-1, 2] > 0)
    assert len(episode) > 30


def test_recorded_actions_are_those_the_world_took() -> None:
    def push(env: Environment, seeds: Any, steps: int) -> Any:
        return env.reset(seeds), lambda step, observation: np.full((env.num_envs, 2), 7.0, np.float32)

    episode = tc.collect("point_mass", push, episodes=1, steps=3)[0]
    assert (episode.action == 1).all()


def test_only_the_progress_bar_writes_to_the_terminal(capfd: pytest.CaptureFixture[str]) -> None:
    tc.collect("point_mass", episodes=3, steps=4)
    assert capfd.readouterr() == ("", "")
    tc.collect("point_mass", episodes=3, steps=4, progress=True)
    shown = capfd.readouterr()
    assert shown.out == "" and "episodes" in shown.err and "100%" in shown.err


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"policy": "randon"}, ConfigError, "Did you mean 'random'"),
        ({"policy": "nowhere.at.all:act"}, ConfigError, "found no policy"),
        ({"policy": "json:nothing"}, ConfigError, "found no policy"),
        ({"policy": ":act"}, ConfigError, "found no policy"),
        ({"policy": "json:__doc__"}, ConfigError, "the module has no function '__doc__'"),
        ({"policy": f"{__name__}:failing"}, TacitError, f"policy {__name__}:failing raised ZeroDivisionError: by"),
        ({"policy": f"{__name__}:too_short"}, SpecError, r"shape \(2,\); got shape \(1,\)"),
        ({"episodes": 0}, ConfigError, "at least 1"),
        ({"env": PointMass(2), "workers": 2}, ConfigError, "by name or as a function"),
        ({"env": PointMass(2), "num_envs": 3}, ConfigError, "has 2 worlds"),
        ({"env": "point_mas"}, ConfigError, "Did you mean 'point_mass'"),
    ],
)
def test_options_are_checked(options: dict[str, Any], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        tc.collect(**{"env": "point_mass", "episodes": 2, "steps": 3, **options})
