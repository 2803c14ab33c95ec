"""Conformance suite of memory stores."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from tacit.errors import ConfigError, DataError, SpecError
from tacit.testing._promises import expect
from tacit.types import Store

__all__ = ["check_store"]


def check_store(store: Store, queries: int = 8, seed: int = 0) -> None:
    """Check that a store keeps the promises of :class:`tacit.types.Store`.

    Args:
        store: The store, with at least ten entries, and not changed meanwhile.
        queries: Latents to search for.
        seed: Seed of these latents.

    Raises:
        AssertionError: naming the promise that is broken.
    """
    expect(isinstance(store, Store), "a store must have all members of tacit.types.Store")
    numbers, whole, (blocks, size) = store.numbers(), store.entries(), store.block_shape
    expect(
        len(store) == len(numbers) == len(whole) >= 10, "a store must have as many numbers and entries as its length"
    )
    expect(bool((np.diff(numbers) > 0).all()), "the numbers of a store must ascend")
    shapes = {"latents": (len(store), store.latent_size), "blocks": (len(store), blocks, size)}
    for name, values in vars(whole).items():
        expect(np.shape(values) == shapes.get(name, (len(store),)), f"the {name} of entries must have their shape")
    chosen = np.array([len(store) - 1, 0, 3, 3])
    some = store.entries(numbers[chosen])
    for name, values in vars(whole).items():
        same = np.array_equal(vars(some)[name], values[chosen], equal_nan=True)
        expect(same, f"entries by number must be those entries, in the order of the numbers; {name} are others")
    _raises(DataError, lambda: store.entries(numbers[-1:] + 1), "an unknown number must raise a DataError")
    draw = np.random.default_rng(seed)
    near = whole.latents[draw.integers(len(store), size=queries)]
    near = np.concatenate([near, near + draw.normal(0, near.std() + 1e-6, near.shape)]).astype(np.float32)
    _check_search(store, near, whole.latents, numbers)
    wrong = np.zeros((1, store.latent_size + 1), np.float32)
    _raises(SpecError, lambda: store.nearest(wrong, 1), "queries of another size must raise a SpecError")
    _raises(SpecError, lambda: store.nearest(near * np.nan, 1), "queries that are not finite must raise a SpecError")
    _raises(SpecError, lambda: store.nearest(near, 0), "a count of 0 must raise a SpecError")
    view = store.at(store.snapshot)
    expect(view.snapshot == store.snapshot, "the view of a snapshot must name it")
    expect(np.array_equal(view.numbers(), numbers), "the view of the newest snapshot must have all entries")
    _raises(ConfigError, lambda: store.at("no snapshot"), "an unknown snapshot must raise a ConfigError")


def _check_search(
    store: Store, near: npt.NDArray[np.float32], latents: npt.NDArray[np.float32], numbers: npt.NDArray[np.int64]
) -> None:
    """Compare searches with a naive one."""
    part = slice(0, max(store.latent_size // 2, 1))
    for count in (1, 5, len(store) + 3):
        for columns in (None, part):
            kept = slice(None) if columns is None else columns
            found = store.nearest(near[:, kept], count, part=columns, exact=True)
            offsets = latents[None, :, kept].astype(np.float64) - near[:, None, kept]
            squares = np.square(offsets).sum(axis=2)
            order = np.argsort(squares, axis=1, kind="stable")[:, :count]
            expect(np.array_equal(found.numbers, numbers[order]), "an exact search must find what a naive one finds")
            wanted = np.take_along_axis(squares, order, axis=1)
            close = np.allclose(found.distances, wanted, rtol=1e-6, atol=1e-12 * (1 + float(squares.max())))
            expect(close, "the distances must be squared Euclidean distances")
        found = store.nearest(near, count)
        expect(found.numbers.shape == (len(near), min(count, len(store))), "a search must return count entries, or all")
        expect(bool((np.diff(found.distances, axis=1) >= 0).all()), "the nearest entry must come first")
    empty = store.nearest(near[:0], 2)
    expect(len(empty.numbers) == 0, "no query must give no neighbors")


def _raises(kind: type[Exception], call: Callable[[], object], promise: str) -> None:
    """Raise an AssertionError that names a promise unless a call raises such an error."""
    try:
        call()
    except kind:
        return
    raise AssertionError(promise)
