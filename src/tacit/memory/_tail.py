"""The segment that grows: whole records are appended, and one flush to the disk serves all that wait for it."""

from __future__ import annotations

import os
import warnings
from pathlib import Path
from threading import Lock
from time import monotonic

from tacit._files import sync_entry
from tacit.errors import DataError
from tacit.memory._records import HEADER, Header, Records, sealed
from tacit.memory._segment import mapped, valid_prefix

__all__ = ["Tail"]

GROUP = 64
"""Entries without a waiting caller after which they are flushed to the disk."""
DELAY = 0.005
"""Seconds after which they are."""


class Tail:
    """The segment that grows, as its only writer sees it.

    Args:
        path: Its file, with a header.
        header: The sizes of its entries.
        first: The number of its first entry.

    Attributes:
        count: Its entries.
        durable: Entries of it that are on the disk.

    Raises:
        DataError: if the file is missing or damaged.
    """

    def __init__(self, path: Path, header: Header, first: int) -> None:
        self.path, self.header, self.first = path, header, first
        self.count = valid_prefix(mapped(path, header, header.check(path)), first)
        self._broken, self._closed = "", False
        self._flushing = Lock()
        self._since = monotonic()
        self._file = os.open(path, os.O_WRONLY | os.O_APPEND)
        try:
            self._cut(path.stat().st_size)
            os.fsync(self._file)
        except BaseException:
            os.close(self._file)
            raise
        self.durable = self.count

    @staticmethod
    def make(path: Path, header: Header) -> None:
        """Write the file of an empty segment, so that it survives a loss of power."""
        with path.open("wb") as file:
            file.write(header.to_bytes())
            file.flush()
            os.fsync(file.fileno())
        sync_entry(path.parent)

    def put(self, records: Records) -> None:
        """Append records, which a kill of the process does not undo. One thread at a time calls it.

        Raises:
            DataError: if they cannot be written; the segment is then as before.
        """
        self._require()
        content, done = sealed(records, self.first + self.durable), 0
        try:
            while done < len(content):
                done += os.write(self._file, memoryview(content)[done:])
        except OSError as error:
            try:
                os.ftruncate(self._file, self._size)
            except OSError as second:
                self._broken = str(second)
            raise DataError(f"the store cannot be written: {self.path}: {error}. Free the disk.") from error
        if self.count == self.durable:
            self._since = monotonic()
        self.count += len(records)

    def flush(self, count: int | None = None) -> None:
        """Return when the first entries, or all of them, are on the disk.

        Threads that wait at the same time share one flush.

        Raises:
            DataError: if the disk fails; the segment is then not written any more.
        """
        count = self.count if count is None else count
        with self._flushing:
            if self.durable >= count:
                return
            self._require()
            reached = self.count
            try:
                os.fsync(self._file)
            except OSError as error:
                self._broken = str(error)
                raise DataError(f"the disk failed: {self.path}: {error}. Open the store again.") from error
            self.durable = reached

    def flush_group(self) -> None:
        """Flush entries without a waiting caller, if there are many or they are old."""
        waiting = self.count - self.durable
        if waiting >= GROUP or (waiting and monotonic() - self._since >= DELAY):
            self.flush()

    def close(self) -> None:
        """Flush all entries, and close the file."""
        if self._closed:
            return
        self._closed = True
        try:
            if not self._broken:
                self.flush()
        finally:
            self._broken = self._broken or "it was closed"
            os.close(self._file)

    @property
    def _size(self) -> int:
        """Return the number of bytes of the header and the whole records."""
        return HEADER + self.count * self.header.dtype.itemsize

    def _require(self) -> None:
        if self._broken:
            raise DataError(f"the store is not written any more: {self._broken}. Open it again.")

    def _cut(self, size: int) -> None:
        """Remove what follows the last whole record, which was not acknowledged."""
        rest = size - self._size
        if rest:
            lost = -(-rest // self.header.dtype.itemsize)
            warnings.warn(
                f"{self.path}: the last {lost} of {self.count + lost} entries were being written when the writer "
                f"stopped, and are dropped. None of them was acknowledged.",
                stacklevel=4,
            )
            os.ftruncate(self._file, self._size)
