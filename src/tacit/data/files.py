"""Files that are there whole or not at all, records that notice a change, and locks."""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

__all__ = ["locked", "seal", "sync", "unseal", "write_atomically"]


def seal(content: Any) -> str:
    """JSON of ``content`` and of its SHA-256."""
    return json.dumps({"sha256": _sum(content), "content": content}, indent=1)


def unseal(text: str | bytes) -> Any:
    """What :func:`seal` was given.

    Raises:
        ValueError: if the text is no such record or was changed.
    """
    record = json.loads(text)
    if not isinstance(record, dict) or set(record) != {"sha256", "content"}:
        raise ValueError("expected the keys 'sha256' and 'content'")
    if record["sha256"] != _sum(record["content"]):
        raise ValueError("its SHA-256 is another, so it was changed after it was written")
    return record["content"]


def _sum(content: Any) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def write_atomically(path: Path, text: str) -> None:
    """Replace the file at ``path``, as readable for others as any new file; a reader sees the old text or the new."""
    fresh = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with fresh.open("w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(path)
    finally:
        fresh.unlink(missing_ok=True)


@contextmanager
def locked(file: Path, *, wait: bool = True) -> Iterator[None]:
    """Alone at work on what ``file`` stands for; the lock of a process that is killed goes with it.

    Args:
        file: Made where it is not there, and left there.
        wait: For whoever holds it.

    Raises:
        BlockingIOError: without ``wait``, if it is held.
    """
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("a") as held:
        fcntl.flock(held, fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield


def sync(path: Path) -> None:
    """Push a file, or a folder and everything in it, to the disk."""
    for item in [*(path.rglob("*") if path.is_dir() else ()), path]:
        handle = os.open(item, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
