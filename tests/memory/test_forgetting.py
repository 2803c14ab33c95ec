"""Forgetting under a budget: what stays, and what a snapshot of before says."""

import numpy as np
import pytest

import tacit as tc
from memory.stored import BLOCK, BLOCKS, SIZE, drawn, made
from tacit.errors import ConfigError, DataError
from tacit.memory._forgetting import merges
from tacit.memory._records import HEADER, Header

RECORD = Header("", "", SIZE, BLOCKS, BLOCK).dtype.itemsize


def budget(entries: int, segments: int) -> int:
    return entries * RECORD + segments * HEADER


@pytest.fixture
def store(tmp_path):
    with made(tmp_path / "memory") as found:
        yield found


def test_a_budget_holds_and_kept_entries_keep_their_provenance(store):
    given = drawn(1000, episodes=np.arange(1000) // 50, steps=np.arange(1000) % 50, times=np.arange(1000))
    store.append(given)
    assert store.consolidate(store.size) == 0
    assert store.snapshot.split("-")[1] == "0"
    size = budget(500, 10)
    forgotten = store.consolidate(size)
    assert store.size <= size
    assert store.size == sum(file.stat().st_size for file in store.path.glob("*.segment"))
    numbers = store.numbers()
    assert len(numbers) == 1000 - forgotten > 400
    assert (np.diff(numbers) > 0).all()
    old, new = ((low <= numbers) & (numbers < low + 300) for low in (0, 700))
    assert 0 < old.sum() < new.sum()  # sparser with age
    assert numbers[-100:].tolist() == list(range(900, 1000))
    left = store.entries()
    for name in vars(left):
        assert np.array_equal(vars(left)[name], vars(given)[name][numbers], equal_nan=True)
    with pytest.raises(DataError, match="may have been forgotten"):
        store.entries(np.setdiff1d(np.arange(1000), numbers)[:1])
    assert store.append(drawn(1)).tolist() == [1000]
    store.check()
    store.close()
    again = tc.memory.DiskStore.open(store.path, write=True)
    assert again.numbers().tolist() == [*numbers.tolist(), 1000]
    while len(again) > 80:
        again.consolidate(max(again.size * 3 // 4, budget(64, 1)))
    assert again.size <= budget(80, 3)
    again.close()


def test_snapshots_of_before_say_so_and_open_views_stay(store):
    store.append(drawn(300))
    reader = tc.memory.DiskStore.open(store.path)
    snapshot, view, other = store.snapshot, store.newest, reader.newest
    store.consolidate(budget(200, 5))
    for one in (store, reader):
        if one is reader:
            reader.refresh()
        with pytest.raises(DataError, match="forgotten"):
            one.at(snapshot)
    assert reader.numbers().tolist() == store.numbers().tolist()
    for one in (view, other):
        assert len(one.entries()) == 300
        assert one.nearest(drawn(300).latents[:3], 1).numbers[:, 0].tolist() == [0, 1, 2]


def test_rare_outcomes_and_surprises_are_kept(store):
    outcomes, surprises = np.zeros(640, np.float32), np.full(640, np.nan, np.float32)
    outcomes[[7, 100, 300]] = 5, -5, 3
    surprises[::2] = 0.1
    surprises[[12, 200]] = 9
    store.append(drawn(640, outcomes=outcomes, surprises=surprises))
    store.append(drawn(1))
    store.consolidate(budget(160, 6))
    assert {7, 100, 300, 12, 200} <= {*store.numbers().tolist()}


def test_centres_cover_the_latents_better_than_a_random_choice(store):
    """Most latents lie in one place, a few far from it; a random choice misses most of these."""
    draw = np.random.default_rng(0)
    latents = 0.01 * draw.standard_normal((2560, SIZE))
    latents[::64] = 10 * draw.standard_normal((40, SIZE))
    store.append(tc.memory.entries(latents, np.zeros((2560, BLOCKS, BLOCK))))
    store.consolidate(budget(1280, 20))
    left, numbers = store.entries().latents, store.numbers()
    assert {*range(0, 2560, 64)} <= {*numbers.tolist()}
    random = latents[np.sort(draw.permutation(2560)[: len(left)])]
    missed = [np.linalg.norm(random - one, axis=1).min() for one in latents[::64]]
    assert np.mean(np.array(missed) > 1) > 0.3


def test_a_budget_below_a_segment_is_refused(store):
    store.append(drawn(200))
    with pytest.raises(ConfigError, match=f"{budget(64, 1)}; got {budget(64, 1) - 1}"):
        store.consolidate(budget(64, 1) - 1)
    store.consolidate(budget(64, 1))
    assert store.size <= budget(64, 1)
    assert store.numbers()[-8:].tolist() == list(range(192, 200))


@pytest.mark.parametrize("most", [0, 1, 50, 100, 333, 660, 2000])
@pytest.mark.parametrize("counts", [[], [64], [64] * 10, [10, 64, 3, 64, 20]])
def test_merges_keep_the_order_and_the_limit(counts, most):
    found = merges(counts, [2 * count for count in counts], most, 64, header=2)
    assert sum(one.keep + 2 for one in found if one.keep) <= most
    assert [0, *(one.end for one in found)] == [*(one.start for one in found), len(counts)]
    assert all(one.keep <= min(64, sum(counts[one.start : one.end])) for one in found)
    if sum(counts) + 2 * len(counts) <= most:
        assert [one.keep for one in found] == counts


def test_entries_get_sparser_with_age_by_factors_of_two():
    found = merges([64] * 100, [64] * 100, 640, 64, header=0)
    levels = [one.level for one in found]
    assert levels == sorted(levels, reverse=True)
    assert levels[-1] == 0
    assert max(levels) in (4, 5)
    assert max(levels.count(level) for level in levels) <= 3
