"""The cache of decoded episodes, filled by several at once and through a loss of power."""

import json
import os
import time
from concurrent.futures import ThreadPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import pytest

import tacit as tc
from data.recordings import SPEC, recordings
from tacit._files import locked
from tacit.data import cache


@pytest.fixture
def dataset(tmp_path: Path) -> Path:
    tc.data.save(tc.data.from_episodes(recordings(8), SPEC), tmp_path / "data")
    return tmp_path / "data"


def index(dataset: Path) -> list[int]:
    (file,) = dataset.glob(".cache/*/index.json")
    return json.loads(file.read_text())


def test_what_the_index_names_is_on_the_disk_before_it(dataset: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    synced: set[int] = set()
    before: list[set[int]] = []
    fsync, write = os.fsync, cache.write_atomically

    def watched(handle: int) -> None:
        synced.add(os.fstat(handle).st_ino)
        fsync(handle)

    def noted(path: Path, text: str) -> None:
        before.append({file.stat().st_ino for file in path.parent.glob("*.raw")} - synced)
        write(path, text)

    monkeypatch.setattr(os, "fsync", watched)
    monkeypatch.setattr(cache, "write_atomically", noted)
    tc.data.open(dataset).clips(2)
    assert before == [set()]


def test_one_fills_at_a_time_and_nothing_is_lost(dataset: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    inside: list[int] = []
    filled: list[int] = []
    fill = cache._fill

    def slow(storage, folder, modalities, counts, indices) -> None:
        inside.append(1)
        assert len(inside) == 1, "two fill one cache at once"
        time.sleep(0.05)
        fill(storage, folder, modalities, counts, indices)
        filled.extend(indices)
        inside.pop()

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
    with locked(dataset / ".cache" / "lock"):
        other.start()
        while other.is_alive() and not (dataset.parent / "ready").exists():
            time.sleep(0.01)
        other.join(0.5)
        assert other.is_alive() and not list(dataset.glob(".cache/*/index.json"))
    other.join(60)
    assert other.exitcode == 0 and index(dataset) == list(range(8))
