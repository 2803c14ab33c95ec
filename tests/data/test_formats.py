import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import tacit as tc
from data.recordings import SPEC, assert_same, recording, recordings
from tacit.data.cache import home
from tacit.data.formats import LeRobot
from tacit.data.formats._images import decode_image, encode_png
from tacit.errors import ConfigError, DataError, MissingExtra, SpecError
from tacit.types import Modality

VIDEO = replace(SPEC, modalities={**SPEC.modalities, "front": Modality("pixels", (3, 140, 160))})


def smooth(length: int, shape: tuple[int, int, int]) -> np.ndarray:
    """Frames that a video codec keeps well and that get brighter by two levels a step."""
    _, height, width = shape
    ramp = np.linspace(0, 120, width)[None, :] + np.linspace(0, 40, height)[:, None]
    return (ramp + 2.0 * np.arange(length)[:, None, None, None] + np.zeros((length, *shape))).astype(np.uint8)


def filmed(count: int):
    """Recordings with a camera that is too large to be stored losslessly by default."""
    episodes = []
    for seed in range(count):
        episode = recording(seed, 6 + seed % 5)
        front = smooth(len(episode), (3, 140, 160))
        episodes.append(replace(episode, observation={**episode.observation, "front": front}))
    return episodes


@pytest.mark.parametrize("name", tc.data.formats.names())
def test_every_format_gives_back_what_it_was_given(tmp_path, name):
    episodes = tc.data.from_episodes(recordings(7), SPEC)
    tc.data.save(episodes, tmp_path / "data", name)
    back = tc.data.open(tmp_path / "data")
    assert back.spec == SPEC
    assert back.labels == episodes.labels
    assert back.hash() == episodes.hash()
    assert tc.data.check(tmp_path / "data") == []
    for a, b in zip(episodes, back, strict=True):
        assert_same(a, b)
    train = back.split(0.5, seed=1)[0]
    ours, theirs = train.clips(3, 2).batch(0, 0, 8), episodes.split(0.5, seed=1)[0].clips(3, 2).batch(0, 0, 8)
    for field in SPEC.modalities:
        np.testing.assert_array_equal(ours.observation[field], theirs.observation[field])
    np.testing.assert_array_equal(ours.action, theirs.action)


@settings(max_examples=12, deadline=None)
@given(
    lengths=st.lists(st.integers(2, 12), min_size=1, max_size=5),
    size=st.tuples(st.sampled_from([1, 3]), st.integers(1, 9), st.integers(1, 9)),
    rate=st.sampled_from([4.0, 10.0, 33.3]),
    fps=st.sampled_from([10.0, 29.97]),
    name=st.sampled_from(tc.data.formats.names()),
)
def test_round_trip_of_any_shape(tmp_path_factory, lengths, size, rate, fps, name):
    modalities = {
        "pixels": Modality("pixels", size),
        "s": Modality("vector", (1,)),
        "sound": Modality("series", (2,), rate),
    }
    spec = tc.Spec(modalities, SPEC.action, fps)
    episodes = [recording(seed, length, spec) for seed, length in enumerate(lengths)]
    path = tmp_path_factory.mktemp("data") / "set"
    tc.data.save(tc.data.from_episodes(episodes, spec), path, name)
    for a, b in zip(episodes, tc.data.open(path), strict=True):
        assert_same(a, b)


def test_video_over_several_files_and_chunks(tmp_path):
    episodes = filmed(7)
    layout = LeRobot(files_per_chunk=2, data_mb=0.02, video_mb=0.008)
    tc.data.save(tc.data.from_episodes(episodes, VIDEO), tmp_path / "data", layout)
    assert len(list(tmp_path.glob("data/videos/observation.images.front/chunk-*"))) >= 2
    assert len(list(tmp_path.glob("data/data/chunk-*"))) >= 2
    back = tc.data.open(tmp_path / "data")
    for a, b in zip(episodes, back, strict=True):
        assert_same(a, b, skip=("front",))
        gap = np.abs(a.observation["front"].astype(int) - b.observation["front"])
        assert gap.mean() < 1.0  # the next frame is 2 levels away
        assert gap.max() <= 8
    assert tc.data.check(tmp_path / "data") == []
    assert back.hash() != tc.data.from_episodes(episodes, VIDEO).hash()


@pytest.mark.parametrize("shape", [(3, 21, 33), (1, 20, 34)])
def test_video_of_odd_size_and_of_one_channel(tmp_path, shape):
    spec = replace(SPEC, modalities={"view": Modality("pixels", shape)})
    episode = replace(recording(1), observation={"view": smooth(9, shape)})
    tc.data.save(tc.data.from_episodes([episode], spec), tmp_path / "data", LeRobot(lossless=False, crf=10))
    gap = np.abs(tc.data.open(tmp_path / "data")[0].observation["view"].astype(int) - episode.observation["view"])
    assert gap.mean() < 1.0


def test_large_images_can_be_lossless(tmp_path):
    tc.data.save(tc.data.from_episodes(filmed(2), VIDEO), tmp_path / "data", LeRobot(lossless=True))
    for a, b in zip(filmed(2), tc.data.open(tmp_path / "data"), strict=True):
        assert_same(a, b)


@pytest.fixture
def foreign(tmp_path: Path) -> Path:
    """The video dataset without anything that only Tacit writes."""
    path = tmp_path / "foreign"
    tc.data.save(tc.data.from_episodes(filmed(5), VIDEO), path)
    (path / "meta/tacit.json").unlink()
    for file in path.glob("meta/episodes/*/*.parquet"):
        table = pq.read_table(file)
        pq.write_table(table.drop_columns([name for name in table.column_names if name.startswith("tacit/")]), file)
    return path


def test_a_dataset_of_lerobot_alone_opens(foreign):
    episodes = tc.data.open(foreign)
    kinds = {name: modality.kind for name, modality in episodes.spec.modalities.items()}
    assert kinds == {"front": "pixels", "pixels": "pixels", "state": "vector", "audio": "vector"}
    assert episodes.labels == ("label.position", "label.solved")
    actions = np.concatenate([recording(seed, 6 + seed % 5).action for seed in range(5)])
    assert (np.array(episodes.spec.action.low) <= actions.min(0)).all()
    for seed, episode in enumerate(episodes):
        whole = recording(seed, 6 + seed % 5)
        np.testing.assert_array_equal(episode.observation["state"], whole.observation["state"])
        np.testing.assert_array_equal(episode.observation["pixels"], whole.observation["pixels"])
        np.testing.assert_array_equal(episode.action, whole.action)
        assert episode.final_action.shape == (2,)
        assert episode.task == whole.task
    assert episodes.hash() != episodes[:4].hash()
    assert tc.data.check(foreign) == []
    with pytest.raises(DataError, match="can be read but not added to"):
        tc.data.Writer(foreign, episodes.spec)


def test_older_lerobot_layouts_are_named(foreign):
    info = json.loads((foreign / "meta/info.json").read_text())
    (foreign / "meta/info.json").write_text(json.dumps(info | {"codebase_version": "v1.6"}))
    with pytest.raises(DataError, match=r"expected v2.0, v2.1 or v3.x; got v1.6. .*lerobot"):
        tc.data.open(foreign)


@settings(max_examples=20, deadline=None)
@given(channels=st.sampled_from([1, 3]), height=st.integers(1, 40), width=st.integers(1, 40), seed=st.integers(0, 99))
def test_png_is_lossless(channels, height, width, seed):
    frames = np.random.default_rng(seed).integers(0, 256, (3, channels, height, width), dtype=np.uint8)
    for frame, data in zip(frames, encode_png(frames), strict=True):
        np.testing.assert_array_equal(decode_image(data, frame.shape), frame)


def test_images_of_another_size_or_kind_are_refused():
    data = encode_png(np.zeros((1, 3, 200, 200), np.uint8))[0]
    with pytest.raises(ValueError, match="64 x 64; it cannot be decoded"):
        decode_image(data, (3, 64, 64))
    with pytest.raises(ValueError, match="neither"):
        decode_image(b"GIF89a", (3, 64, 64))
    with pytest.raises(ValueError, match="200 x 200"):
        decode_image(data[:60], (3, 200, 200))


def test_formats_refuse_what_they_cannot_hold(tmp_path):
    spec = replace(SPEC, modalities={"stack": Modality("pixels", (4, 8, 8))})
    episodes = tc.data.from_episodes([recording(1, spec=spec)], spec)
    with pytest.raises(SpecError, match=r"1 or 3 channels.*format='hdf5'"):
        tc.data.save(episodes, tmp_path / "data")
    tc.data.save(episodes, tmp_path / "data", "hdf5")
    with pytest.raises(ConfigError, match="Did you mean 'lerobot'"):
        tc.data.save(episodes, tmp_path / "other", "lerobots")
    with pytest.raises(ConfigError, match="crf in 0 to 51"):
        LeRobot(crf=52)
    with pytest.raises(ConfigError, match="'gzip'"):
        tc.data.formats.Hdf5("zip")


def test_hdf5_without_h5py_names_the_extra(tmp_path, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "h5py", None)
    with pytest.raises(MissingExtra, match=r"h5py.*Install it with: .*hdf5"):
        tc.data.save(tc.data.from_episodes(recordings(1), SPEC), tmp_path / "data.h5", "hdf5")


def test_opening_what_is_not_there_teaches(tmp_path):
    (tmp_path / "two_rooms").mkdir()
    with pytest.raises(DataError, match="Did you mean 'two_rooms'"):
        tc.data.open(tmp_path / "two_room")
    with pytest.raises(DataError, match="none of the formats"):
        tc.data.open(tmp_path / "two_rooms")


def test_info_and_convert(tmp_path):
    tc.data.save(tc.data.from_episodes(recordings(3), SPEC), tmp_path / "a")
    tc.data.convert(tmp_path / "a", tmp_path / "b.h5", "hdf5")
    tc.data.convert(tmp_path / "b.h5", tmp_path / "c", "lerobot")
    a, b, c = (tc.data.info(tmp_path / name) for name in ("a", "b.h5", "c"))
    assert (a.format, b.format, a.episodes, a.observations, a.shortest, a.longest) == ("lerobot", "hdf5", 3, 21, 6, 8)
    assert a.hash == b.hash == c.hash
    assert a.seconds == 2.1
    assert a.bytes == sum(file.stat().st_size for file in (tmp_path / "a").rglob("*") if file.is_file())


def test_info_is_said_line_by_line():
    modalities = {"pixels": Modality("pixels", (3, 8, 9)), "ecg": Modality("series", (2,), rate=12.5)}
    info = tc.data.Info(
        path="data",
        format="lerobot",
        episodes=2,
        observations=3000,
        shortest=1000,
        longest=2000,
        seconds=300.0,
        bytes=1_250_000,
        spec=tc.Spec(modalities, tc.Box((-1, -2), (1, 1)), fps=10.0),
        labels={"class": ("int64", ()), "map": ("float32", (4, 5))},
        hash="abc",
    )
    lines = [
        "data",
        "  format        lerobot, 1.2 MB",
        "  episodes      2, of 1000 to 2000 observations",
        "  observations  3000, 5.0 min at 10 a second",
        "  pixels        pixels, 3 x 8 x 9",
        "  ecg           series, 2 at 12.5 samples a second",
        "  action        2 numbers from (-1, -2) to 1",
        "  labels        class (int64), map (float32, 4 x 5)",
        "  hash          abc",
    ]
    assert str(info).splitlines() == lines
    images = replace(info, spec=tc.Spec(modalities), shortest=1, longest=1, labels={}, bytes=999)
    for line in (
        "  format        lerobot, 999 bytes",
        "  episodes      2, of 1 observation",
        "  observations  3000",  # images have no rate
        "  action        none",
        "  labels        none",
    ):
        assert line in str(images).splitlines()
    assert "one of 4" in str(replace(info, spec=tc.Spec(modalities, tc.Discrete(4))))


def test_the_cache_follows_the_dataset(tmp_path):
    path = tmp_path / "data"
    tc.data.save(tc.data.from_episodes(recordings(4), SPEC), path)
    first = tc.data.open(path)[:2].clips(2).batch(0, 0, 4)
    (index,) = home(path, None).glob("*/index.npz")
    assert np.load(index)["episodes"].tolist() == [0, 1]
    tc.data.open(path).clips(2)
    assert np.load(index)["episodes"].tolist() == [0, 1, 2, 3]
    with (index.parent / "pixels.raw").open("r+b") as file:
        file.truncate(100)
    with pytest.warns(UserWarning, match="4 decoded episodes in the cache .* are decoded again"):
        again = tc.data.open(path)[:2].clips(2).batch(0, 0, 4)
    np.testing.assert_array_equal(first.observation["pixels"], again.observation["pixels"])
    index.write_text("[0, 1")
    tc.data.open(path)[:2].clips(2)
    assert np.load(index)["episodes"].tolist() == [0, 1]
    tc.data.save(tc.data.from_episodes(recordings(9)[5:], SPEC), tmp_path / "other")
    shutil.copytree(tmp_path / "other", path, dirs_exist_ok=True)
    other = tc.data.open(path)[:2].clips(2).batch(0, 0, 4)
    assert not np.array_equal(first.observation["pixels"], other.observation["pixels"])
