"""CSV and TSV files as tables of columns: their encoding, delimiter, decimal sign, names and units."""

from __future__ import annotations

import contextlib
import csv
import io
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pcsv

from tacit.data.readers._files import option
from tacit.data.readers._text import MAX_LINE, decoded, line_at
from tacit.data.validation import Defect

__all__ = ["Content", "is_number", "read_csv", "shown"]

MAX_COLUMNS = 2**14
BLOCK = 4 * MAX_LINE
"""Bytes that are parsed at a time; the first block has the lines of names and units."""
SAMPLE = 50  # lines from which the delimiter is found
SHOWN = 60  # characters of a cell in a message
MISSING = {"", "#n/a", "-nan", "-1.#ind", "n/a", "na", "nan", "null", "none"}
NUMBER = re.compile(r"[-+]?(\d+([.,]\d*)?|[.,]\d+)([eE][-+]?\d+)?|[-+]?inf(inity)?", re.IGNORECASE)
GROUPED = re.compile(r"[-+]?\d{1,3}([.,' \u00a0\u202f]\d{3})+([.,]\d+)?")
EUROPEAN = re.compile(r"\d{1,2}[./-]\d{1,2}[./-]\d{4}([ T,]+\d{1,2}:\d{2}(:\d{2}([.,]\d+)?)?)?")
COMMAS = r"^\s*[-+]?(\d+(,\d*)?|,\d+|\d{1,3}(\.\d{3})+,\d+)([eE][-+]?\d+)?\s*$"
"""Pattern of a number with a decimal comma, or without decimals."""
CERTAIN = r"^\s*[-+]?(0*,\d*|0\d*,\d+|\d+,(\d{0,2}|\d{4,})|\d{4,},\d*|[\d.]+\.\d{3},\d+|\d+,\d*[eE].*)\s*$"
"""Pattern of a number in which the comma cannot separate thousands."""


@dataclass(frozen=True)
class Content:
    """Columns of a file.

    Attributes:
        table: Columns of numbers, of dates, or of text where they are neither.
        units: The line of units below the names, by column; empty where there is none.
        lines: The line of the file, from 1, of each row, or of the first row where no line is empty; None where a file
            has no lines.
        notes: Notes on guesses.
    """

    table: pa.Table
    units: Mapping[str, str] = field(default_factory=dict)
    lines: int | npt.NDArray[np.int64] | None = None
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Layout:
    delimiter: str
    names: tuple[str, ...] | None  # None: the first line holds numbers
    units: tuple[str, ...] | None
    decimal: Literal[".", ","] | None  # None: to be found


def read_csv(file: Path, decimal: Literal[".", ","] | None, encoding: str | None) -> Content:
    """Return the columns of a CSV or TSV file.

    Args:
        file: A regular file whose lines are at most 1 MiB long.
        decimal: The decimal sign; None finds it where it is certain.
        encoding: A text encoding of Python; None finds it where it is certain.

    Raises:
        DataError: naming the line and its problem.
    """
    data, notes = decoded(file, encoding)
    layout = _layout(file, data, decimal)
    table = _parsed(file, data, layout)
    if decimal is None and _has_commas(table):
        layout = _Layout(layout.delimiter, layout.names, layout.units, ",")
        table = _parsed(file, data, layout)
    header = (layout.names is not None) + (layout.units is not None)
    lines = _lines(data, header, len(table))
    sign, certain = layout.decimal or ".", layout.decimal is not None or _points(table)
    for place, name in enumerate(table.column_names):
        if pa.types.is_string(table.schema.types[place]):
            values = _ungrouped(file, name, table[place], sign, certain=certain, lines=lines)
            table = table if values is None else table.set_column(place, name, values)
    units = dict(zip(layout.names or (), layout.units or (), strict=False))
    return Content(table, units, lines, notes)


def is_number(text: str) -> bool:
    """Return whether a cell is a number with either decimal sign, with or without thousands separators."""
    text = text.strip()
    return bool(NUMBER.fullmatch(text) or GROUPED.fullmatch(text))


def shown(cell: object) -> str:
    """Return a cell as text for messages."""
    text = cell if isinstance(cell, str) else str(cell)
    return repr(text if len(text) <= SHOWN else text[:SHOWN] + "...")


def _is_name(text: str) -> bool:
    """Return whether a cell of the first line is the name of its column."""
    return not (text.strip().lower() in MISSING or is_number(text) or _is_date(text))


def _is_date(text: str) -> bool:
    try:
        datetime.fromisoformat(text)
    except ValueError:
        return bool(EUROPEAN.fullmatch(text.strip()))
    return True


def _layout(file: Path, data: bytes, decimal: Literal[".", ","] | None) -> _Layout:
    """Return the delimiter, the names and the units that the first lines of a file have."""
    lines = list(_first_lines(data))
    if not lines:
        raise Defect(file, None, "rows", "expected a line of names or numbers; the file is empty.")
    best: tuple[tuple[float, ...], str, list[list[str]]] | None = None
    for place, delimiter in enumerate("\t;,"):
        if delimiter == decimal:
            continue
        rows = [_cells(line, delimiter) for line in lines]
        width = Counter(map(len, rows[1:] or rows)).most_common(1)[0][0]
        fits = [_share(row) for row in rows[1:] if len(row) == width]
        alike = len(rows[0]) == width
        score = (alike and width > 1, sum(fits) / max(len(rows) - 1, 1), alike, -place)
        if best is None or score > best[0]:
            best = score, delimiter, rows
    assert best is not None
    _, delimiter, rows = best
    if len(rows[0]) > MAX_COLUMNS:
        raise Defect(file, None, "columns", f"expected at most {MAX_COLUMNS} columns; line 1 has {len(rows[0])}.")
    if _share(rows[0]) == 1.0:
        return _Layout(delimiter, None, None, decimal)
    units = rows[1] if len(rows) > 2 and _are_units(rows[1]) and _share(rows[2]) else None
    return _Layout(delimiter, tuple(rows[0]), None if units is None else tuple(cell.strip() for cell in units), decimal)


def _share(row: Sequence[str]) -> float:
    """Return the share of cells that are not names, among the first hundred."""
    return sum(not _is_name(cell) for cell in row[:100]) / len(row[:100])


def _are_units(row: Sequence[str]) -> bool:
    """Return whether the line below the names holds units: short words and no number, date or missing value."""
    filled = [cell.strip() for cell in row if cell.strip()]
    return bool(filled) and all(_is_name(cell) and len(cell) <= 20 for cell in filled[:100])


def _first_lines(data: bytes) -> Iterator[str]:
    """Yield the first lines that are not empty."""
    text = data[: 4 * MAX_LINE].decode("utf-8", "replace")
    found = 0
    for line in io.StringIO(text, newline=None):
        if line.rstrip("\n"):
            yield line.rstrip("\n")
            found += 1
            if found == SAMPLE:
                return


def _cells(line: str, delimiter: str) -> list[str]:
    try:
        return next(csv.reader([line], delimiter=delimiter))
    except (csv.Error, StopIteration):
        return line.split(delimiter)


def _parsed(file: Path, data: bytes, layout: _Layout) -> pa.Table:
    options = (
        pcsv.ReadOptions(
            block_size=BLOCK,
            autogenerate_column_names=layout.names is None,
            skip_rows_after_names=0 if layout.units is None else 1,
        ),
        pcsv.ParseOptions(delimiter=layout.delimiter),
        pcsv.ConvertOptions(decimal_point=layout.decimal or ".", strings_can_be_null=True),
    )
    # The types of the first block are those of the file if each block has them. No text is kept for other types then.
    with contextlib.suppress(OSError, ValueError, pa.ArrowException):
        return pcsv.open_csv(pa.BufferReader(data), *options).read_all()
    try:
        return pcsv.read_csv(pa.BufferReader(data), *options)
    except (OSError, ValueError, pa.ArrowException) as error:
        raise Defect(file, None, "rows", _ragged(data, layout) or f"cannot be read ({error}).") from error


def _ragged(data: bytes, layout: _Layout) -> str:
    """Return the line with a different number of cells than the first, or an empty string."""
    found: list[pcsv.InvalidRow] = []

    def note(row: pcsv.InvalidRow) -> str:
        found.append(row)
        return "error"

    options = pcsv.ParseOptions(delimiter=layout.delimiter, invalid_row_handler=note)
    with contextlib.suppress(OSError, ValueError, pa.ArrowException):
        pcsv.read_csv(pa.BufferReader(data), pcsv.ReadOptions(use_threads=False), options)
    if not found or found[0].number is None:
        return ""
    row = found[0]
    line = line_at(_lines(data, 0, row.number), row.number - 1)
    return (
        f"expected {row.expected_columns} cells in each line, as in the first one; line {line} has "
        f"{row.actual_columns}: {shown(row.text)}. Correct the line."
    )


def _points(table: pa.Table) -> bool:
    """Return whether some number has decimals after a point."""
    numbers = [column for column in table.columns if pa.types.is_floating(column.type)]
    return any(pc.any(pc.not_equal(column, pc.trunc(column))).as_py() for column in numbers)


def _has_commas(table: pa.Table) -> bool:
    """Return whether columns of text are numbers with a decimal comma, and none has decimal points."""
    if _points(table):
        return False
    texts = [column for column in table.columns if pa.types.is_string(column.type)]
    numbers = [column for column in texts if pc.all(pc.match_substring_regex(column, COMMAS)).as_py()]
    return any(pc.any(pc.match_substring_regex(column, CERTAIN)).as_py() for column in numbers)


def _ungrouped(
    file: Path, name: str, column: pa.ChunkedArray, sign: str, *, certain: bool, lines: int | npt.NDArray[np.int64]
) -> pa.ChunkedArray | None:
    """Return the numbers of a text column with thousands separators; None for other text.

    Raises:
        DataError: if it is unknown whether its commas are decimal signs.
    """
    if column.null_count == len(column):
        return None
    comma, dot = ("[.' \u00a0\u202f]", ",") if sign == "," else ("[,' \u00a0\u202f]", r"\.")
    pattern = rf"^\s*[-+]?(\d{{1,3}}({comma}\d{{3}})+|\d+)({dot}\d*)?([eE][-+]?\d+)?\s*$"
    if not pc.all(pc.match_substring_regex(column, pattern)).as_py():
        return None
    if sign == "." and not certain and not pc.any(pc.match_substring(column, ".")).as_py():
        commas = pc.fill_null(pc.match_substring(column, ","), False)
        if pc.any(commas).as_py():
            row = pc.index(commas, True).as_py()
            raise Defect(
                file,
                None,
                name,
                f"{shown(column[row].as_py())} in line {line_at(lines, row)} may be a decimal comma or separate "
                f"thousands. Say which: {option('decimal', ',')} or {option('decimal', '.')}.",
            )
    plain = pc.utf8_trim_whitespace(pc.replace_substring_regex(column, comma, ""))
    return pc.cast(pc.replace_substring(plain, ",", "."), pa.float64())


def _lines(data: bytes, header: int, rows: int) -> int | npt.NDArray[np.int64]:
    """Return the line of the first row, or of each row where some lines are empty."""
    count = data.count(b"\n") + (not data.endswith(b"\n"))
    if count == rows + header or b"\n" not in data:
        return header + 1
    ends = np.flatnonzero(np.frombuffer(data, np.uint8) == ord("\n"))
    ends = np.append(ends, len(data)) if not data.endswith(b"\n") else ends
    starts = np.concatenate([[0], ends[:-1] + 1])
    returns = np.frombuffer(data, np.uint8)[np.maximum(ends - 1, 0)] == ord("\r")
    filled = np.flatnonzero(ends - starts - (returns & (ends > starts)) > 0)
    return filled[header : header + rows] + 1
