"""Branches: episodes of one snapshot start alike and go on by their own actions."""

import numpy as np
import pytest

import tacit as tc
from tacit.collection import Branches, Random
from tacit.errors import ConfigError


def record(policy, **options):
    return list(tc.collect("point_mass", policy, **{"episodes": 60, "steps": 6, "progress": False, **options}))


def test_branches_of_a_snapshot_share_their_start_and_nothing_else():
    policy = Branches(snapshots=3, share=0.6, before=5)
    episodes = record(policy)
    number = [policy.snapshot_of(episode.seed) for episode in episodes]
    assert {0, 1, 2, None} == set(number)
    assert 0.4 < np.mean([one is not None for one in number]) < 0.8
    for snapshot in range(3):
        own = [episode for episode, one in zip(episodes, number, strict=True) if one == snapshot]
        starts = np.stack([episode.observation["state"][0] for episode in own])
        assert len(own) > 3 and (starts == starts[0]).all() and (starts[0, 2:] != 0).any()  # moving: actions led there
        assert len(np.unique([episode.action[:, 0].sum() for episode in own])) == len(own)
    alone = [e.observation["state"][0] for e, one in zip(episodes, number, strict=True) if one is None]
    assert len(np.unique([start[0] for start in alone])) == len(alone)
    assert all((start[2:] == 0).all() for start in alone)  # as the environment starts: at rest


def test_an_episode_is_a_function_of_its_seed_in_any_batch():
    policy = Branches(snapshots=2, before=3)
    for one, two in zip(record(policy, num_envs=7), record(policy, num_envs=16), strict=True):
        np.testing.assert_array_equal(one.observation["state"], two.observation["state"])
        np.testing.assert_array_equal(one.action, two.action)


def test_another_seed_makes_other_snapshots():
    first, second = (
        {e.observation["state"][0, 0] for e in record(Branches(snapshots=2, share=1.0, seed=seed))} for seed in (0, 1)
    )
    assert len(first) == len(second) == 2 and not first & second


def test_options_and_worlds_are_checked():
    for options in ({"snapshots": 0}, {"share": 0.0}, {"before": -1}):
        with pytest.raises(ConfigError, match="Branches needs snapshots"):
            Branches(**options)
    with pytest.raises(ConfigError, match=r"Branches needs an environment.*lacks"):
        tc.collect("gymnasium:Pendulum-v1", Branches(), episodes=2, steps=2, progress=False)
    episodes = record(Branches(1, 1.0, 0, Random(1.0)), episodes=3)
    assert len({episode.observation["state"][0, 0].item() for episode in episodes}) == 1
