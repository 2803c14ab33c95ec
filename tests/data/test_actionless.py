"""Data in which nobody acts: images (episodes of one observation), videos and signals."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

import tacit as tc
from data.recordings import assert_same
from tacit.data import cache, writing
from tacit.data.reading import unfinished
from tacit.errors import DataError, SpecError
from tacit.types import Modality

FORMATS = tc.data.formats.names()
IMAGES = tc.Spec({"pixels": Modality("pixels", (1, 6, 5))})
VIDEOS = tc.Spec({"pixels": Modality("pixels", (3, 6, 5)), "sound": Modality("series", (2,), 33.3)}, fps=25.0)
LARGE = tc.Spec({"pixels": Modality("pixels", (3, 130, 140))}, fps=25.0)


def seen(seed: int, length: int, spec: tc.Spec) -> tc.Episode:
    """An episode of ``length`` observations, in class ``seed % 3``."""
    rng = np.random.default_rng(seed)
    observation = {}
    for name, modality in spec.modalities.items():
        shape = (spec.samples(name, length), *modality.shape)
        if modality.kind == "pixels":
            observation[name] = rng.integers(0, 256, shape, dtype=np.uint8)
        else:
            observation[name] = rng.normal(size=shape).astype(np.float32)
    labels = {"class": np.full(length, seed % 3)}
    return tc.Episode(observation, np.zeros((length - 1, 0), np.float32), labels=labels, task=f"class {seed % 3}")


def images(count: int) -> list[tc.Episode]:
    return [seen(seed, 1, IMAGES) for seed in range(count)]


def videos(count: int) -> list[tc.Episode]:
    return [seen(seed, 1 + seed % 4, VIDEOS) for seed in range(count)]


CASES = {"images": (IMAGES, images(9)), "videos": (VIDEOS, videos(9))}


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("name", FORMATS)
def test_every_format_gives_back_what_nobody_acted_in(tmp_path, name, case):
    spec, given = CASES[case]
    memory = tc.data.from_episodes(given, spec)
    tc.data.save(memory, tmp_path / "data", name)
    back = tc.data.open(tmp_path / "data")
    assert back.spec == spec
    assert back.spec.action.size == 0
    assert back.hash() == memory.hash()
    assert tc.data.check(tmp_path / "data") == []
    for a, b in zip(given, back, strict=True):
        assert_same(a, b)
        assert b.action.shape == (len(a) - 1, 0)
        assert b.action.dtype == np.float32
    assert back.statistics() == memory.statistics()
    assert back.statistics().mean["action"] == back.statistics().std["action"] == ()
    assert tc.data.info(tmp_path / "data").shortest == 1
    for length in (1, 2) if case == "videos" else (1,):
        ours, theirs = (part.split(0.5, seed=1)[0].clips(length).batch(3, 2, 8) for part in (back, memory))
        assert ours.action.shape == (8, length - 1, 0)
        for field in spec.modalities:
            np.testing.assert_array_equal(ours.observation[field], theirs.observation[field])
        where = zip(ours.episode.tolist(), ours.start.tolist(), ours.observation["pixels"].numpy(), strict=True)
        train = back.split(0.5, seed=1)[0]
        for episode, start, pixels in where:
            np.testing.assert_array_equal(train[episode].observation["pixels"][start : start + length], pixels)


@pytest.mark.parametrize("name", FORMATS)
def test_a_final_action_without_components_is_kept(tmp_path, name):
    episode = replace(videos(4)[3], final_action=np.zeros(0, np.float32))
    tc.data.save(tc.data.from_episodes([episode], VIDEOS), tmp_path / "data", name)
    assert_same(episode, tc.data.open(tmp_path / "data")[0])


def test_large_videos_without_actions_are_video(tmp_path):
    frames = np.full((5, 3, 130, 140), 40, np.uint8) + np.arange(5, dtype=np.uint8)[:, None, None, None] * np.uint8(9)
    given = [tc.Episode({"pixels": frames}, np.zeros((4, 0), np.float32)) for _ in range(3)]
    given += [tc.Episode({"pixels": frames[:1]}, np.zeros((0, 0), np.float32))]
    tc.data.save(tc.data.from_episodes(given, LARGE), tmp_path / "data")
    assert list((tmp_path / "data").rglob("*.mp4"))
    for a, b in zip(given, tc.data.open(tmp_path / "data"), strict=True):
        assert abs(a.observation["pixels"].astype(int) - b.observation["pixels"]).max() <= 3


def test_lerobot_has_no_action_then(tmp_path):
    tc.data.save(tc.data.from_episodes(videos(3), VIDEOS), tmp_path / "data")
    info = json.loads((tmp_path / "data/meta/info.json").read_text())
    assert not any("action" in key for key in info["features"])
    (file,) = tmp_path.glob("data/data/*/*.parquet")
    assert "action" not in pq.read_schema(file).names
    assert "action" not in json.loads((tmp_path / "data/meta/stats.json").read_text())


def test_a_dataset_of_lerobot_alone_without_actions_opens(tmp_path):
    tc.data.save(tc.data.from_episodes(images(3), IMAGES), tmp_path / "data")
    (tmp_path / "data/meta/tacit.json").unlink()
    for file in tmp_path.glob("data/meta/episodes/*/*.parquet"):
        table = pq.read_table(file)
        pq.write_table(table.drop_columns([name for name in table.column_names if name.startswith("tacit/")]), file)
    episodes = tc.data.open(tmp_path / "data")
    assert episodes.spec.action == tc.Box((), ())
    for a, b in zip(images(3), episodes, strict=True):
        np.testing.assert_array_equal(a.observation["pixels"], b.observation["pixels"])
        assert b.final_action is None
    assert tc.data.check(tmp_path / "data") == []


def test_very_many_images_share_row_groups(tmp_path):
    tc.data.save(tc.data.from_episodes(images(600), IMAGES), tmp_path / "data")
    (file,) = tmp_path.glob("data/data/*/*.parquet")
    assert pq.read_metadata(file).num_row_groups == 3
    back = tc.data.open(tmp_path / "data")
    for index in (0, 255, 256, 599, 3):
        assert_same(images(600)[index], back[index])


def test_what_is_read_is_ones_own(tmp_path):
    tc.data.save(tc.data.from_episodes(images(9), IMAGES), tmp_path / "data")
    episodes = tc.data.open(tmp_path / "data")
    episodes[4].labels["class"][:] = 77
    assert_same(images(9)[4], episodes[4])


@pytest.mark.parametrize("name", FORMATS)
def test_many_episodes_are_kept_in_groups_and_taken_up(tmp_path, monkeypatch, name):
    monkeypatch.setattr(writing, "GROUP", 4)
    path, given = tmp_path / "data", images(21)
    writer = tc.data.Writer(path, IMAGES, name)
    writer.add(given[0])

    def some():
        yield from given[1:11]
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        writer.extend(some())
    assert len(writer) == 9  # one and two groups of four
    with pytest.raises(DataError, match=r"never finished: 9 episodes wait"):
        tc.data.open(path)
    again = tc.data.Writer(path, IMAGES, name)
    assert len(again) == 9
    assert len(list(unfinished(path).glob("episode-*"))) == 3
    again.extend(given[9:15])
    with again:
        again.extend(given[15:])
    for a, b in zip(given, tc.data.open(path), strict=True):
        assert_same(a, b)
    with tc.data.Writer(path, IMAGES, name) as more:
        assert len(more) == 21
        more.extend(given[:3])
    assert [episode.index for episode in tc.data.open(path)] == list(range(24))
    assert tc.data.check(path) == []


def test_a_group_with_a_broken_episode_names_it_and_is_not_kept(tmp_path):
    given = images(3)
    given[2] = replace(given[2], observation={"pixels": given[2].observation["pixels"][:, :, 1:]})
    writer = tc.data.Writer(tmp_path / "data", IMAGES)
    with pytest.raises(SpecError, match=r"data, episode 2, field 'pixels': expected shape \(1, 1, 6, 5\)"):
        writer.extend(given)
    assert len(writer) == 0


def test_no_observation_and_wrong_actions_are_refused():
    episode = images(1)[0]
    for changed, message in [
        (replace(episode, observation={"pixels": np.zeros((0, 1, 6, 5), np.uint8)}), r"got \(0, 1, 6, 5\)"),
        (replace(episode, action=np.zeros((0, 2), np.float32)), r"field 'action': expected shape \(0, 0\)"),
        (replace(episode, action=np.zeros((1, 0), np.float32)), r"expected shape \(2, 1, 6, 5\)"),
    ]:
        with pytest.raises(SpecError, match=message):
            tc.data.from_episodes([changed], IMAGES)
    acted = replace(IMAGES, action=tc.Box((0.0,), (1.0,)))
    with pytest.raises(SpecError, match="field 'action': the episode is empty"):
        tc.data.from_episodes([replace(episode, action=np.zeros((0, 1), np.float32))], acted)


def test_the_cache_of_images_holds_no_actions(tmp_path: Path):
    tc.data.save(tc.data.from_episodes(images(5), IMAGES), tmp_path / "data")
    episodes = tc.data.open(tmp_path / "data")
    episodes[:2].clips(1)
    (index,) = cache.home(tmp_path / "data", None).glob("*/index.npz")
    assert np.load(index)["episodes"].tolist() == [0, 1]
    clip = episodes.clips(1).batch(0, 0, 50)
    assert np.load(index)["episodes"].tolist() == [0, 1, 2, 3, 4]
    assert set(clip.episode.tolist()) == {0, 1, 2, 3, 4}
