"""Lines of a log: their seal, their files and the errors that name them."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tacit._files import check_file, parse_json
from tacit.errors import DataError

__all__ = ["BEGIN", "Line", "digest", "lines", "sealed", "segment_path", "segments"]

BEGIN = "0" * 64
"""The hash before the first record of a log."""
SEAL = b',"sha256":"'
TAIL = len(SEAL) + 64 + len(b'"}\n')
LONGEST = 256 * 2**20
"""The largest number of bytes of a record."""
LARGEST = 2**40
"""The largest number of bytes of a segment."""


def digest(content: bytes) -> str:
    """Return the SHA-256 of bytes in hexadecimal digits."""
    return hashlib.sha256(content).hexdigest()


@dataclass(frozen=True)
class Line:
    """Line of a segment, with its place.

    Attributes:
        file: The segment.
        number: Its number in the file, from 1.
        content: Its bytes, with the line feed.
    """

    file: Path
    number: int
    content: bytes

    @property
    def sha256(self) -> str | None:
        """Return the hash of the record; None if the line is no whole record, or was changed."""
        found = digest(self.content[:-TAIL])
        return found if self.content[-TAIL:] == SEAL + found.encode() + b'"}\n' else None

    @property
    def whole(self) -> bool:
        """Return whether the line has its end."""
        return self.content.endswith(b"\n")

    def values(self) -> dict[str, Any]:
        """Return the members of the record, without its hash.

        Raises:
            ValueError: if they are no JSON object.
        """
        found = parse_json(self.content[:-TAIL] + b"}")
        if not isinstance(found, dict):
            raise ValueError(f"expected a JSON object; got {type(found).__name__}")
        return found

    def error(self, record: int, reason: str) -> DataError:
        """Return the error that names this line as the broken link of the chain."""
        return DataError(f"{self.file}, line {self.number}, record {record}: {reason}")


def sealed(record: int, previous: str, kind: str, body: str) -> tuple[bytes, str]:
    """Return the line of a record, and its hash.

    Args:
        record: The number of the record in the log.
        previous: The hash of the record before it.
        kind: The kind of the record.
        body: Its further members in JSON.
    """
    content = f'{{"record":{record},"previous":"{previous}","kind":"{kind}",{body}'.encode()
    found = digest(content)
    return content + SEAL + found.encode() + b'"}\n', found


def segment_path(folder: Path, number: int) -> Path:
    """Return the path of a segment."""
    return folder / f"{number:06d}.jsonl"


def segments(folder: Path) -> list[tuple[int, Path]]:
    """Return the segments of a log with their numbers, the oldest first."""
    return sorted((int(path.stem), path) for path in folder.glob("*.jsonl") if path.stem.isdecimal())


def lines(path: Path) -> Iterator[Line]:
    """Yield the lines of a segment.

    Raises:
        DataError: if it is not a regular file or a line is too long.
    """
    try:
        check_file(path, LARGEST)
    except ValueError as error:
        raise DataError(f"{error}.") from error
    with path.open("rb") as file:
        number = 0
        while content := file.readline(LONGEST + 1):
            number += 1
            if len(content) > LONGEST:
                raise DataError(f"{path}, line {number}: a record has at most {LONGEST} bytes; this line has more.")
            yield Line(path, number, content)
