"""Paths, bounded reading, atomic writing, records with checksums, and locks."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import shutil
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

from tacit.errors import ConfigError

__all__ = [
    "add_checksum",
    "aside",
    "cache_folder",
    "check_file",
    "is_file",
    "locked",
    "parse_json",
    "read_bytes",
    "read_json",
    "resolve",
    "staged_directory",
    "sync",
    "sync_entry",
    "verified",
    "write_atomically",
]

MAX_BYTES = 64 * 2**20
MAX_DEPTH = 64
MAX_DIGITS = 400


def resolve(path: str | os.PathLike[str]) -> Path:
    """Return the path with a leading ``~`` expanded.

    Raises:
        ConfigError: if the home directory of ``~user`` is unknown, or the path holds a NUL character.
    """
    if "\0" in os.fspath(path):
        raise ConfigError(f"a path holds no NUL character; got {os.fspath(path)!r}.")
    try:
        return Path(path).expanduser()
    except RuntimeError as error:
        raise ConfigError(f"the home directory in {os.fspath(path)!r} is unknown. Give the whole path.") from error


def cache_folder() -> Path:
    """Return the folder of caches: ``$TACIT_CACHE``, else ``tacit`` in ``$XDG_CACHE_HOME`` or ``~/.cache``."""
    chosen, caches = os.environ.get("TACIT_CACHE"), os.environ.get("XDG_CACHE_HOME")
    return resolve(chosen) if chosen else resolve(caches or "~/.cache") / "tacit"


def is_file(path: Path) -> bool:
    """Return whether there is a file at a path; False for an invalid name."""
    try:
        return path.is_file()
    except (OSError, ValueError):  # too long, or with a NUL character
        return False


def check_file(path: Path, limit: int | None = None) -> int:
    """Return the size in bytes of a regular file, without opening it.

    Args:
        path: A file, or a link to one. Opening a FIFO or a device could block or never end.
        limit: The largest accepted size in bytes.

    Raises:
        OSError: if there is no such file.
        ValueError: if it is not a regular file or too large.
    """
    status = path.stat()
    if not stat.S_ISREG(status.st_mode):
        kind = "a folder" if stat.S_ISDIR(status.st_mode) else "a device, a FIFO or a socket"
        raise ValueError(f"expected a regular file; {path} is {kind}")
    if limit is not None and status.st_size > limit:
        raise ValueError(f"expected at most {limit} bytes; {path} has {status.st_size}")
    return status.st_size


def read_bytes(path: Path, limit: int = MAX_BYTES) -> bytes:
    """Return the content of a regular file of at most ``limit`` bytes.

    Raises:
        OSError: if the file is missing or cannot be read.
        ValueError: if it is not a regular file or too large.
    """
    check_file(path, limit)
    with path.open("rb") as file:
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            raise ValueError(f"expected a regular file; {path} was replaced by something else")
        content = file.read(limit + 1)
    if len(content) > limit:
        raise ValueError(f"expected at most {limit} bytes; {path} has more")
    return content


def parse_json(text: str | bytes) -> Any:
    """Return the value of a JSON text of bounded depth and bounded numbers.

    Raises:
        ValueError: if it is not JSON, is nested more than 64 levels deep, or an integer has more than 400 digits.
    """
    try:
        value = json.loads(text, parse_int=_integer)
    except RecursionError:
        raise ValueError(f"expected JSON of at most {MAX_DEPTH} levels; it is nested deeper") from None
    level = [value]
    for _ in range(MAX_DEPTH):
        level = [child for item in level for child in _children(item)]
        if not level:
            return value
    raise ValueError(f"expected JSON of at most {MAX_DEPTH} levels; it is nested deeper")


def _integer(digits: str) -> int:
    if len(digits) > MAX_DIGITS:
        raise ValueError(f"expected integers of at most {MAX_DIGITS} digits; got one of {len(digits)}")
    return int(digits)


def _children(value: Any) -> list[Any]:
    """Return the containers directly inside a JSON value."""
    if isinstance(value, dict):
        return [item for item in value.values() if isinstance(item, (dict, list))]
    return [item for item in value if isinstance(item, (dict, list))] if isinstance(value, list) else []


def read_json(path: Path, limit: int = MAX_BYTES) -> Any:
    """Return the JSON value in a file; see :func:`read_bytes` and :func:`parse_json` for its errors."""
    return parse_json(read_bytes(path, limit))


def add_checksum(content: Any) -> str:
    """Return JSON of ``content`` and of its SHA-256."""
    return json.dumps({"sha256": _sum(content), "content": content}, indent=1)


def verified(text: str | bytes) -> Any:
    """Return the content of a record that :func:`add_checksum` made.

    Raises:
        ValueError: if the text is not such a record or was changed.
    """
    record = parse_json(text)
    if not isinstance(record, dict) or set(record) != {"sha256", "content"}:
        raise ValueError("expected the keys 'sha256' and 'content'")
    if record["sha256"] != _sum(record["content"]):
        raise ValueError("its SHA-256 is another, so it was changed after it was written")
    return record["content"]


def _sum(content: Any) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def write_atomically(path: Path, text: str) -> None:
    """Replace the file at ``path`` atomically, with the permissions of a new file."""
    fresh = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with fresh.open("w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(path)
    finally:
        fresh.unlink(missing_ok=True)


def aside(path: Path) -> Path:
    """Return the path at which :func:`staged_directory` keeps the old directory during the replacement."""
    return path.with_name(f".{path.name}.old")


@contextmanager
def staged_directory(path: Path) -> Iterator[Path]:
    """Make or replace a directory atomically.

    The block fills a new directory next to ``path``, which takes its name when the block ends without an error. An
    interrupted replacement leaves the old directory at :func:`aside`, from which the next call restores it.
    """
    path = path.absolute()
    old, fresh = aside(path), path.with_name(f".{path.name}.new")
    path.parent.mkdir(parents=True, exist_ok=True)
    if not path.exists() and old.exists():
        old.rename(path)
    shutil.rmtree(fresh, ignore_errors=True)
    fresh.mkdir()
    try:
        yield fresh
        sync(fresh)
    except BaseException:
        shutil.rmtree(fresh, ignore_errors=True)
        raise
    shutil.rmtree(old, ignore_errors=True)
    if path.exists():
        path.rename(old)
    fresh.rename(path)
    sync_entry(path.parent)
    shutil.rmtree(old, ignore_errors=True)


@contextmanager
def locked(file: Path, *, wait: bool = True) -> Iterator[None]:
    """Hold a lock for the block; a killed process releases its lock.

    Some network file systems have no locks. There the block runs without one: its output must be correct then too, if
    slower.

    Args:
        file: The file of the lock; made if it does not exist, and kept.
        wait: Wait for the holder.

    Raises:
        BlockingIOError: without ``wait``, if it is held.
    """
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("a") as held:
        try:
            if fcntl is not None:
                fcntl.flock(held, fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise
        except OSError:
            pass  # ENOSYS, ENOLCK, EOPNOTSUPP and others: no locks here
        yield


def sync(path: Path) -> None:
    """Flush a file, or a folder with its content, to the disk."""
    for item in [*(path.rglob("*") if path.is_dir() else ()), path]:
        sync_entry(item)


def sync_entry(path: Path) -> None:
    """Flush one file, or the entries of one folder, to the disk."""
    try:
        handle = os.open(path, os.O_RDONLY)
    except PermissionError:
        if path.is_dir():  # Windows cannot open folders
            return
        raise
    try:
        os.fsync(handle)
    except OSError as error:
        if error.errno != errno.EBADF:  # Windows flushes only files that were opened to write
            raise
    finally:
        os.close(handle)
