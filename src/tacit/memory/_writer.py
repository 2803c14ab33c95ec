"""The writer of a store: appends, indexes and forgets."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from threading import RLock

import numpy as np
import numpy.typing as npt

from tacit._check import require
from tacit.errors import DataError
from tacit.memory._content import Content, remove_others
from tacit.memory._forgetting import kept, merges
from tacit.memory._index import build
from tacit.memory._manifest import IndexRecord, Manifest, SegmentRecord, segment_name, write_manifest
from tacit.memory._records import HEADER, checked, records_of
from tacit.memory._tail import Tail
from tacit.types import Entries

__all__ = ["Writer"]


class Writer:
    """The only process that changes a store.

    Args:
        path: The folder.
        content: Its content, which changes with every write.
        lock: The lock of the content.

    Raises:
        DataError: if the tail is damaged.
    """

    def __init__(self, path: Path, content: Content, lock: RLock) -> None:
        self.path, self.content, self._lock = path, content, lock
        remove_others(path, content.manifest)
        self.tail = self._opened(content.manifest)

    def flushed(self) -> None:
        """Flush all entries to the disk, and show them."""
        self.tail.flush()
        self.content.tail_count = self.tail.count

    def append(self, entries: Entries, sync: bool) -> npt.NDArray[np.int64]:
        """Append entries; see :meth:`tacit.memory.DiskStore.append`."""
        capacity = self.content.manifest.segment_entries
        with self._lock:
            checked(entries, self.content.header, len(self.content.manifest.sources))
            first = self.tail.first + self.tail.count
            records = records_of(entries, self.content.header, first)
            while len(records):
                if self.tail.count == capacity:
                    self._seal()
                room = capacity - self.tail.count
                self.tail.put(records[:room])
                records = records[room:]
            tail, count = self.tail, self.tail.count
        if sync:
            tail.flush(count)
        else:
            tail.flush_group()
        return first + np.arange(len(entries))

    def source(self, name: str) -> int:
        """Return the index of a source; a new one is added."""
        with self._lock:
            manifest = self.content.manifest
            if name not in manifest.sources:
                self._write(replace(manifest, sources=(*manifest.sources, name)))
            return self.content.manifest.sources.index(name)

    def index(self, threads: int) -> None:
        """Make an index of the segments without one, together with smaller indexes before them."""
        with self._lock:
            manifest = self.content.manifest
            older = list(manifest.indexes)
            while older and _entries(manifest, older[-1].first, older[-1].last) <= _entries(manifest, _end(older)):
                older.pop()
            chosen = [number for number, one in enumerate(manifest.segments) if one.last > _end(older)]
            if len(older) == len(manifest.indexes) and not chosen:
                return
            parts, last = self.content.parts(chosen[0], chosen[-1] + 1), manifest.segments[chosen[-1]].last
        record = build(self.path, manifest.header.latent_size, parts, last, threads)
        with self._lock:
            if self.content.manifest.epoch == manifest.epoch:
                self._write(replace(self.content.manifest, indexes=(*older, record)))
            remove_others(self.path, self.content.manifest)

    def consolidate(self, max_bytes: int) -> int:
        """Forget entries; see :meth:`tacit.memory.DiskStore.consolidate`."""
        with self._lock:
            self.flushed()
            content, manifest = self.content, self.content.manifest
            least = content.size_of([manifest.segment_entries])
            message = f"max_bytes of a whole segment or more, which is {least}; got {max_bytes}"
            require(max_bytes >= least, "consolidate", message)
            if content.size() <= max_bytes:
                return 0
            counts = [one.count for one in manifest.segments]
            spans = [one.last - one.first for one in manifest.segments]
            size, segments = content.header.dtype.itemsize, list[SegmentRecord]()
            most = max((max_bytes - content.size_of([self.tail.count])) // size, 0)
            for one in merges(counts, spans, most, manifest.segment_entries, -(-HEADER // size)):
                whole = manifest.segments[one.start : one.end]
                if one.keep == sum(counts[one.start : one.end]):
                    segments += whole
                elif one.keep:
                    segments.append(self._merged(one.start, one.end, one.keep))
            self._write(replace(manifest, epoch=manifest.epoch + 1, segments=tuple(segments), indexes=()))
            remove_others(self.path, self.content.manifest)
            return sum(counts) - sum(one.count for one in segments)

    def close(self) -> None:
        """Flush all entries, and close the tail."""
        self.content.tail_count = self.tail.count
        self.tail.close()

    def _opened(self, manifest: Manifest) -> Tail:
        tail = Tail(self.path / manifest.tail, manifest.header, manifest.tail_first)
        self.content.tail_count = tail.count
        return tail

    def _write(self, manifest: Manifest) -> None:
        """Replace the manifest."""
        write_manifest(self.path, manifest)
        self.content.update(manifest)

    def _seal(self) -> None:
        """End the tail, and begin the next one.

        Raises:
            DataError: if the disk is full or fails; the tail is then not ended.
        """
        self.flushed()
        manifest, old = self.content.manifest, self.tail
        last = old.first + old.count
        name = segment_name(last, manifest.epoch)
        record = SegmentRecord(old.path.name, old.first, last, old.count)
        try:
            Tail.make(self.path / name, manifest.header)
            self._write(replace(manifest, tail=name, tail_first=last, segments=(*manifest.segments, record)))
        except OSError as error:
            raise DataError(f"the store cannot be written: {self.path / name}: {error}. Free the disk.") from error
        old.close()
        self.tail = self._opened(self.content.manifest)

    def _merged(self, start: int, end: int, keep: int) -> SegmentRecord:
        """Write the segment of some entries of others, and return its record."""
        manifest = self.content.manifest
        records = kept(self.content.parts(start, end), keep)
        name = segment_name(manifest.segments[start].first, manifest.epoch + 1)
        Tail.make(self.path / name, manifest.header)
        with (self.path / name).open("ab") as file:
            file.write(records.tobytes())
            file.flush()
            os.fsync(file.fileno())
        return SegmentRecord(name, int(records["number"][0]), manifest.segments[end - 1].last, len(records))


def _end(indexes: list[IndexRecord]) -> int:
    """Return the number behind the last entry of some indexes."""
    return indexes[-1].last if indexes else 0


def _entries(manifest: Manifest, first: int, last: int | None = None) -> int:
    """Return the number of entries of the segments from a number on."""
    return sum(one.count for one in manifest.segments if first <= one.first and (last is None or one.last <= last))
