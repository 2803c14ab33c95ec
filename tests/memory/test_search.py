"""Exact search against a naive one, where rounding could change the order."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import tacit as tc
from memory.stored import BLOCK, BLOCKS, SIZE, drawn, made, naive


def filled(path, latents, **options):
    store = made(path, latent_size=latents.shape[1], **options)
    store.append(tc.memory.entries(latents, np.zeros((len(latents), BLOCKS, BLOCK))))
    return store


CASES = {
    "random": lambda draw: draw.standard_normal((200, SIZE)),
    "far from zero": lambda draw: 1e4 + draw.standard_normal((200, SIZE)),
    "equal": lambda draw: np.repeat(draw.standard_normal((5, SIZE)), 40, axis=0),
    "nearly equal": lambda draw: 3 + 1e-6 * draw.standard_normal((200, SIZE)),
    "of several scales": lambda draw: draw.standard_normal((200, SIZE)) * 10.0 ** draw.integers(-6, 6, (200, 1)),
    "large": lambda draw: 1e14 * draw.standard_normal((200, SIZE)),
    "zero": lambda draw: np.zeros((200, SIZE)),
}


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("seed", range(3))
def test_the_nearest_are_those_of_a_naive_search(tmp_path, name, seed):
    draw = np.random.default_rng(seed)
    latents = CASES[name](draw).astype(np.float32)
    queries = np.concatenate([latents[::50], latents[::40] + np.float32(1e-3), draw.standard_normal((3, SIZE))])
    queries = queries.astype(np.float32)
    with filled(tmp_path / "m", latents) as store:
        for count in (1, 3, 20, 300):
            found = store.nearest(queries, count)
            numbers, distances = naive(latents, range(len(latents)), queries, count)
            assert found.numbers.tolist() == numbers
            assert found.distances == pytest.approx(np.array(distances), rel=1e-12)


@settings(max_examples=30, deadline=None)
@given(data=st.data())
def test_any_small_store_is_searched_as_a_naive_one(tmp_path_factory, data):
    values = st.sampled_from([0.0, 1.0, 1.0 + 2**-23, -1.0, 3e3, 3e3 + 2**-10, 1e-20])
    size = data.draw(st.integers(1, 3))
    rows = st.lists(st.lists(values, min_size=size, max_size=size), min_size=1, max_size=40)
    latents = np.array(data.draw(rows), np.float32)
    queries = np.array(data.draw(rows), np.float32)
    count = data.draw(st.integers(1, 45))
    with filled(tmp_path_factory.mktemp("m") / "m", latents, segment_entries=9) as store:
        found = store.nearest(queries, count).numbers.tolist()
    assert found == naive(latents, range(len(latents)), queries, count)[0]


def test_a_part_of_the_latent(tmp_path):
    with made(tmp_path / "m") as store:
        store.append(drawn(150))
        queries = drawn(4, seed=3).latents[:, 2:4]
        found = store.nearest(queries, 5, part=slice(2, 4))
        numbers, distances = naive(store.entries().latents[:, 2:4], range(150), queries, 5)
        assert found.numbers.tolist() == numbers
        assert found.distances == pytest.approx(np.array(distances), rel=1e-12)


def test_an_empty_store_and_no_queries(tmp_path):
    with made(tmp_path / "m") as store:
        assert store.nearest(np.zeros((2, SIZE), np.float32), 3).numbers.shape == (2, 0)
        store.append(drawn(5))
        assert store.nearest(np.zeros((0, SIZE), np.float32), 3).numbers.shape[0] == 0
        assert store.nearest(np.zeros((2, SIZE), np.float32), 9).numbers.shape == (2, 5)


def test_many_queries_are_searched_in_pieces(tmp_path, monkeypatch):
    monkeypatch.setattr("tacit.memory._search.CHUNK", 128)
    with made(tmp_path / "m") as store:
        store.append(drawn(100))
        queries = drawn(30, seed=2).latents
        assert store.nearest(queries, 4).numbers.tolist() == naive(store.entries().latents, range(100), queries, 4)[0]
