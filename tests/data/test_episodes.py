from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import tacit as tc
from data.recordings import SPEC, assert_same, recording, recordings
from tacit.errors import ConfigError, DataError, SpecError


def test_in_memory_episodes_are_the_ones_given():
    given_episodes = recordings(5)
    episodes = tc.data.from_episodes(given_episodes, SPEC)
    assert len(episodes) == 5
    assert episodes.labels == ("position", "solved")
    assert episodes.lengths.tolist() == [len(episode) for episode in given_episodes]
    for a, b in zip(given_episodes, episodes, strict=True):
        assert_same(a, b)
    assert [episode.index for episode in episodes[1:4]] == [1, 2, 3]


@settings(max_examples=30, deadline=None)
@given(count=st.integers(2, 12), fraction=st.floats(0.01, 0.99), seed=st.integers(0, 99))
def test_split_is_disjoint_complete_and_repeatable(count, fraction, seed):
    episodes = tc.data.from_episodes(recordings(count), SPEC)
    train, held_out = episodes.split(fraction, seed)
    parts = [episode.index for episode in train], [episode.index for episode in held_out]
    assert sorted(parts[0] + parts[1]) == list(range(count))
    assert len(train) == min(max(round(fraction * count), 1), count - 1)
    assert [episode.index for episode in episodes.split(fraction, seed)[0]] == parts[0]


def test_without_leaves_out_copies_wherever_they_are_held(tmp_path):
    made = recordings(6)
    tc.data.save(tc.data.from_episodes(made[:3], SPEC), tmp_path / "stored", "hdf5")
    episodes = tc.data.from_episodes([*made[3:], made[1], made[4]], SPEC)
    kept = episodes.without(tc.data.open(tmp_path / "stored"))
    assert [episode.index for episode in kept] == [0, 1, 2, 4]
    assert len(kept.without(kept)) == 0
    assert kept.digests() == tuple(episodes.digests()[index] for index in (0, 1, 2, 4))
    assert len(set(kept.digests())) == 3, "the copy within stays"


def test_statistics_are_of_exactly_these_episodes():
    train, held_out = tc.data.from_episodes(recordings(8), SPEC).split(0.5, seed=3)
    statistics = train.statistics()
    assert statistics != held_out.statistics()
    pixels = np.concatenate([episode.observation["pixels"] for episode in train]) / 255.0
    np.testing.assert_allclose(statistics.mean["pixels"], pixels.mean((0, 2, 3)), rtol=1e-12)
    np.testing.assert_allclose(statistics.std["pixels"], pixels.std((0, 2, 3)), rtol=1e-12)
    for name in ("state", "audio", "action"):
        rows = [episode.action if name == "action" else episode.observation[name] for episode in train]
        values = np.concatenate(rows).astype(np.float64)
        np.testing.assert_allclose(statistics.mean[name], values.mean(0), rtol=1e-9)
        np.testing.assert_allclose(statistics.std[name], values.std(0), rtol=1e-9)


def test_a_constant_component_can_still_divide():
    episode = recording(0)
    episode = replace(episode, observation={**episode.observation, "state": np.full((9, 3), 7.0, np.float32)})
    with pytest.warns(UserWarning, match="component 0"):
        assert tc.data.from_episodes([episode], SPEC).statistics().std["state"] == (1.0,) * 3


def test_the_hash_is_of_the_content():
    episodes = tc.data.from_episodes(recordings(4), SPEC)
    assert episodes.hash() == tc.data.from_episodes(recordings(4), SPEC).hash()
    assert episodes.hash() != episodes[:3].hash()
    assert episodes.select([0, 1, 2]).hash() == tc.data.from_episodes(recordings(3), SPEC).hash()
    changed = recordings(4)
    changed[2].observation["pixels"][0, 0, 0, 0] ^= 1
    assert tc.data.from_episodes(changed, SPEC).hash() != episodes.hash()


def with_row(values: np.ndarray, row: int, value: float) -> np.ndarray:
    """A copy with one row replaced."""
    values = values.copy()
    values[row] = value
    return values


BROKEN = {
    "pixels": [
        ("dtype uint8; got float32", lambda e: e.observation["pixels"].astype(np.float32)),
        (r"shape \(9, 3, 8, 10\); got \(8, 3, 8, 10\)", lambda e: e.observation["pixels"][:-1]),
        (r"got \(9, 8, 10, 3\)", lambda e: np.moveaxis(e.observation["pixels"], 1, -1)),
    ],
    "state": [
        ("finite numbers; got NaN, first in row 4", lambda e: with_row(e.observation["state"], 4, np.nan)),
        ("got inf", lambda e: with_row(e.observation["state"], 4, np.inf)),
    ],
    "audio": [(r"shape \(23, 2\); got \(22, 2\)", lambda e: e.observation["audio"][:-1])],
    "action": [
        (r"component 1 leaves \[0, 2\]", lambda e: e.action + np.float32([0.0, 5.0])),
        (r"shape \(8, 2\)", lambda e: e.action[:, :1]),
        ("got NaN", lambda e: e.action * np.float32(np.nan)),
    ],
    "final_action": [(r"shape \(2,\); got \(1,\)", lambda e: e.final_action[:1])],
    "label.position": [(r"shape \(9, 2\); got \(7, 2\)", lambda e: e.labels["position"][:7])],
    "label.solved": [("dtype bool; got int64", lambda e: e.labels["solved"].astype(np.int64))],
}


def broken(field: str, value: np.ndarray):
    """A good recording with one bad field."""
    episode = recording(1)
    if field in SPEC.modalities:
        return replace(episode, observation={**episode.observation, field: value})
    if field.startswith("label."):
        return replace(episode, labels={**episode.labels, field.removeprefix("label."): value})
    return replace(episode, **{field: value})


@pytest.mark.parametrize(
    ("field", "message", "change"), [(field, *case) for field, cases in BROKEN.items() for case in cases]
)
def test_every_break_of_the_spec_is_refused_before_anything_is_written(tmp_path, field, message, change):
    episode = broken(field, change(recording(1)))
    with pytest.raises(SpecError, match=rf"episode 1, field '{field}'.*{message}"):
        tc.data.from_episodes([recording(0), episode], SPEC)
    writer = tc.data.Writer(tmp_path / "data", SPEC)
    writer.add(recording(0))
    with pytest.raises(SpecError, match=rf"data, episode 1, field '{field}'.*{message}"):
        writer.add(episode)
    writer.close()
    assert len(tc.data.open(tmp_path / "data")) == 1


def test_missing_modality_missing_label_and_empty_episode_are_refused():
    episode = recording(1)
    for changed, message in [
        (replace(episode, observation={"state": episode.observation["state"]}), "expected modalities"),
        (replace(episode, labels={}), "field 'label.position': the label is missing"),
        (replace(episode, seed=2**64), "field 'seed': expected an int"),
        (replace(episode, action=np.zeros((0, 2), np.float32)), "field 'action': the episode is empty"),
    ]:
        with pytest.raises(SpecError, match=message):
            tc.data.from_episodes([recording(0), changed], SPEC)
    with pytest.raises(DataError, match="at least one episode"):
        tc.data.from_episodes([], SPEC)


def test_an_action_may_pass_the_bound_by_a_rounding_only():
    third = replace(SPEC, action=tc.Box((-1 / 3, 0.0), (1 / 3, 2.0)))
    episode = recording(1)
    edge = np.full_like(episode.action, np.nextafter(np.float32(1 / 3), np.float32(1)))
    tc.data.from_episodes([replace(episode, action=edge, final_action=None)], third)
    with pytest.raises(SpecError, match="component 0 leaves"):
        tc.data.from_episodes([replace(episode, action=edge + np.float32(1e-6), final_action=None)], third)


def test_discrete_actions_are_one_hot():
    spec = replace(SPEC, action=tc.Discrete(2))
    episode = replace(recording(1), final_action=None)
    with pytest.raises(SpecError, match="one-hot rows of width 2"):
        tc.data.from_episodes([episode], spec)
    tc.data.from_episodes([replace(episode, action=np.eye(2, dtype=np.float32)[[0, 1] * 4])], spec)


def test_select_and_split_refuse_what_is_not_there():
    episodes = tc.data.from_episodes(recordings(3), SPEC)
    with pytest.raises(ConfigError, match="indices below 3"):
        episodes.select([3])
    with pytest.raises(ConfigError, match="fraction between 0 and 1"):
        episodes.split(1.0, 0)


@pytest.mark.parametrize("name", ["action", "a/b", "..", ""])
def test_names_that_cannot_be_stored_are_refused(name):
    spec = replace(SPEC, modalities={name: SPEC.modalities["state"]})
    with pytest.raises(SpecError, match="Rename it"):
        tc.data.from_episodes([recording(1, spec=spec)], spec)
