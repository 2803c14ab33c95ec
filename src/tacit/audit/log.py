"""Log of records on disk, which grows one line at a time."""

from __future__ import annotations

import errno
import os
import warnings
from collections.abc import Callable, Mapping
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any, Literal, Self

from tacit._check import require
from tacit._files import locked, resolve, sync_entry
from tacit.audit._chain import BEGIN, digest, lines, sealed, segment_path, segments
from tacit.audit._values import members
from tacit.errors import AuditError, ConfigError, DataError

__all__ = ["Log"]

Sync = Literal["never", "decision", "always"]
WhenFull = Literal["stop", "continue", "delete_oldest"]

MEGABYTE = 10**6


class Log:
    """A log that is appended to; each record is written with one call before :meth:`write` returns.

    A process that is killed loses at most the record that it is writing. A log that exists is continued in a new
    segment. One process and one actor write a log.

    Args:
        path: The folder of the log, which is made if it does not exist.
        frames: Keep the whole observation of every act, so that a replay can encode it again.
        sync: When the disk is asked to keep what was written, which protects it from a loss of power: ``never``, after
            each ``decision`` (an act that made a plan), or ``always``.
        when_full: What to do when a record cannot be written, since the disk is full or the log has reached its limit.
            ``stop``: raise an error; ``continue``: act without a record, which the verdict says; ``delete_oldest``:
            delete the oldest segments, and raise an error if there are none.
        segment_mb: Size in megabytes after which the next segment begins.
        limit_mb: Largest size in megabytes of all segments; None: no limit.

    Attributes:
        path: The folder of the log.
        head: The SHA-256 of the last record, which names the whole log up to it.
        lost: Acts without a record.
        first: The number of the first record of the current segment.

    Raises:
        ConfigError: if an option is out of range or another process writes the log.
        DataError: if the newest segment of an existing log is damaged.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        frames: bool = False,
        sync: Sync = "never",
        when_full: WhenFull = "stop",
        segment_mb: float = 64.0,
        limit_mb: float | None = None,
    ) -> None:
        require(sync in ("never", "decision", "always"), "Log", f"sync 'never', 'decision' or 'always'; got {sync!r}")
        known = ("stop", "continue", "delete_oldest")
        require(when_full in known, "Log", f"when_full {', '.join(map(repr, known))}; got {when_full!r}")
        require(segment_mb > 0, "Log", f"segment_mb > 0; got {segment_mb}")
        require(limit_mb is None or limit_mb >= 2 * segment_mb, "Log", f"limit_mb >= 2 * segment_mb; got {limit_mb} MB")
        self.path, self.frames, self.head, self.lost, self.first = resolve(path), frames, BEGIN, 0, 0
        self._sync, self._when_full = sync, when_full
        self._segment_bytes = int(segment_mb * MEGABYTE)
        self._limit = None if limit_mb is None else int(limit_mb * MEGABYTE)
        self._facts: Mapping[str, Any] | None = None
        self._file: int | None = None
        self._record = self._size = self._gap = 0
        self._torn, self._closed = "", False
        self._open = ExitStack()
        self.path.mkdir(parents=True, exist_ok=True)
        try:
            self._open.enter_context(locked(self.path / ".lock", wait=False))
        except BlockingIOError:
            raise ConfigError(f"another process writes the audit log {self.path}. Choose another folder.") from None
        try:
            self._sizes = {number: file.stat().st_size for number, file in segments(self.path)}
            if self._sizes:
                self._continue(segment_path(self.path, max(self._sizes)))
        except BaseException:
            self._open.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def next(self) -> int:
        """Return the number of the next record."""
        return self._record

    def begin(self, facts: Mapping[str, Any]) -> None:
        """Set what the first record of each segment says of the actor and the machine.

        Raises:
            ConfigError: if an actor writes the log already.
        """
        if self._facts is not None:
            raise ConfigError(f"an actor writes the audit log {self.path} already. Give each actor its own log.")
        self._facts = facts

    def write(self, kind: str, compose: Callable[[], str], decision: bool = False) -> int | None:
        """Append a record and return its number; None if it could not be written and ``when_full`` is ``continue``.

        Args:
            kind: The kind of the record.
            compose: Returns the members of the record in JSON; called when its segment has begun.
            decision: Whether the record holds a plan.

        Raises:
            AuditError: if the record cannot be written.
            ConfigError: if the log was closed.
        """
        if self._closed:
            raise ConfigError(f"the audit log {self.path} was closed. Open it again to continue it.")
        while True:
            try:
                return self._append(kind, compose, decision)
            except OSError as error:
                if self._when_full == "delete_oldest" and self._delete_oldest():
                    continue
                if self._when_full == "continue":
                    if not self.lost:
                        warnings.warn(f"acting without an audit log: {self.path}: {error}", stacklevel=3)
                    self.lost, self._gap = self.lost + 1, self._gap + 1
                    return None
                raise AuditError(
                    f"the audit log {self.path} cannot be written: {error}. Free the disk or raise limit_mb; "
                    "when_full='continue' acts without a record, and 'delete_oldest' makes room."
                ) from error

    def close(self) -> None:
        """End the log with a record of the kind ``end``, and release it."""
        try:
            if self._file is not None:
                with suppress(OSError):
                    self._append("end", lambda: f'"lost_in_total":{self.lost}', False)
        finally:
            self._closed = True
            self._end_segment()
            self._open.close()

    def _continue(self, file: Path) -> None:
        """Find the end of a log that exists; an incomplete last record stays, and the next segment says so."""
        cut = last = None
        for line in lines(file):
            if cut is not None:
                raise DataError(
                    f"{file}, line {cut.number}: a record was changed, so the log is not continued. Choose another "
                    "folder, and find what was changed with tc.audit.read."
                )
            if (found := line.sha256) is None:
                cut = line
            else:
                self.head, last = found, line
        if last is None:
            raise DataError(f"{file} holds no whole record, so the log is not continued. Remove the file.")
        self._record = int(last.values()["record"]) + 1
        self._torn = "" if cut is None else digest(cut.content)

    def _append(self, kind: str, compose: Callable[[], str], decision: bool) -> int:
        if self._file is None or self._size >= self._segment_bytes:
            self._begin_segment()
        body = compose()
        if self._gap:
            body += f',"lost":{self._gap}'
        self._put(kind, body)
        self._gap = 0
        if self._file is not None and (self._sync == "always" or (decision and self._sync == "decision")):
            os.fsync(self._file)
        return self._record - 1

    def _put(self, kind: str, body: str) -> None:
        """Write one line whole, or leave the segment as it was."""
        if self._file is None:
            raise OSError(errno.EBADF, "no segment is open")
        content, found = sealed(self._record, self.head, kind, body)
        if self._limit is not None and sum(self._sizes.values()) + len(content) > self._limit:
            raise OSError(errno.ENOSPC, f"the limit of {self._limit / MEGABYTE:g} MB is reached")
        done = 0
        try:
            while done < len(content):
                done += os.write(self._file, content[done:])
        except OSError:
            try:
                os.ftruncate(self._file, self._size)
            except OSError:  # the part stays, and the next segment says so
                self._end_segment()
                self._torn = digest(content[:done]) if done else ""
            raise
        self._size += len(content)
        self._sizes[max(self._sizes)] = self._size
        self._record, self.head = self._record + 1, found

    def _begin_segment(self) -> None:
        """Begin the next segment, whose first record holds the facts and the hash of the last record."""
        self._end_segment()
        number = max(self._sizes, default=-1) + 1
        oldest = min(self._sizes, default=number)
        file = segment_path(self.path, number)
        new = file.with_suffix(".new")  # a segment has its first record, or does not exist
        self._file = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND, 0o644)
        self._size, self._sizes[number] = 0, 0
        own = {"format": 1, "segment": number, "oldest": oldest, "torn": self._torn, "frames": self.frames}
        before = self._record, self.head
        self.first = self._record
        try:
            self._put("segment", members({**own, **(self._facts or {})}))
            new.rename(file)
        except BaseException:
            self._end_segment()
            del self._sizes[number]
            self._record, self.head = before
            new.unlink(missing_ok=True)
            raise
        self._torn = ""
        if self._sync != "never":
            sync_entry(self.path)

    def _end_segment(self) -> None:
        if self._file is not None:
            if self._sync != "never":
                with suppress(OSError):
                    os.fsync(self._file)
            os.close(self._file)
            self._file = None

    def _delete_oldest(self) -> bool:
        """Delete the oldest segment, unless it is the newest too, and return whether there was one."""
        if len(self._sizes) < 2:
            return False
        oldest = min(self._sizes)
        segment_path(self.path, oldest).unlink(missing_ok=True)
        del self._sizes[oldest]
        self._end_segment()  # the next one says what was deleted
        return True
