"""Records of a log, read in order while the chain of their hashes is checked."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tacit._files import resolve
from tacit.audit._chain import BEGIN, Line, digest, lines, segments
from tacit.audit._values import decoded
from tacit.errors import DataError

__all__ = ["Record", "read"]

SEGMENT = "segment"
"""The kind of the first record of a segment."""


@dataclass(frozen=True)
class Record:
    """Record of a log, with its place.

    Attributes:
        number: Its number in the log, from 0.
        kind: ``segment``: the first of a file, with versions and the hash of the agent; ``start``: new episodes;
            ``act``: one act; ``end``: the log was closed.
        file: The segment that holds it.
        line: Its line there, from 1.
        sha256: The hash of its bytes, which the next record holds.
        values: Its members by name; arrays are NumPy arrays.
    """

    number: int
    kind: str
    file: Path
    line: int
    sha256: str
    values: Mapping[str, Any] = field(repr=False)


def read(path: str | os.PathLike[str]) -> Iterator[Record]:
    """Yield the records of a log in their order, while checking the chain.

    A log whose last record has the kind ``end`` was closed. Without it the process was killed or still runs, or the
    last records were removed: compare the hash of the last one with a :attr:`Log.head` that was kept elsewhere.

    Args:
        path: The folder of the log.

    Raises:
        DataError: at the first record that was changed, removed, inserted, moved or cut, naming file, line and record;
            or if there is no log.
    """
    folder = resolve(path)
    files = segments(folder) if folder.is_dir() else []
    if not files:
        raise DataError(f"expected the folder of an audit log; {folder} holds no segment such as 000000.jsonl.")
    chain = _Chain(files[0][0])
    for number, file in files:
        if number != chain.segment:
            raise DataError(
                f"{file.parent}: the segment {chain.segment:06d}.jsonl is missing before {file.name}. Restore it."
            )
        yield from chain.follow(number, file)
    chain.end(files[-1][1])


class _Chain:
    """The state of a check of a chain.

    Args:
        first: The number of the oldest segment.
    """

    def __init__(self, first: int) -> None:
        self.segment = self._first = first
        self._previous: str | None = BEGIN if first == 0 else None
        self._record = 0
        self._kept = 0
        self._cut: Line | None = None

    def follow(self, number: int, file: Path) -> Iterator[Record]:
        """Yield the records of the next segment."""
        header = False
        for line in lines(file):
            if self._cut is not None and self._cut.file == file:
                raise self._cut.error(self._record, "the record was changed: its SHA-256 is another.")
            found = line.sha256
            if found is None:
                self._cut = line  # the end of a segment may be cut, if the next one says so
                continue
            record = self._linked(line, found, number, header)
            header = True
            yield record
        if not header and self._cut is None:
            raise DataError(f"{file}, line 1, record {self._record}: the segment is empty; its records were removed.")
        self.segment += 1

    def _linked(self, line: Line, found: str, segment: int, header: bool) -> Record:
        """Return the record of a line whose hash is right; refuse one that does not follow the record before it."""
        try:
            values = line.values()
            number, previous, kind = int(values.pop("record")), str(values.pop("previous")), str(values.pop("kind"))
        except (ValueError, KeyError, TypeError) as error:
            raise line.error(self._record, f"this is no record of an audit log ({error}).") from error
        if self._previous is None:  # older segments were deleted, with the end of the last of them
            self._previous, self._record = previous, number
        elif not header:
            self._check_end(line, values)
        if (previous, number) != (self._previous, self._record):
            raise line.error(
                self._record,
                f"the chain is broken: this is record {number}, and it does not follow the record before it. Records "
                "were removed, inserted or moved.",
            )
        if (kind == SEGMENT) == header:
            raise line.error(self._record, "a segment begins with a record of the kind 'segment', and has one of them.")
        if kind == SEGMENT:
            self._begin(line, values, segment)
        self._previous, self._record = found, self._record + 1
        try:
            return Record(number, kind, line.file, line.number, found, decoded(values))
        except DataError as error:
            raise line.error(number, str(error)) from error

    def _check_end(self, line: Line, values: Mapping[str, Any]) -> None:
        """Compare the end of the segment before with what the first record of this one says of it."""
        if values.get("torn", "") != ("" if self._cut is None else digest(self._cut.content)):
            broken = line if self._cut is None else self._cut
            raise broken.error(self._record, "the record was changed, or the end of the segment was removed.")

    def _begin(self, line: Line, values: Mapping[str, Any], segment: int) -> None:
        """Check the first record of a segment against its file."""
        if values.get("segment") != segment:
            raise line.error(self._record, f"the segment was renamed: it is number {values.get('segment')}.")
        self._cut, self._kept = None, int(values.get("oldest", 0))

    def end(self, file: Path) -> None:
        """Check the end of the log."""
        if self._cut is not None:
            reason = "it was changed" if self._cut.whole else "the process was killed, the disk was full, or it was cut"
            raise self._cut.error(self._record, f"the last record is incomplete: {reason}. All before it are whole.")
        if self._kept < self._first:
            raise DataError(
                f"{file.parent}: the segments {self._kept:06d}.jsonl to {self._first - 1:06d}.jsonl are missing, and "
                "the log did not delete them. Restore them."
            )
