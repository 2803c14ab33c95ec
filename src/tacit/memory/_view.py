"""Entries of a store at one time."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property

import numpy as np
import numpy.typing as npt

from tacit.errors import DataError, SpecError
from tacit.memory._index import Index
from tacit.memory._manifest import Snapshot
from tacit.memory._records import LARGEST_VALUE, Header, Records, entries_of, intact
from tacit.memory._search import Best, search
from tacit.memory._segment import Part
from tacit.types import Entries, Neighbors, Store

__all__ = ["View"]

INDEX_FROM = 100_000
"""The number of entries above which an index is used."""


class View:
    """The entries of a snapshot, which never change; see :class:`tacit.types.Store`.

    Args:
        snapshot: The id of the snapshot.
        header: The sizes of the entries.
        sources: The names of the sources.
        parts: The segments with these entries, none of them empty.
        indexes: Returns the indexes of this snapshot.
        other: Returns the view of another snapshot.
    """

    def __init__(
        self,
        snapshot: Snapshot,
        header: Header,
        sources: tuple[str, ...],
        parts: Sequence[Part],
        indexes: Callable[[], Sequence[Index]],
        other: Callable[[str], Store],
    ) -> None:
        self.snapshot, self.header, self.sources = str(snapshot), header, sources
        self._parts, self._indexes, self._other = tuple(parts), indexes, other

    @property
    def model(self) -> str:
        """Return the digest of the model."""
        return self.header.model

    @property
    def latent_size(self) -> int:
        """Return the size of a latent."""
        return self.header.latent_size

    @property
    def block_shape(self) -> tuple[int, int]:
        """Return the number of blocks of an entry, and the raw actions of one."""
        return self.header.blocks, self.header.block_size

    def __len__(self) -> int:
        return sum(map(len, self._parts))

    def at(self, snapshot: str, /) -> Store:
        """Return the view of a snapshot; see :class:`tacit.types.Store`."""
        return self if snapshot == self.snapshot else self._other(snapshot)

    def numbers(self) -> npt.NDArray[np.int64]:
        """Return the numbers of all entries."""
        return np.concatenate([np.zeros(0, np.int64), *(part.numbers for part in self._parts)])

    def entries(self, numbers: npt.NDArray[np.int64] | None = None, /) -> Entries:
        """Return entries by their numbers; see :class:`tacit.types.Store`."""
        if numbers is None:
            found = [np.array(part.records) for part in self._parts]
            records = np.concatenate([np.zeros(0, self.header.dtype), *found])
        else:
            records = self._found(np.asarray(numbers, np.int64))
        if not (good := intact(records)).all():
            raise DataError(
                f"entry {int(records['number'][np.argmin(good)])} of the store is damaged: its checksum is another. "
                "Restore the folder from a copy."
            )
        return entries_of(records)

    def nearest(
        self, latents: npt.NDArray[np.float32], count: int, *, part: slice | None = None, exact: bool = False
    ) -> Neighbors:
        """Return the nearest entries; see :class:`tacit.types.Store`."""
        queries = np.ascontiguousarray(latents, np.float32)
        size = self.latent_size if part is None else len(range(*part.indices(self.latent_size)))
        if queries.ndim != 2 or queries.shape[1] != size or count < 1:
            raise SpecError(
                f"nearest needs latents [Q, {size}] and a count of at least 1; got {list(queries.shape)} and {count}."
            )
        if not (np.abs(queries) <= LARGEST_VALUE).all():
            raise SpecError(f"nearest needs finite latents of values up to {LARGEST_VALUE:g}. Leave the others out.")
        best = Best(queries, min(count, len(self)))
        rest = self._parts
        if len(queries) and not exact and part is None and len(self) > INDEX_FROM:
            for index in self._indexes():
                ends = index.record.first, index.record.last
                rest = tuple(one for one in rest if not ends[0] <= one.first < ends[1])
                found = index.candidates(queries, best.count)
                near = self._found(found.reshape(-1))["latent"].reshape(*found.shape, -1)
                for query, numbers in enumerate(found):
                    best.add(query, near[query], numbers)
        search(best, rest, part)
        return best.neighbors()

    @cached_property
    def _firsts(self) -> npt.NDArray[np.int64]:
        return np.array([part.first for part in self._parts], np.int64)

    def _found(self, numbers: npt.NDArray[np.int64]) -> Records:
        """Return records by their numbers ``[n]``."""
        records = np.zeros(len(numbers), self.header.dtype)
        places = np.searchsorted(self._firsts, numbers, side="right") - 1
        for place in np.unique(places).tolist():
            rows = np.flatnonzero(places == place)
            known = self._parts[place].numbers if place >= 0 else np.full(1, -1)
            where = np.minimum(np.searchsorted(known, numbers[rows]), len(known) - 1)
            missing = known[where] != numbers[rows]
            if place < 0 or missing.any():
                wanted = numbers[rows][np.argmax(missing)]
                raise DataError(f"the snapshot {self.snapshot} has no entry {wanted}; it may have been forgotten.")
            records[rows] = self._parts[place].records[where]
        return records
