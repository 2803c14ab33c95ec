"""Exact search of the nearest latents.

Products of float32 matrices find candidates, with a bound on their rounding error; the distances of the candidates are
then computed in float64, so that the result is that of a naive search.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from tacit.memory._segment import Part
from tacit.types import Neighbors

__all__ = ["Best", "search"]

Floats = npt.NDArray[np.float32]
CHUNK = 2**22
"""The largest number of distances that are in memory at a time."""
EPSILON = float(np.finfo(np.float32).eps)


class Best:
    """The nearest entries so far of each query.

    Args:
        queries: ``[Q, D]``.
        count: The number of entries ``K`` to keep for each.
    """

    def __init__(self, queries: Floats, count: int) -> None:
        self.queries, self.count = queries, count
        self._numbers = [np.zeros(0, np.int64)] * len(queries)
        self._distances = [np.zeros(0)] * len(queries)

    def limit(self, query: int) -> float:
        """Return the distance that another entry must not exceed."""
        found = self._distances[query]
        return float(found[-1]) if len(found) == self.count else np.inf

    def add(self, query: int, latents: Floats, numbers: npt.NDArray[np.int64]) -> None:
        """Consider further entries of a query: latents ``[n, D]`` and their numbers."""
        exact = np.square(latents.astype(np.float64) - self.queries[query]).sum(axis=1)
        distances = np.concatenate([self._distances[query], exact])
        known = np.concatenate([self._numbers[query], numbers])
        order = np.lexsort((known, distances))[: self.count]
        self._numbers[query], self._distances[query] = known[order], distances[order]

    def neighbors(self) -> Neighbors:
        """Return the result; every query has as many."""
        count = len(self._numbers[0]) if self._numbers else 0
        shape = len(self.queries), count
        return Neighbors(np.array(self._numbers).reshape(shape), np.array(self._distances).reshape(shape))


def search(best: Best, parts: Sequence[Part], part: slice | None = None) -> None:
    """Add the nearest of all entries of some parts of a store.

    Args:
        best: The queries ``[Q, D]`` and the nearest entries so far.
        parts: The parts.
        part: The components of a latent that count; None: all.
    """
    for one in parts:
        latents, numbers = one.latents, one.numbers
        if part is not None:
            latents = latents[:, part]
            norms = np.einsum("nd,nd->n", latents, latents)
        else:
            norms = one.norms()
        size = max(CHUNK // max(len(latents), 1), 1)
        for start in range(0, len(best.queries), size):
            _search(best, range(start, min(start + size, len(best.queries))), latents, norms, numbers)


def _search(best: Best, rows: range, latents: Floats, norms: Floats, numbers: npt.NDArray[np.int64]) -> None:
    """Add the nearest of some latents ``[n, D]`` for a range of queries."""
    queries = best.queries[rows.start : rows.stop]
    squares = np.einsum("qd,qd->q", queries, queries)
    # |q - x|^2 without |q|^2, which does not change the order.
    rough = norms - 2 * (queries @ latents.T)
    # Each of the D products and sums rounds once; twice that, for the two terms.
    error = 2 * (latents.shape[1] + 8) * EPSILON * np.square(np.sqrt(squares) + np.sqrt(norms.max()))
    kept = min(best.count, len(latents))
    worst = np.partition(rough, kept - 1, axis=1)[:, kept - 1] + 2 * error
    for index, query in enumerate(rows):
        limit = min(float(worst[index]), best.limit(query) - float(squares[index]) + float(error[index]))
        chosen = np.flatnonzero(rough[index] <= limit)
        if len(chosen):
            best.add(query, latents[chosen], numbers[chosen])
