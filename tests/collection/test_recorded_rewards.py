"""Rewards and successes in recorded episodes."""

import warnings

import gymnasium
import numpy as np
import pyarrow.parquet as pq
import pytest
from gymnasium import spaces

import tacit as tc
from tacit.envs import GymnasiumEnvironment
from tacit.types import Box, Episode, Modality, Spec


class Coin(gymnasium.Env):
    """Rewards 1, 2, 3, ...; ends solved at the third step in some episodes, and mentions success as it is told to."""

    observation_space = spaces.Box(-np.inf, np.inf, (1,), np.float64)
    action_space = spaces.Box(-1.0, 1.0, (1,), np.float32)

    def __init__(self, says="always"):
        self.says = says

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.steps, self.lucky = 0, bool(self.np_random.random() < 0.5)
        return np.array([float(self.lucky)]), {}

    def step(self, action):
        self.steps += 1
        solved = self.lucky and self.steps == 3
        said = self.says == "always" or (self.says == "solved" and solved)
        return np.array([float(self.lucky)]), float(self.steps), solved, False, {"is_success": solved} if said else {}


def record(says="always", **options):
    return tc.collect(lambda num_envs: GymnasiumEnvironment(lambda: Coin(says), num_envs), steps=5, **options)


@pytest.mark.parametrize("format", ["memory", "lerobot", "hdf5"])
@pytest.mark.parametrize("says", ["always", "solved"])
def test_each_reward_and_success_stands_at_its_action(tmp_path, format, says):
    place = {} if format == "memory" else {"to": tmp_path / "coin", "format": format}
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        episodes = record(says, episodes=12, num_envs=12, **place)
    lucky = [bool(episode.observation["state"][0, 0]) for episode in episodes]
    assert 0 < sum(lucky) < 12
    for episode, solved in zip(episodes, lucky, strict=True):
        actions = 3 if solved else 5
        assert episode.reward.tolist() == [*range(1, actions + 1), 0]
        assert episode.reward.dtype == np.float32
        assert episode.success.tolist() == [False] * (actions - 1) + [solved] * 2
        assert episode.terminated == solved


def test_success_that_is_mentioned_only_when_it_comes_is_recorded_in_every_batch():
    episodes = record("solved", episodes=12, num_envs=4)
    first = next(iter(episodes))
    if first.success is None:
        pytest.skip("no episode of the first batch was solved")
    assert all(episode.success is not None for episode in episodes)


def test_success_that_first_episodes_do_not_mention_is_named_in_a_warning():
    lucky = [bool(e.observation["state"][0, 0]) for e in record(episodes=12, num_envs=1)]
    seed = next(seed for seed in range(20) if not first_is_lucky(seed))
    assert any(lucky)
    with pytest.warns(UserWarning, match="nothing of success in the first episodes"):
        episodes = record("solved", episodes=12, num_envs=1, seed=seed)
    assert all(episode.success is None for episode in episodes)


def first_is_lucky(seed):
    return bool(record(episodes=1, num_envs=1, seed=seed)[0].observation["state"][0, 0])


def test_a_dataset_on_disk_names_them_as_lerobot_does(tmp_path):
    record(episodes=3, num_envs=3, to=tmp_path / "coin")
    table = pq.read_table(next((tmp_path / "coin").glob("data/*/*.parquet")))
    assert {"next.reward", "next.success"} <= set(table.column_names)
    assert table["next.reward"].to_pylist()[:3] == [1, 2, 3]


def test_rewards_of_another_recorder_are_those_of_the_episode(tmp_path):
    """lerobot records no observation after the last action, so its last reward is that of the final action."""
    reward = np.array([0, 0, 1], np.float32)
    episode = Episode(
        {"state": np.zeros((3, 1), np.float32)},
        np.zeros((2, 1), np.float32),
        final_action=np.zeros(1, np.float32),
        labels={"next.reward": reward, "next.success": reward > 0},
    )
    spec = Spec({"state": Modality("vector", (1,))}, Box((-1.0,), (1.0,)), fps=10.0)
    tc.data.save(tc.data.from_episodes([episode], spec), tmp_path / "theirs")
    (tmp_path / "theirs" / "meta" / "tacit.json").unlink()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        read = tc.data.open(tmp_path / "theirs")[0]
    assert read.reward.tolist() == [0, 0, 1]
    assert read.success.tolist() == [False, False, True]


def test_an_environment_without_rewards_records_none():
    episode = tc.collect("two_rooms", episodes=1, steps=2)[0]
    assert episode.reward is None
    assert episode.success is None


def test_an_interrupted_collection_goes_on_with_its_rewards(tmp_path):
    record("solved", episodes=4, num_envs=4, to=tmp_path / "coin", seed=1)
    episodes = record("solved", episodes=12, num_envs=4, to=tmp_path / "coin", seed=1)
    assert len({episode.success is None for episode in episodes}) == 1
    assert all(episode.reward is not None for episode in episodes)


def test_control_suite_tasks_record_their_rewards():
    pytest.importorskip("dm_control")
    episode = tc.collect("dm_control:cartpole/balance", episodes=1, steps=4, num_envs=1)[0]
    assert episode.reward.shape == (5,)
    assert (episode.reward[:-1] > 0).all()
