"""The store on disk: what it acknowledges stays, and what it cannot hold or read it refuses."""

import json
import os
import signal
import subprocess
import sys
import threading
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import tacit as tc
from memory.stored import BLOCK, BLOCKS, SIZE, drawn, made, naive
from tacit._files import add_checksum
from tacit.errors import CheckpointError, ConfigError, DataError, SpecError
from tacit.memory._records import HEADER
from tacit.memory._tail import Tail


def equal(left, right):
    return all(np.array_equal(vars(left)[name], vars(right)[name], equal_nan=True) for name in vars(left))


def part_of(entries, rows):
    return type(entries)(**{name: value[rows] for name, value in vars(entries).items()})


@pytest.fixture
def store(tmp_path):
    with made(tmp_path / "memory", model="abc") as found:
        yield found


def test_entries_come_back_as_they_were_appended(store):
    given = drawn(
        200,
        outcomes=np.arange(200),
        surprises=np.where(np.arange(200) % 3, 0.5, np.nan),
        times=1.7e9 + np.arange(200) / 7,
        episodes=np.arange(200) // 10,
        steps=np.arange(200) % 10,
        sources=store.source("data/rooms"),
    )
    numbers = np.concatenate([store.append(part_of(given, slice(0, 1))), store.append(part_of(given, slice(1, 200)))])
    assert numbers.tolist() == list(range(200)) == store.numbers().tolist()
    assert equal(store.entries(), given)
    assert equal(store.entries(np.array([150, 3, 3])), part_of(given, [150, 3, 3]))
    store.close()
    again = tc.memory.DiskStore.open(store.path, model="abc")
    assert equal(again.entries(), given)
    assert again.sources == ("data/rooms",)
    assert (again.latent_size, again.block_shape, again.model) == (SIZE, (BLOCKS, BLOCK), "abc")
    assert isinstance(again, tc.types.Store)
    assert isinstance(again.newest, tc.types.Store)


@pytest.mark.parametrize("sizes", [(1, 1, 1), (8, 1, 1), (7, 3, 5), (192, 4, 10)])
def test_records_of_any_size_are_whole(tmp_path, sizes):
    size, blocks, block = sizes
    draw = np.random.default_rng(0)
    given = tc.memory.entries(draw.standard_normal((90, size)), draw.standard_normal((90, blocks, block)))
    with made(tmp_path / "memory", latent_size=size, blocks=blocks, block_size=block) as store:
        store.append(given)
    again = tc.memory.DiskStore.open(tmp_path / "memory", write=True)
    assert equal(again.entries(), given)
    again.consolidate(again.size * 3 // 4)
    again.check()
    again.close()


def test_readers_see_what_is_appended_and_each_snapshot_stays(store):
    store.append(drawn(50))
    reader = tc.memory.DiskStore.open(store.path)
    first = reader.snapshot
    views = {store.snapshot: 50}
    for more in (1, 13, 64, 100):
        store.append(drawn(more, seed=more))
        views[store.snapshot] = len(store)
    assert first == min(views, key=views.__getitem__)
    assert len(reader) == 50
    reader.refresh()
    assert len(reader) == 228
    late = tc.memory.DiskStore.open(store.path)
    for one in (store, reader, late):
        for snapshot, count in views.items():
            view = one.at(snapshot)
            assert view.numbers().tolist() == list(range(count))
            assert view.snapshot == view.at(snapshot).snapshot == snapshot
            assert len(view.at(store.snapshot)) == 228
    store.append(drawn(5))
    assert len(reader.at(store.snapshot)) == 233  # a reader looks again for a snapshot that it does not know


def test_a_snapshot_gives_the_same_neighbors_after_the_store_grew(store):
    store.append(drawn(90))
    queries = drawn(8, seed=9).latents
    snapshot, before = store.snapshot, store.nearest(queries, 5)
    store.append(tc.memory.entries(np.repeat(queries, 3, axis=0), np.zeros((24, BLOCKS, BLOCK))))
    after = store.at(snapshot).nearest(queries, 5)
    assert (before.numbers == after.numbers).all()
    assert (before.distances == after.distances).all()
    assert (store.nearest(queries, 3).distances == 0).all()


def test_one_writer_at_a_time(store):
    with pytest.raises(ConfigError, match="another writer"):
        tc.memory.DiskStore.open(store.path, write=True)
    reader = tc.memory.DiskStore.open(store.path)
    for change in (lambda: reader.append(drawn(1)), lambda: reader.source("x"), reader.flush, reader.index):
        with pytest.raises(ConfigError, match="write=True"):
            change()
    store.close()
    store.close()
    with pytest.raises(ConfigError, match="write=True"):
        store.append(drawn(1))
    tc.memory.DiskStore.open(store.path, write=True).close()


def test_the_wrong_model_or_folder_is_refused(store, tmp_path):
    with pytest.raises(CheckpointError, match="model abc; this one is abd"):
        tc.memory.DiskStore.open(store.path, model="abd")
    with pytest.raises(DataError, match="no memory store"):
        tc.memory.DiskStore.open(tmp_path)
    with pytest.raises(ConfigError, match="empty folder"):
        made(store.path)
    other = made(tmp_path / "other")
    with pytest.raises(ConfigError, match="another store"):
        store.at(other.snapshot)
    with pytest.raises(ConfigError, match="id of a snapshot"):
        store.at("newest")
    name = next(file.name for file in store.path.glob("*.segment"))
    other.close()
    (other.path / name).write_bytes((store.path / name).read_bytes())
    with pytest.raises(DataError, match="another store or model"):
        tc.memory.DiskStore.open(other.path)


@pytest.mark.parametrize("sizes", [{"latent_size": 0}, {"blocks": 2**21}, {"segment_entries": 0}, {"model": "x" * 200}])
def test_sizes_out_of_range_are_refused(tmp_path, sizes):
    with pytest.raises(ConfigError):
        made(tmp_path / "memory", **sizes)


def test_entries_that_do_not_fit_are_refused(store):
    good = drawn(4)
    for bad, message in (
        (tc.memory.entries(np.zeros((4, SIZE + 1)), good.blocks), r"latents \[4, 6\]; got \[4, 7\]"),
        (tc.memory.entries(good.latents, good.blocks[:, :1]), r"blocks \[4, 2, 3\]"),
        (replace(good, latents=np.where(np.arange(4)[:, None] == 2, np.nan, good.latents)), "entry 2"),
        (replace(good, blocks=good.blocks + np.inf), "finite blocks"),
        (replace(good, latents=good.latents + np.float32(1e16)), "values up to"),
        (replace(good, times=np.full(4, np.nan)), "finite times"),
        (replace(good, steps=good.steps[:3]), r"steps \[4\]"),
        (replace(good, sources=np.full(4, 0, np.int32)), "store.source"),
    ):
        with pytest.raises(SpecError, match=message):
            store.append(bad)
    with pytest.raises(SpecError, match="one value or"):
        tc.memory.entries(good.latents, good.blocks, steps=[1, 2])
    assert len(store) == 0
    assert store.append(part_of(good, slice(0, 0))).shape == (0,)


@pytest.mark.parametrize("queries", [np.zeros(SIZE), np.zeros((1, SIZE - 1)), np.full((1, SIZE), np.nan)])
def test_queries_that_do_not_fit_are_refused(store, queries):
    store.append(drawn(3))
    with pytest.raises(SpecError, match="nearest needs"):
        store.nearest(queries, 1)
    with pytest.raises(DataError, match="no entry 3"):
        store.entries(np.array([0, 3]))
    with pytest.raises(DataError, match="no entry -1"):
        store.entries(np.array([-1]))


def changed(path: Path, offset: int, content: bytes) -> None:
    with path.open("r+b") as file:
        file.seek(offset)
        file.write(content)


def cut(path: Path, size: int) -> None:
    os.truncate(path, path.stat().st_size - size)


@pytest.mark.parametrize("lost", [1, 40, 120])
def test_a_torn_end_is_dropped_and_counted(store, lost):
    store.append(drawn(100))
    store.close()
    tail = max(store.path.glob("*.segment"))
    cut(tail, lost)
    record = (tail.stat().st_size + lost - HEADER) // 36
    count = -(-lost // record)
    assert len(tc.memory.DiskStore.open(store.path)) == 100 - count  # a reader takes what is whole
    with pytest.warns(UserWarning, match="the last 1 of"):
        again = tc.memory.DiskStore.open(store.path, write=True)
    assert again.append(drawn(1)).tolist() == [100 - count]
    again.check()
    again.close()
    tc.memory.DiskStore.open(store.path, write=True).close()


def test_damage_before_a_later_flush_is_no_torn_end(store):
    store.append(drawn(10))
    store.append(drawn(10))
    store.close()
    tail = max(store.path.glob("*.segment"))
    size = (tail.stat().st_size - HEADER) // 20
    whole = tail.read_bytes()
    changed(tail, HEADER + 15 * size + 60, b"\xff")
    with pytest.warns(UserWarning, match="last 5 of 20"):
        tc.memory.DiskStore.open(store.path, write=True).close()
    tail.write_bytes(whole)
    changed(tail, HEADER + 5 * size + 60, b"\xff")
    with pytest.raises(DataError, match="entry 5 of the store is damaged"):
        tc.memory.DiskStore.open(store.path, write=True)


def test_damage_of_whole_segments_is_found(store):
    store.append(drawn(150))
    store.close()
    first = min(store.path.glob("*.segment"))
    size = (first.stat().st_size - HEADER) // 64
    whole = first.read_bytes()
    changed(first, HEADER + 9 * size + 70, b"\xff")
    reader = tc.memory.DiskStore.open(store.path)
    reader.entries(np.array([8, 10]))
    for read in (reader.check, reader.entries, lambda: reader.entries(np.array([9]))):
        with pytest.raises(DataError, match="entry 9 of the store is damaged"):
            read()
    first.write_bytes(whole[:-1])
    with pytest.raises(DataError, match="holds 63 whole entries; the manifest of the store says 64"):
        tc.memory.DiskStore.open(store.path)
    first.write_bytes(b"X" + whole[1:])
    with pytest.raises(DataError, match="no segment"):
        tc.memory.DiskStore.open(store.path)
    first.write_bytes(whole[:20] + b"X" + whole[21:])
    with pytest.raises(DataError, match=r"header of .* is damaged"):
        tc.memory.DiskStore.open(store.path)
    first.unlink()
    with pytest.raises(DataError, match="not a readable segment"):
        tc.memory.DiskStore.open(store.path)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda values: values["header"].update(version=2), "has the format 2"),
        (lambda values: values["header"].update(latent_size=2**40), "sizes of at least 1"),
        (lambda values: values["segments"][0].update(count=10**15), "do not fit together"),
        (lambda values: values["segments"][0].update(file="../x"), "do not fit together"),
        (lambda values: values["segments"].reverse(), "do not fit together"),
        (lambda values: values.update(tail_first=3), "do not fit together"),
        (lambda values: values.update(segment_entries=2**60), "do not fit together"),
        (lambda values: values.update(more=3), "more"),
    ],
)
def test_a_manifest_that_does_not_fit_is_refused(store, change, message):
    store.append(drawn(150))
    store.close()
    manifest = store.path / "manifest.json"
    values = json.loads(manifest.read_text())["content"]
    change(values)
    manifest.write_text(add_checksum(values))
    with pytest.raises(DataError, match=message):
        tc.memory.DiskStore.open(store.path)
    manifest.write_text(manifest.read_text().replace('"epoch": 0', '"epoch": 1'))
    with pytest.raises(DataError, match=r"damaged|format"):
        tc.memory.DiskStore.open(store.path)


@pytest.mark.parametrize("change", ["append", "consolidate"])
def test_a_change_that_is_interrupted_before_the_manifest_leaves_the_store_as_it_was(store, change, monkeypatch):
    store.append(drawn(190))
    there = {file.name for file in store.path.iterdir()}

    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr("tacit.memory._writer.write_manifest", interrupted)
    with pytest.raises(KeyboardInterrupt):
        store.append(drawn(9)) if change == "append" else store.consolidate(store.size // 2)
    assert {file.name for file in store.path.iterdir()} > there
    store._held.close()  # as if the process was killed
    (store.path / "notes.txt").write_text("kept")
    monkeypatch.undo()
    again = tc.memory.DiskStore.open(store.path, write=True)
    assert {file.name for file in again.path.iterdir()} == {*there, "notes.txt"}
    assert again.numbers().tolist() == list(range(192 if change == "append" else 190))
    assert equal(part_of(again.entries(), slice(0, 190)), drawn(190))
    again.append(drawn(9))
    again.check()
    again.close()


def test_a_full_disk_leaves_the_store_as_it_was(store, monkeypatch):
    store.append(drawn(10))
    write = os.write

    def full(file, content):
        if len(content) < 1000:
            raise OSError(28, "No space left on device")
        return write(file, content[:1000])

    monkeypatch.setattr(os, "write", full)
    with pytest.raises(DataError, match="Free the disk"):
        store.append(drawn(20, seed=1))
    monkeypatch.undo()
    assert store.numbers().tolist() == list(range(10))
    store.append(drawn(20, seed=2))
    store.check()
    assert equal(part_of(store.entries(), slice(10, 30)), drawn(20, seed=2))


def test_a_full_disk_at_the_end_of_a_segment_is_no_end(store, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("tacit.memory._writer.write_manifest", full)
    with pytest.raises(DataError, match="Free the disk"):
        store.append(drawn(70))
    assert store.numbers().tolist() == list(range(64))
    monkeypatch.undo()
    store.append(drawn(70))
    assert store.numbers().tolist() == list(range(134))
    store.check()


def test_a_disk_that_fails_ends_the_writing(store, monkeypatch):
    def fail(file):
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(DataError, match="disk failed"):
        store.append(drawn(1))
    monkeypatch.undo()
    with pytest.raises(DataError, match="not written any more"):
        store.append(drawn(1))


def test_entries_that_nobody_waits_for_share_a_flush(store, monkeypatch):
    flushes, clock = [], [0.0]
    fsync = os.fsync
    monkeypatch.setattr(os, "fsync", lambda file: (flushes.append(file), fsync(file)))
    monkeypatch.setattr("tacit.memory._tail.monotonic", lambda: clock[0])
    for _ in range(63):
        store.append(drawn(1), sync=False)
    assert flushes == []
    assert store.append(drawn(1), sync=False).tolist() == [63]  # the 64th
    assert len(flushes) == 1
    made(store.path.parent / "next").close()
    flushes.clear()
    with made(store.path.parent / "slow") as slow:
        flushes.clear()
        slow.append(drawn(1), sync=False)
        clock[0] += 0.004
        slow.append(drawn(1), sync=False)
        assert flushes == []
        clock[0] += 0.002
        slow.append(drawn(1), sync=False)
        assert len(flushes) == 1
        slow.append(drawn(1), sync=False)
        assert slow.snapshot  # names only what is on the disk
        assert len(flushes) == 2


def test_threads_share_flushes_and_lose_nothing(store, monkeypatch):
    flushes, fsync = [], os.fsync
    monkeypatch.setattr(os, "fsync", lambda file: (flushes.append(file), threading.Event().wait(0.03), fsync(file)))
    numbers: list[int] = []

    def append(seed):
        for index in range(5):
            numbers.extend(store.append(drawn(1, seed=100 * seed + index)).tolist())

    threads = [threading.Thread(target=append, args=(seed,)) for seed in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(numbers) == list(range(40)) == store.numbers().tolist()
    assert len(flushes) < 30
    wanted = np.concatenate([drawn(1, seed=100 * seed + index).latents for seed in range(8) for index in range(5)])
    assert sorted(map(tuple, store.entries().latents)) == sorted(map(tuple, wanted))


def test_a_reader_follows_a_writer_that_appends_and_forgets(store):
    reader, seen, stop = tc.memory.DiskStore.open(store.path), [], threading.Event()

    def follow():
        while not stop.is_set():
            reader.refresh()
            view = reader.newest
            numbers, blocks = view.numbers(), view.entries().blocks[:, 0, 0]
            seen.append(len(numbers) == len(blocks) and (blocks == numbers).all())

    thread = threading.Thread(target=follow)
    thread.start()
    for step in range(60):
        some = drawn(37, seed=step)
        some.blocks[:, 0, 0] = 37 * step + np.arange(37)
        store.append(some)
        if step % 7 == 6:
            store.consolidate(max(store.size // 2, 64 * 104 + HEADER))
    stop.set()
    thread.join()
    assert len(seen) > 5
    assert all(seen)


def test_append_returns_after_the_flush(store, monkeypatch):
    events = []
    fsync, put = os.fsync, Tail.put
    monkeypatch.setattr(os, "fsync", lambda file: (events.append("flush"), fsync(file)))
    monkeypatch.setattr(Tail, "put", lambda tail, records: (events.append("write"), put(tail, records)))
    store.append(drawn(3))
    events.append("return")
    assert events == ["write", "flush", "return"]


def test_a_kill_loses_nothing_acknowledged(tmp_path):
    made(tmp_path / "memory", segment_entries=50).close()
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    last = 0
    for kill in range(5):
        words = [sys.executable, "-W", "ignore", "-m", "memory.stored", str(tmp_path / "memory")]
        with subprocess.Popen(words, stdout=subprocess.PIPE, text=True, env=environment) as process:
            for _ in range(5 + 9 * kill):
                last = int(process.stdout.readline())
            process.send_signal(signal.SIGKILL)
            last = max([last, *map(int, process.stdout.read().split())])  # what it said before it was killed
        reader = tc.memory.DiskStore.open(tmp_path / "memory")
        assert len(reader) >= last > 0
        reader.check()
        assert reader.entries().blocks[:, 0, 0].tolist() == list(range(len(reader)))


def test_the_search_equals_a_naive_one_over_all_segments(store):
    store.append(drawn(300))
    queries = drawn(20, seed=5).latents
    found = store.nearest(queries, 7)
    numbers, distances = naive(store.entries().latents, store.numbers(), queries, 7)
    assert found.numbers.tolist() == numbers
    assert found.distances == pytest.approx(np.array(distances), rel=1e-12)
