"""Text files in any encoding, with bounded lines."""

from __future__ import annotations

import codecs
from pathlib import Path

import numpy as np
import numpy.typing as npt

from tacit._files import check_file
from tacit.data.readers._files import option
from tacit.data.validation import Defect
from tacit.errors import ConfigError

__all__ = ["MAX_LINE", "check_encoding", "decoded", "line_at"]

MAX_LINE = 2**20
CHUNK = 2**24
BOMS = (
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
ASCII = bytes(range(128))
BYTES = ("cp1252", "cp1250", "cp1251", "cp1254", "iso8859-15")
"""Encodings of one byte a character that loggers and spreadsheets write."""


def check_encoding(encoding: str) -> None:
    """Raise ConfigError unless Python has a text encoding of that name."""
    try:
        "".encode(encoding)
    except LookupError as error:
        raise ConfigError(
            f"encoding is the name of a text encoding, such as 'utf-8', 'cp1252' or 'utf-16'; got {encoding!r}."
        ) from error


def decoded(file: Path, encoding: str | None) -> tuple[bytes, tuple[str, ...]]:
    """Return the text of a file as UTF-8, and a note where its encoding was guessed.

    Args:
        file: A regular file.
        encoding: Its encoding; None finds it.

    Raises:
        DataError: naming the line that is too long, holds a NUL, cannot be decoded or has a quote without its end.
    """
    try:
        check_file(file)
        with file.open("rb") as stream:
            data = stream.read(4 * MAX_LINE)
            if b"\n" not in data and b"\r" not in data and stream.read(1):
                raise Defect(file, None, "rows", f"line 1 is longer than {4 * MAX_LINE} bytes, so this is no table.")
            stream.seek(0)
            data = stream.read()
    except (OSError, ValueError) as error:
        raise Defect(file, None, "rows", f"cannot be read ({error}).") from error
    data, notes = _as_utf8(file, data, encoding)
    if b"\0" in data:
        line = _line(data, data.find(b"\0"))
        raise Defect(
            file,
            None,
            "rows",
            f"line {line} holds a NUL byte. The file is damaged, or its encoding is another: "
            f"{option('encoding', 'utf-16')}.",
        )
    _check_lines(file, data)
    return data, notes


def line_at(lines: int | npt.NDArray[np.int64], row: int) -> int:
    """Return the line of a row."""
    return lines + row if isinstance(lines, int) else int(lines[row])


def _as_utf8(file: Path, data: bytes, encoding: str | None) -> tuple[bytes, tuple[str, ...]]:
    notes: tuple[str, ...] = ()
    said = encoding
    if encoding is None:
        encoding = next((name for bom, name in BOMS if data.startswith(bom)), None) or _wide(data) or "utf-8"
        if encoding == "utf-8" and not data.isascii() and not _is_utf8(data):
            encoding = "cp1252"
            high = bytes(sorted(set(data.translate(None, delete=ASCII))))
            if len({high.decode(name, "replace") for name in BYTES}) > 1:
                where = data.find(high[:1])
                notes = (
                    f"is read as cp1252 (Western European), because it is no UTF-8; line {_line(data, where)} holds "
                    f"{data[max(where - 8, 0) : where + 8].decode('cp1252', 'replace')!r}. If that is wrong, say "
                    f"{option('encoding', 'cp1251')}",
                )
    if encoding == "utf-8" and (data.isascii() or _is_utf8(data)):
        return data, notes
    try:
        return data.decode(encoding).encode(), notes
    except UnicodeError as error:
        where = getattr(error, "start", 0)
        raise Defect(
            file,
            None,
            "rows",
            f"line {_line(data, where)} holds bytes that are no text in {encoding}{'' if said else ', nor in UTF-8'} "
            f"({data[where : where + 4].hex(' ')}). If this is a table, say its encoding, for example "
            f"{option('encoding', 'latin-1')}.",
        ) from error


def _is_utf8(data: bytes) -> bool:
    decoder = codecs.getincrementaldecoder("utf-8")()
    try:
        for start in range(0, len(data), CHUNK):
            decoder.decode(data[start : start + CHUNK], final=start + CHUNK >= len(data))
    except UnicodeDecodeError:
        return False
    return True


def _wide(data: bytes) -> str | None:
    """Return the encoding of text that has a NUL in every other byte."""
    head = data[:4096]
    even, odd = head[::2].count(0), head[1::2].count(0)
    if len(head) < 4 or max(even, odd) < 0.45 * len(head) or min(even, odd) > 0.05 * len(head):
        return None
    return "utf-16-le" if odd > even else "utf-16-be"


def _line(data: bytes, place: int) -> int:
    """Return the number of the line, from 1, of the byte at ``place``."""
    return data.count(b"\n" if b"\n" in data else b"\r", 0, place) + 1


def _check_lines(file: Path, data: bytes) -> None:
    """Raise DataError at a line that is too long, or in which a quote is not closed."""
    last, open_quotes = -1, 0
    quoted, returns = b'"' in data, b"\r" in data
    for start in range(0, len(data), CHUNK):
        part = np.frombuffer(data, np.uint8, min(CHUNK, len(data) - start), start)
        line_end = part == ord("\n")
        ends = np.flatnonzero(line_end | (part == ord("\r")) if returns else line_end)
        edges = np.concatenate([[last], ends + start])
        if start + len(part) == len(data):
            edges = np.append(edges, len(data))
        long = np.diff(edges) > MAX_LINE
        if long.any() or start + len(part) - edges[-1] > MAX_LINE:
            place = int(edges[int(np.argmax(long))] if long.any() else edges[-1]) + 1
            raise Defect(
                file, None, "rows", f"line {_line(data, place)} is longer than {MAX_LINE} bytes, so this is no table."
            )
        if quoted:
            counts = np.cumsum(part == ord('"'), dtype=np.int64)
            at = counts[np.minimum(ends, len(part) - 1)] if len(ends) else np.empty(0, np.int64)
            inside = np.diff(np.concatenate([[-open_quotes], at]))
            open_quotes = int(counts[-1] - (at[-1] if len(at) else -open_quotes))
            odd = np.append(inside, open_quotes) if start + len(part) == len(data) else inside
            if (odd % 2).any():
                place = int(edges[int(np.argmax(odd % 2 > 0))]) + 1
                raise Defect(
                    file,
                    None,
                    "rows",
                    f"line {_line(data, place)} opens a quote and does not close it. Close it, or write the line "
                    "without quotes.",
                )
        last = int(edges[-1]) if len(ends) else last
