"""Approximate indexes of latents, made with usearch (HNSW; Malkov and Yashunin, arXiv 1603.09320)."""

from __future__ import annotations

import hashlib
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from tacit._files import check_file, sync_entry
from tacit.errors import DataError, MissingExtra
from tacit.memory._manifest import IndexRecord
from tacit.memory._segment import Part

__all__ = ["Index", "build", "new_graph", "open_index"]

CONNECTIVITY, EXPANSION_ADD = 16, 64
"""Edges of a node of the graph, and candidates that are considered for them."""
EXPANSION_SEARCH = 64
"""Candidates that a search considers, at least two times the entries that it returns."""


class Index:
    """An index of latents by the numbers of their entries.

    Args:
        record: The file.
        graph: The index of usearch.
    """

    def __init__(self, record: IndexRecord, graph: Any) -> None:
        self.record, self._graph = record, graph

    def candidates(self, queries: npt.NDArray[np.float32], count: int) -> npt.NDArray[np.int64]:
        """Return the numbers ``[Q, K]`` of about the nearest entries of queries ``[Q, D]``."""
        self._graph.expansion_search = max(EXPANSION_SEARCH, 2 * count)
        found = self._graph.search(queries, min(count, len(self._graph)), threads=1)
        return np.asarray(found.keys, np.uint64).astype(np.int64).reshape(len(queries), -1)


def build(folder: Path, latent_size: int, parts: Sequence[Part], last: int, threads: int) -> IndexRecord:
    """Write the index of whole segments, and return its record.

    Args:
        folder: The folder of the store.
        latent_size: The size of a latent.
        parts: The segments.
        last: The number behind the last entry.
        threads: The number of threads to compute with.

    Raises:
        MissingExtra: if usearch is not installed.
    """
    graph = new_graph(latent_size)
    for part in parts:
        graph.add(part.numbers.astype(np.uint64), np.ascontiguousarray(part.latents), threads=threads)
    path = folder / f"{parts[0].first:012d}.{last}.usearch"
    fresh = path.with_suffix(".new")
    graph.save(str(fresh))
    sync_entry(fresh)
    fresh.replace(path)
    sync_entry(folder)
    return IndexRecord(path.name, parts[0].first, last, path.stat().st_size, _digest(path))


def open_index(folder: Path, record: IndexRecord, latent_size: int) -> Index | None:
    """Open an index; None, with a warning, if it is missing or damaged.

    Raises:
        MissingExtra: if usearch is not installed.
    """
    graph, path = new_graph(latent_size), folder / record.file
    try:
        if check_file(path) != record.bytes or _digest(path) != record.sha256:
            raise DataError("it is not the file that was written")
        graph.view(str(path))
    except (OSError, ValueError, RuntimeError) as error:
        warnings.warn(
            f"the index {path} cannot be used, so its entries are searched exactly: {error}. Make it again with "
            "store.index().",
            stacklevel=2,
        )
        return None
    return Index(record, graph)


def new_graph(latent_size: int) -> Any:
    """Return an empty index of usearch.

    Raises:
        MissingExtra: if usearch is not installed.
    """
    try:
        from usearch.index import Index as Graph
    except ImportError as error:
        raise MissingExtra("usearch", "memory", "an approximate index") from error
    return Graph(ndim=latent_size, metric="l2sq", dtype="f32", connectivity=CONNECTIVITY, expansion_add=EXPANSION_ADD)


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
