"""Manifest of a store: its segments and indexes, replaced by a rename."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from tacit._config import from_json, to_json
from tacit._files import add_checksum, read_bytes, sync_entry, verified, write_atomically
from tacit.errors import ConfigError, DataError
from tacit.memory._records import VERSION, Header

__all__ = [
    "LARGEST_SEGMENT",
    "IndexRecord",
    "Manifest",
    "SegmentRecord",
    "Snapshot",
    "read_manifest",
    "segment_name",
    "write_manifest",
]

NAME = "manifest.json"
LARGEST_SEGMENT = 2**20
"""The largest number of entries of a segment."""
FILE = re.compile(r"\d{12}\.\d+\.(segment|usearch)")
SNAPSHOT = re.compile(r"([0-9a-f]{16})-(\d{1,18})-(\d{1,18})-(\d{1,18})")


@dataclass(frozen=True)
class SegmentRecord:
    """A segment whose entries do not change.

    Attributes:
        file: Its name.
        first: The number of its first entry.
        last: The number behind its last entry.
        count: Its entries; fewer than the numbers between where some were forgotten.
    """

    file: str
    first: int
    last: int
    count: int


@dataclass(frozen=True)
class IndexRecord:
    """An index of the entries of whole segments; see :class:`SegmentRecord`.

    Attributes:
        bytes: The size of the file.
        sha256: Its digest.
    """

    file: str
    first: int
    last: int
    bytes: int
    sha256: str


@dataclass(frozen=True)
class Snapshot:
    """The entries of a store at one time.

    Attributes:
        store: The id of the store.
        epoch: How often entries were forgotten before.
        last: The number behind the last entry.
        indexed: The number behind the last entry that an index holds.
    """

    store: str
    epoch: int
    last: int
    indexed: int

    def __str__(self) -> str:
        return f"{self.store}-{self.epoch}-{self.last}-{self.indexed}"

    @classmethod
    def parse(cls, text: str) -> Snapshot:
        """Return the snapshot of an id.

        Raises:
            ConfigError: if it is none.
        """
        found = SNAPSHOT.fullmatch(text)
        if found is None:
            raise ConfigError(f"expected the id of a snapshot, as in store.snapshot; got {text!r}.")
        store, *numbers = found.groups()
        return cls(store, *map(int, numbers))


@dataclass(frozen=True)
class Manifest:
    """The content of a store on disk.

    Attributes:
        header: The sizes of the entries.
        segment_entries: The number of entries of a whole segment.
        tail: The file of the segment that grows.
        tail_first: The number of its first entry.
        epoch: How often entries were forgotten.
        sources: The names of the sources of episodes.
        segments: The segments before the tail, in the order of their numbers.
        indexes: The indexes, in the order of their numbers, without a gap from the first segment on.
    """

    header: Header
    segment_entries: int
    tail: str
    tail_first: int
    epoch: int = 0
    sources: tuple[str, ...] = ()
    segments: tuple[SegmentRecord, ...] = ()
    indexes: tuple[IndexRecord, ...] = ()

    def __post_init__(self) -> None:
        names = self.files
        ends = [(one.first, one.last) for one in self.segments] + [(self.tail_first, self.tail_first)]
        whole = all(0 < one.count <= min(one.last - one.first, self.segment_entries) for one in self.segments)
        whole = whole and 1 <= self.segment_entries <= LARGEST_SEGMENT
        ordered = all(left[1] <= right[0] for left, right in pairwise(ends)) and ends[0][0] >= 0
        if not (all(map(FILE.fullmatch, names)) and len({*names}) == len(names) and whole and ordered):
            raise ConfigError("the segments of the manifest do not fit together.")
        if not {one.last for one in self.indexes} <= {one.last for one in self.segments}:
            raise ConfigError("the indexes of the manifest do not cover whole segments.")

    @property
    def files(self) -> list[str]:
        """Return the names of all files."""
        return [self.tail, *(one.file for one in self.segments), *(one.file for one in self.indexes)]

    @property
    def indexed(self) -> int:
        """Return the number behind the last entry that an index holds."""
        return self.indexes[-1].last if self.indexes else 0


def read_manifest(folder: Path) -> Manifest:
    """Read the manifest of a store.

    Raises:
        DataError: if there is none, or it is damaged or of another version.
    """
    path = folder / NAME
    if not path.exists():
        raise DataError(f"{folder} holds no memory store. Make one with tc.memory.DiskStore.create(...).")
    try:
        values = verified(read_bytes(path))
        header = values.get("header") if isinstance(values, Mapping) else None
        version = header.get("version") if isinstance(header, Mapping) else None
        if version != VERSION:
            raise DataError(f"{path} has the format {version}; this version of Tacit reads {VERSION}.")
        return from_json(Manifest, values, "manifest")
    except DataError:
        raise
    except (OSError, ValueError) as error:
        raise DataError(f"{path} is damaged: {error}. Restore the folder from a copy.") from error


def write_manifest(folder: Path, manifest: Manifest) -> None:
    """Replace the manifest of a store, so that it survives a loss of power."""
    write_atomically(folder / NAME, add_checksum(to_json(manifest)))
    sync_entry(folder)


def segment_name(first: int, epoch: int) -> str:
    """Return the name of a segment by its first number and the epoch in which it was written."""
    return f"{first:012d}.{epoch}.segment"
