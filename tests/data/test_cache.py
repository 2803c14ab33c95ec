"""The cache of decoded episodes, filled by several at once and through a loss of power."""

import os
import shutil
import time
import tracemalloc
import warnings
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from types import SimpleNamespace

import av
import numpy as np
import pytest

import tacit as tc
from data.recordings import SPEC, recordings
from tacit._files import locked
from tacit.data import cache, statistics
from tacit.data._blocks import Index
from tacit.errors import DataError


@pytest.fixture
def dataset(tmp_path: Path) -> Path:
    tc.data.save(tc.data.from_episodes(recordings(8), SPEC), tmp_path / "data")
    return tmp_path / "data"


def index(dataset: Path) -> list[int]:
    (file,) = cache.home(dataset, None).glob("*/index.npz")
    return np.load(file)["episodes"].tolist()


def test_what_the_index_names_is_on_the_disk_before_it(dataset: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    synced: set[int] = set()
    before: list[set[int]] = []
    fsync, save = os.fsync, Index.save

    def watched(handle: int) -> None:
        synced.add(os.fstat(handle).st_ino)
        fsync(handle)

    def noted(index: Index, folder: Path) -> None:
        before.append({file.stat().st_ino for file in folder.glob("*.raw")} - synced)
        save(index, folder)

    monkeypatch.setattr(os, "fsync", watched)
    monkeypatch.setattr(Index, "save", noted)
    tc.data.open(dataset).clips(2)
    assert before == [set()]


def test_one_fills_at_a_time_and_nothing_is_lost(dataset: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    inside: list[int] = []
    filled: list[int] = []
    fill = cache._fill

    def slow(storage, folder, plan, missing) -> Index:
        inside.append(1)
        assert len(inside) == 1, "two fill one cache at once"
        time.sleep(0.05)
        found = fill(storage, folder, plan, missing)
        filled.extend(missing.tolist())
        inside.pop()
        return found

    monkeypatch.setattr(cache, "_fill", slow)
    parts = [[0, 1, 2], [2, 3, 4], [4, 5, 6], [6, 7, 0]]
    with ThreadPoolExecutor(4) as pool:
        batches = list(
            pool.map(lambda part: tc.data.open(dataset).select(part).clips(2).batch(0, 0, 9).observation, parts)
        )
    assert sorted(filled) == list(range(8)) == index(dataset), "each episode decoded once"
    for part, batch in zip(parts, batches, strict=True):
        right = tc.data.from_episodes(recordings(8), SPEC).select(part).clips(2).batch(0, 0, 9).observation
        assert all(np.array_equal(batch[name], right[name]) for name in right)


def open_clips(dataset: Path) -> None:
    episodes = tc.data.open(dataset)
    assert tc.data.Clips
    (dataset.parent / "ready").touch()
    episodes.clips(2)


def test_another_process_waits(dataset: Path) -> None:
    other = get_context("spawn").Process(target=open_clips, args=(dataset,))
    with locked(cache.home(dataset, None) / "lock"):
        other.start()
        while other.is_alive() and not (dataset.parent / "ready").exists():
            time.sleep(0.01)
        other.join(0.5)
        assert other.is_alive() and not list(cache.home(dataset, None).glob("*/index.npz"))
    other.join(60)
    assert other.exitcode == 0 and index(dataset) == list(range(8))


def raw_files(dataset: Path) -> dict[str, Path]:
    return {file.stem: file for file in cache.home(dataset, None).glob("*/*.raw")}


def overwrite(file: Path, where: int, *, keep_time: bool) -> None:
    """Change a byte; with ``keep_time`` so that size and time say nothing of it."""
    before = file.stat()
    data = bytearray(file.read_bytes())
    data[where] ^= 255
    with file.open("r+b") as opened:
        opened.write(data)
    if keep_time:
        os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))


@pytest.mark.parametrize("name", ["pixels", "state", "audio", "action"])
def test_overwritten_bytes_are_decoded_again_when_the_cache_is_opened(dataset: Path, name: str) -> None:
    before = tc.data.open(dataset).clips(2).batch(0, 0, 64)
    overwrite(raw_files(dataset)[name], 0, keep_time=False)
    with pytest.warns(UserWarning, match="1 decoded episodes in the cache .* were changed .* decoded again"):
        clips = tc.data.open(dataset).clips(2)
    again = clips.batch(0, 0, 64)
    assert all(np.array_equal(before.observation[n], again.observation[n]) for n in before.observation)
    assert np.array_equal(before.action, again.action)
    assert tc.data.check(dataset) == []


def test_a_new_time_alone_is_no_damage(dataset: Path) -> None:
    tc.data.open(dataset).clips(2)
    for file in raw_files(dataset).values():
        os.utime(file)
    tc.data.open(dataset).clips(2).batch(0, 0, 64)


@pytest.mark.parametrize("name", ["pixels", "state", "audio", "action"])
def test_overwritten_bytes_are_refused_when_they_are_first_used(dataset: Path, name: str) -> None:
    tc.data.open(dataset).clips(2)
    file = raw_files(dataset)[name]
    overwrite(file, 0, keep_time=True)
    clips = tc.data.open(dataset).clips(2)
    whole = np.arange(1, 4)
    clips.cut(whole, np.full(3, 3))  # other episodes are sound
    with pytest.raises(DataError, match=rf"{file}, episode 0: .* delete the folder {file.parent}"):
        clips.cut(np.array([2, 0]), np.full(2, 3))


def test_check_names_the_damaged_block(dataset: Path) -> None:
    tc.data.open(dataset).clips(2)
    tc.data.open(dataset).clips(2, modalities=("state",))
    assert tc.data.check(dataset) == []
    (file,) = (f for f in cache.home(dataset, None).glob("*/state.raw") if not (f.parent / "pixels.raw").exists())
    overwrite(file, file.stat().st_size - 1, keep_time=True)
    (finding,) = tc.data.check(dataset)
    assert (finding.file, finding.episode, finding.field) == (str(file), 7, "state")
    assert f"Delete {file.parent}" in finding.problem


def test_any_change_of_the_index_is_no_use_of_wrong_data(dataset: Path) -> None:
    right = tc.data.open(dataset).clips(2).batch(0, 0, 64)
    (file,) = cache.home(dataset, None).glob("*/index.npz")
    sound, rng = file.read_bytes(), np.random.default_rng(0)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*are decoded again")
        for where in rng.integers(0, len(sound), 40):
            data = bytearray(file.read_bytes())
            data[where % len(data)] ^= 255
            file.write_bytes(bytes(data))
            again = tc.data.open(dataset).clips(2).batch(0, 0, 64)
            assert np.array_equal(right.observation["pixels"], again.observation["pixels"])


def test_a_moved_or_copied_dataset_has_a_cache_of_its_own(dataset: Path, tmp_path: Path) -> None:
    tc.data.open(dataset).clips(2)
    shutil.copytree(dataset, tmp_path / "elsewhere" / dataset.name)
    tc.data.open(tmp_path / "elsewhere" / dataset.name).clips(2)
    homes = [cache.home(place, None) for place in (dataset, tmp_path / "elsewhere" / dataset.name)]
    assert homes[0] != homes[1]
    assert [len(list(home.glob("*/index.npz"))) for home in homes] == [1, 1]
    assert [home.joinpath("dataset.txt").read_text().strip() for home in homes] == [
        str(dataset),
        str(tmp_path / "elsewhere" / dataset.name),
    ]


def test_what_does_not_fit_the_disk_is_refused_before_anything_is_decoded(
    dataset: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cache.shutil, "disk_usage", lambda _: SimpleNamespace(free=1000))
    monkeypatch.setattr(cache, "_fill", None)
    with pytest.raises(
        DataError, match=r"8 decoded episodes take 17.0 kB .* 1.0 kB are free there. Read fewer .*TACIT"
    ):
        tc.data.open(dataset).clips(2)


def test_an_episode_that_does_not_fit_the_memory_is_refused(
    dataset: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    video(tmp_path / "video.mkv")
    monkeypatch.setattr(cache, "available_memory", lambda: 100_000)
    tc.data.open(dataset).clips(2)  # images are decoded one at a time, and the rest is small
    with pytest.raises(
        DataError, match=r"video.mkv takes about 786.4 kB of memory, and 100.0 kB are .*size=64 makes 98.3 kB of all"
    ):
        tc.data.open(tmp_path / "video.mkv").clips(2)


def video(path: Path) -> None:
    with av.open(str(path), "w") as container:
        stream = container.add_stream("ffv1", rate=10)
        stream.height = stream.width = 128
        stream.pix_fmt = "yuv420p"
        for level in range(8):
            frame = av.VideoFrame.from_ndarray(np.full((128, 128, 3), level, np.uint8), format="rgb24")
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))


@pytest.mark.parametrize("form", ["lerobot", "hdf5"])
def test_images_are_never_all_in_memory(tmp_path: Path, form: str) -> None:
    spec = tc.Spec({"front": tc.Modality("pixels", (3, 240, 320)), "state": tc.Modality("vector", (2,))})
    frames = np.zeros((200, 3, 240, 320), np.uint8)  # 46 MB
    frames += np.arange(200, dtype=np.uint8)[:, None, None, None]
    episode = tc.Episode({"front": frames, "state": np.zeros((200, 2), np.float32)}, np.zeros((199, 0), np.float32))
    tc.data.save(tc.data.from_episodes([episode], spec), tmp_path / "data", form)
    episodes = tc.data.open(tmp_path / "data")
    tracemalloc.start()
    episodes.clips(2)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 30e6


@pytest.mark.parametrize("form", ["lerobot", "hdf5"])
def test_statistics_of_large_episodes_are_those_of_small_ones(
    dataset: Path, tmp_path: Path, form: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    tc.data.convert(dataset, tmp_path / "other", form)
    episodes = tc.data.open(tmp_path / "other")
    whole = episodes.statistics()
    monkeypatch.setattr(statistics, "LARGE", 1000)
    monkeypatch.setattr(statistics, "ROWS", 300)
    monkeypatch.setattr(type(episodes._storage), "read", only_without_pixels(type(episodes._storage).read))
    parts = episodes.statistics()
    for name in (*SPEC.modalities, "action"):
        np.testing.assert_allclose(parts.mean[name], whole.mean[name], rtol=1e-12)
        np.testing.assert_allclose(parts.std[name], whole.std[name], rtol=1e-12)


def only_without_pixels(read: Callable[..., tc.Episode]) -> Callable[..., tc.Episode]:
    def reading(storage: object, index: int, names: Sequence[str]) -> tc.Episode:
        assert "pixels" not in names
        return read(storage, index, names)

    return reading
