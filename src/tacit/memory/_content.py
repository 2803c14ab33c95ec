"""Content of the folder of a store, as a reader or the writer knows it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np

from tacit.errors import ConfigError, DataError
from tacit.memory._index import Index, open_index
from tacit.memory._manifest import FILE, Manifest, SegmentRecord, Snapshot, read_manifest
from tacit.memory._records import HEADER, Header
from tacit.memory._segment import Part, Segment, mapped, valid_prefix
from tacit.memory._view import View
from tacit.types import Store

__all__ = ["Content", "remove_others"]

ATTEMPTS = 5
"""How often a reader looks again while the writer replaces files."""


class Content:
    """The segments of a manifest and as much of the tail as is known.

    Args:
        path: The folder.
        manifest: Its manifest.

    Raises:
        DataError: if a segment is missing or damaged.
    """

    def __init__(self, path: Path, manifest: Manifest) -> None:
        self.path, self.manifest, self.tail_count = path, manifest, 0
        self._parts: dict[str, Part] = {}
        self._indexes: dict[str, Index | None] = {}
        self._newest: View | None = None
        self._tail = self._new_tail()
        for record in manifest.segments:
            self._part(record)

    @property
    def header(self) -> Header:
        """Return the sizes of the entries."""
        return self.manifest.header

    @property
    def last(self) -> int:
        """Return the number behind the last known entry."""
        return self.manifest.tail_first + self.tail_count

    def size(self) -> int:
        """Return the number of bytes of the segments and indexes."""
        counts = [one.count for one in self.manifest.segments] + [self.tail_count]
        return self.size_of(counts) + sum(one.bytes for one in self.manifest.indexes)

    def size_of(self, counts: list[int]) -> int:
        """Return the number of bytes of segments with so many entries."""
        return len(counts) * HEADER + sum(counts) * self.header.dtype.itemsize

    def update(self, manifest: Manifest) -> None:
        """Take a newer manifest of the same store."""
        if manifest.header != self.header:
            raise DataError(f"{self.path} was replaced by another store. Open it again.")
        old, self.manifest = self.manifest, manifest
        if manifest.tail != old.tail:
            self.tail_count, self._tail = 0, self._new_tail()
        known = {one.file for one in manifest.segments}
        self._parts = {name: part for name, part in self._parts.items() if name in known}
        indexes = {one.file for one in manifest.indexes}
        self._indexes = {name: index for name, index in self._indexes.items() if name in indexes}
        if manifest.epoch != old.epoch:
            self._indexes = {}
        for record in manifest.segments:
            self._part(record)

    def refresh(self) -> None:
        """Find what the writer appended, forgot or indexed since the last look."""
        for attempt in range(ATTEMPTS):
            try:
                self.update(read_manifest(self.path))
                self.scan()
                return
            except DataError:  # the writer may have replaced a file in between
                if attempt == ATTEMPTS - 1:
                    raise

    def scan(self) -> None:
        """Find the entries of the tail that were appended since the last look."""
        path = self.path / self.manifest.tail
        there = min(self.header.check(path), self.manifest.segment_entries)
        if there > self.tail_count:
            fresh = mapped(path, self.header, there)[self.tail_count :]
            self.tail_count += valid_prefix(fresh, self.last)

    def newest(self, other: Callable[[str], Store]) -> View:
        """Return the view of all known entries."""
        snapshot = Snapshot(self.header.store, self.manifest.epoch, self.last, self.manifest.indexed)
        if self._newest is None or (self._newest.snapshot, self._newest.sources) != (
            str(snapshot),
            self.manifest.sources,
        ):
            self._newest = self.view(snapshot, other)
        return self._newest

    def behind(self, snapshot: Snapshot) -> bool:
        """Return whether a snapshot may have entries that are not known here."""
        newer = snapshot.epoch > self.manifest.epoch or snapshot.indexed > self.manifest.indexed
        return newer or snapshot.last > self.last

    def view(self, snapshot: Snapshot, other: Callable[[str], Store]) -> View:
        """Return the view of a snapshot.

        Args:
            snapshot: The snapshot.
            other: Returns the view of another one.

        Raises:
            ConfigError: if it is one of another store.
            DataError: if entries of it were forgotten, or never written.
        """
        if snapshot.store != self.header.store:
            raise ConfigError(f"the snapshot {snapshot} is one of another store than {self.path}.")
        if snapshot.epoch < self.manifest.epoch:
            raise DataError(
                f"entries of the snapshot {snapshot} were forgotten. Use a newer one, as in store.snapshot."
            )
        if self.behind(snapshot):
            raise DataError(f"the snapshot {snapshot} has entries that the store {self.path} does not have.")
        parts = [self._part(one) for one in self.manifest.segments if one.first < snapshot.last]
        if parts and parts[-1].numbers[-1] >= snapshot.last:
            parts[-1] = Part(parts[-1].segment, int(np.searchsorted(parts[-1].numbers, snapshot.last)))
        rest = snapshot.last - self.manifest.tail_first
        if rest > 0:
            self._tail.grow(rest)
            parts.append(Part(self._tail, rest))
        records = [one for one in self.manifest.indexes if one.last <= snapshot.indexed]

        def indexes() -> list[Index]:
            opened = [self._index(one.file) for one in records]
            return [one for one in opened if one is not None]

        return View(snapshot, self.header, self.manifest.sources, parts, indexes, other)

    def parts(self, start: int, end: int | None = None) -> list[Part]:
        """Return segments before the tail, by their indices."""
        return [self._part(one) for one in self.manifest.segments[start:end]]

    def _new_tail(self) -> Segment:
        return Segment(self.path / self.manifest.tail, self.header, 0, self.manifest.segment_entries)

    def _part(self, record: SegmentRecord) -> Part:
        if record.file not in self._parts:
            segment = Segment(self.path / record.file, self.header, record.count, record.count)
            self._parts[record.file] = Part(segment, record.count)
        return self._parts[record.file]

    def _index(self, file: str) -> Index | None:
        if file not in self._indexes:
            record = next(one for one in self.manifest.indexes if one.file == file)
            self._indexes[file] = open_index(self.path, record, self.header.latent_size)
        return self._indexes[file]


def remove_others(path: Path, manifest: Manifest) -> None:
    """Remove the segments and indexes of a folder that its manifest does not name."""
    known = set(manifest.files)
    for file in path.iterdir():
        if FILE.fullmatch(file.name) and file.name not in known:
            file.unlink()
