"""Approximate indexes next to exact search of the newest entries."""

import sys

import numpy as np
import pytest

import tacit as tc
from memory.stored import BLOCK, BLOCKS, SIZE, drawn, made
from tacit.errors import ConfigError, MissingExtra


@pytest.fixture
def store(tmp_path, monkeypatch):
    monkeypatch.setattr("tacit.memory._view.INDEX_FROM", 100)
    with made(tmp_path / "memory", segment_entries=100) as found:
        found.append(drawn(1250))
        yield found


def files(store):
    return sorted(file.name for file in store.path.glob("*.usearch"))


def recall(store, queries, count=10):
    exact, found = store.nearest(queries, count, exact=True), store.nearest(queries, count)
    hits = [len({*a} & {*b}) for a, b in zip(exact.numbers.tolist(), found.numbers.tolist(), strict=True)]
    return np.mean(hits) / count


def test_most_neighbors_are_found_and_the_newest_exactly(store):
    queries = drawn(50, seed=1).latents
    assert recall(store, queries) == 1  # without an index
    store.index()
    assert files(store) == ["000000000000.1200.usearch"]
    assert recall(store, queries) >= 0.95
    found, exact = store.nearest(queries, 10), store.nearest(queries, 10, exact=True)
    assert (np.diff(found.distances, axis=1) >= 0).all()
    both = found.numbers == exact.numbers
    assert (found.distances[both] == exact.distances[both]).all()  # of the stored latents, not of the index
    new = drawn(20, seed=2)
    numbers = store.append(new)
    near = store.nearest(new.latents, 1)
    assert near.numbers[:, 0].tolist() == numbers.tolist()
    assert (near.distances == 0).all()


def test_an_index_is_used_only_in_large_stores_and_for_whole_latents(store, monkeypatch):
    store.index()
    used = []
    candidates = tc.memory._index.Index.candidates
    monkeypatch.setattr(tc.memory._index.Index, "candidates", lambda *args: used.append(1) or candidates(*args))
    queries = drawn(2, seed=1).latents
    store.nearest(queries, 3, exact=True)
    store.nearest(queries[:, :2], 3, part=slice(0, 2))
    monkeypatch.setattr("tacit.memory._view.INDEX_FROM", 1250)
    store.nearest(queries, 3)
    assert used == []
    monkeypatch.setattr("tacit.memory._view.INDEX_FROM", 1249)
    store.nearest(queries, 3)
    assert used == [1]


def test_indexes_are_joined_when_they_are_not_larger(store):
    store.index()
    store.append(drawn(300, seed=3))
    store.index()
    assert files(store) == ["000000000000.1200.usearch", "000000001200.1500.usearch"]
    store.index()
    assert len(files(store)) == 2
    store.append(drawn(400, seed=4))
    store.index()
    assert files(store) == ["000000000000.1200.usearch", "000000001200.1900.usearch"]
    assert recall(store, drawn(50, seed=1).latents) >= 0.95
    store.append(drawn(800, seed=5))
    store.index()
    assert files(store) == ["000000000000.2700.usearch"]
    assert recall(store, drawn(50, seed=1).latents) >= 0.95


def test_a_snapshot_keeps_its_index(store):
    queries = drawn(50, seed=1).latents
    store.index()
    snapshot, before = store.snapshot, store.nearest(queries, 10)
    store.append(drawn(500, seed=3))
    store.index()
    reader = tc.memory.DiskStore.open(store.path)
    for one in (store, reader):
        after = one.at(snapshot).nearest(queries, 10)
        assert (before.numbers == after.numbers).all()
        assert (before.distances == after.distances).all()


def test_a_reader_uses_an_index_that_another_process_made(store):
    reader = tc.memory.DiskStore.open(store.path)
    store.index(background=True)
    store.append(drawn(10, seed=7))
    store.close()  # waits
    reader.refresh()
    assert len(reader) == 1260
    assert recall(reader, drawn(20, seed=1).latents) >= 0.95
    assert reader.snapshot.endswith("-1200")


@pytest.mark.parametrize("damage", ["change", "cut", "remove"])
def test_a_damaged_index_is_not_read(store, damage):
    store.index()
    store.close()
    path = store.path / files(store)[0]
    content = path.read_bytes()
    path.write_bytes(content[:500] + b"XX" + content[502:] if damage == "change" else content[:-1])
    if damage == "remove":
        path.unlink()
    reader = tc.memory.DiskStore.open(store.path)
    queries = drawn(20, seed=1).latents
    with pytest.warns(UserWarning, match=r"searched exactly.*store.index\(\)"):
        found = reader.nearest(queries, 5)
    assert (found.numbers == reader.nearest(queries, 5, exact=True).numbers).all()


def test_without_usearch_the_error_names_the_extra(store, monkeypatch):
    monkeypatch.setitem(sys.modules, "usearch.index", None)
    with pytest.raises(MissingExtra, match="memory"):
        store.index()
    store.close()
    with pytest.raises(ConfigError, match="write=True"):
        store.index()


def test_forgetting_drops_indexes(store):
    store.index()
    store.consolidate(store.size // 3)
    assert files(store) == []
    assert recall(store, drawn(20, seed=1).latents) == 1
    store.index()
    assert recall(store, drawn(50, seed=1).latents) >= 0.95


def test_an_index_of_entries_that_were_forgotten_meanwhile_is_dropped(store, monkeypatch):
    build = tc.memory._writer.build

    def slow(*args):
        record = build(*args)
        store.consolidate(store.size // 2)
        return record

    monkeypatch.setattr("tacit.memory._writer.build", slow)
    store.index()
    assert files(store) == []
    assert recall(store, drawn(20, seed=1).latents) == 1
    store.close()
    tc.memory.DiskStore.open(store.path).check()


def test_the_index_of_queries_with_a_large_offset(tmp_path, monkeypatch):
    monkeypatch.setattr("tacit.memory._view.INDEX_FROM", 100)
    draw = np.random.default_rng(0)
    latents = 100 + draw.standard_normal((1000, SIZE))
    with made(tmp_path / "far", segment_entries=100) as store:
        store.append(tc.memory.entries(latents, np.zeros((1000, BLOCKS, BLOCK))))
        store.index()
        assert recall(store, (100 + draw.standard_normal((30, SIZE))).astype(np.float32)) >= 0.95
