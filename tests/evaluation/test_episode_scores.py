"""Whole episodes in worlds whose returns, ends and successes are known."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import pytest

from tacit.agent import RandomActor
from tacit.errors import ConfigError, SpecError
from tacit.evaluation import Near, score_episodes
from tacit.evaluation.episode_scores import desired_goal
from tacit.types import Array, Box, Modality, Observation, Spec, Transition, Verdict


class Counting:
    """A world that adds actions up from 0 and ends above 3; the reward is the action, success a sum within 0.5 of 2."""

    spec = Spec({"sum": Modality("vector", (1,))}, Box((-1.0,), (1.0,)))

    def __init__(self, num_envs: int = 3, rewarded: bool = True, limit: int = 1000) -> None:
        self.num_envs, self.rewarded, self.limit = num_envs, rewarded, limit
        self.seeds: list[int] = []

    def reset(self, seed: int | Sequence[int]) -> Observation:
        assert not isinstance(seed, int)
        self.seeds += seed
        self.sum, self.steps = np.zeros(self.num_envs), 0
        self.ended = np.zeros(self.num_envs, np.bool_)
        return self.observation()

    def observation(self) -> Observation:
        return {"sum": self.sum[:, None].astype(np.float32)}

    def step(self, action: np.ndarray) -> Transition:
        moved = np.where(self.ended, 0.0, action[:, 0])
        self.sum, self.steps = self.sum + moved, self.steps + 1
        terminated = self.sum > 3
        self.ended = terminated
        reward = moved if self.rewarded else None
        success = np.abs(self.sum - 2) <= 0.5 if self.rewarded else None
        truncated = np.full(self.num_envs, self.steps >= self.limit)
        return Transition(self.observation(), terminated, truncated, reward=reward, success=success)

    def labels(self) -> Mapping[str, Array]:
        return {}

    def close(self) -> None:
        pass


@dataclass
class Pushing:
    """An actor that pushes each world by a share of its own."""

    shares: tuple[float, ...] = (1.0, 0.5, 0.25)
    goals: list[Observation | None] = field(default_factory=list)

    def start(self, *, seed: int, batch: int = 1, goal: Observation | None = None) -> int:
        self.goals.append(goal)
        return batch

    def act(self, state: int, observation: Observation) -> tuple[np.ndarray, Verdict, int]:
        action = np.array(self.shares[:state], np.float32)[:, None]
        return action, Verdict.acting(state), state


def test_returns_lengths_and_successes_are_those_of_the_world() -> None:
    scores = score_episodes(Pushing(), Counting(), episodes=3, steps=8)
    np.testing.assert_allclose(scores.returns, [4.0, 3.5, 2.0])  # the first ends after 4 steps, the second after 7
    np.testing.assert_array_equal(scores.lengths, [4, 7, 8])
    np.testing.assert_array_equal(scores.solved, [False, False, True])  # at the last step
    assert scores.mean_return is not None and scores.mean_return.mean == pytest.approx(9.5 / 3)
    ever = score_episodes(Pushing(), Counting(), episodes=3, steps=8, success_at="any")
    np.testing.assert_array_equal(ever.solved, [True, True, True])
    assert "return 3.17" in str(scores) and "solved 33.3 %" in str(scores)


def test_the_end_of_an_episode_can_be_success() -> None:
    scores = score_episodes(Pushing(), Counting(rewarded=False), episodes=3, steps=8, success="terminated")
    np.testing.assert_array_equal(scores.solved, [True, True, False])
    assert scores.returns is None and scores.mean_return is None


def test_success_can_be_nearness_to_a_goal_or_any_function() -> None:
    near = Near({"sum": np.array([2.0])}, radius=0.01)
    scores = score_episodes(Pushing(), Counting(rewarded=False), episodes=3, steps=8, success=near)
    np.testing.assert_array_equal(scores.solved, [False, False, True])
    with pytest.raises(SpecError, match="one truth value for each of 3 worlds"):
        score_episodes(Pushing(), Counting(), episodes=3, success=lambda seen: seen["sum"] > 0)
    with pytest.raises(ConfigError, match="radius above 0"):
        Near({}, 0.0)


def test_missing_rewards_and_successes_are_none_or_raise() -> None:
    scores = score_episodes(Pushing(), Counting(rewarded=False), episodes=3, steps=2)
    assert scores.solved is None and scores.success is None
    assert str(scores) == "2.0 steps an episode, 3 episodes"
    with pytest.raises(ConfigError, match="is_success in its info"):
        score_episodes(Pushing(), Counting(rewarded=False), episodes=3, success="info")


def test_a_time_limit_of_the_world_ends_an_episode() -> None:
    scores = score_episodes(Pushing(), Counting(limit=3), episodes=3)
    np.testing.assert_array_equal(scores.lengths, [3, 3, 3])


def test_episodes_are_functions_of_seed_and_number() -> None:
    wide, narrow = Counting(3), Counting(1)
    score_episodes(Pushing(), wide, episodes=4, steps=1)
    score_episodes(Pushing(), narrow, episodes=4, steps=1)
    assert wide.seeds[:4] == narrow.seeds
    assert wide.seeds[4:] == [wide.seeds[3]] * 2  # fills the batch
    assert len(set(narrow.seeds)) == 4
    other = Counting(1)
    score_episodes(Pushing(), other, episodes=4, steps=1, seed=2)
    assert not set(other.seeds) & set(narrow.seeds)
    scores = score_episodes(Pushing(), Counting(3), episodes=4, steps=1)
    assert len(scores.lengths) == 4 and scores.returns is not None and len(scores.returns) == 4


def test_a_goal_is_given_to_every_world_in_the_right_shape() -> None:
    actor = Pushing()
    score_episodes(actor, Counting(), episodes=3, steps=1, goal={"sum": np.array([2])})
    (goal,) = actor.goals
    assert goal is not None and goal["sum"].shape == (3, 1) and goal["sum"].dtype == np.float32
    with pytest.raises(SpecError, match=r"'sum' of shape \[1\]; got \[2\]"):
        score_episodes(actor, Counting(), episodes=3, goal={"sum": np.zeros(2)})
    with pytest.raises(SpecError, match="environment has sum"):
        score_episodes(actor, Counting(), episodes=3, goal={"image": np.zeros(2)})


def test_the_goal_of_a_goal_environment_is_its_desired_goal() -> None:
    seen = {"observation": np.zeros((2, 4)), "achieved_goal": np.zeros((2, 3)), "desired_goal": np.ones((2, 3))}
    goal = desired_goal(seen)
    assert sorted(goal) == ["achieved_goal", "desired_goal"]
    np.testing.assert_array_equal(goal["achieved_goal"], seen["desired_goal"])


def test_bad_options_and_actions_are_refused() -> None:
    for options in ({"episodes": 0}, {"steps": 0}, {"success_at": "first"}):
        with pytest.raises(ConfigError):
            score_episodes(Pushing(), Counting(), **options)
    with pytest.raises(SpecError, match="shape"):
        score_episodes(Pushing(shares=(1.0,)), Counting(), episodes=3)
    with pytest.raises(SpecError, match="left the action space"):
        score_episodes(Pushing(shares=(2.0, 0.0, 0.0)), Counting(), episodes=3)


def test_a_random_actor_scores_the_same_twice() -> None:
    first, second = (
        score_episodes(RandomActor(Counting.spec.action), Counting(), episodes=6, steps=20) for _ in range(2)
    )
    np.testing.assert_array_equal(first.returns, second.returns)
