"""Columns of numbers, with their times where there are any, from CSV, Parquet and WFDB files."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pcsv
import pyarrow.parquet as pq

from tacit._registry import suggest
from tacit.data.findings import Defect
from tacit.data.readers._files import option
from tacit.data.readers._wfdb import read_wfdb
from tacit.types import Array

__all__ = ["SUFFIXES", "Sheet", "read_sheet"]

SUFFIXES = frozenset({".csv", ".tsv", ".parquet", ".hea"})
INDEX = re.compile(r"__index_level_\d+__")
SINCE_1970 = ((1e17, 1e-9), (1e14, 1e-6), (1e11, 1e-3))
"""From which number on a time is in nano-, micro- or milliseconds: seconds since 1970 get there in the year 5138."""
TIMES = ("time", "times", "t", "timestamp", "timestamps", "seconds", "sec", "date", "datetime")


@dataclass(frozen=True)
class Sheet:
    """What a file of signals holds.

    Attributes:
        names: Of the channels.
        values: ``[N, C]``, NaN where nothing was recorded.
        labels: ``[N]`` each.
        time: The column of the times, where there is one.
        seconds: ``[N]`` since the first row, where there are times.
        rate: Samples a second, where the file says so.
    """

    names: tuple[str, ...]
    values: npt.NDArray[np.float64]
    labels: dict[str, Array]
    time: str = ""
    seconds: npt.NDArray[np.float64] | None = None
    rate: float | None = None


def read_sheet(file: Path, time: str | None, columns: Sequence[str] | None, labels: Sequence[str]) -> Sheet:
    """The signals in a file.

    Args:
        file: CSV, TSV, Parquet, or the header of a WFDB record.
        time: The column of the times; where None, one that is called like that.
        columns: The channels; where None, every other column but the index that pandas wrote to Parquet.
        labels: Columns that are labels.

    Raises:
        DataError: naming file, column and row of what cannot be read.
    """
    if file.suffix.lower() == ".hea":
        return _record(file, columns, labels)
    table = _table(file)
    twice = [name for name in table.column_names if table.column_names.count(name) > 1]
    if twice:
        raise Defect(file, None, twice[0], "two columns have that name. Rename one.")
    if not len(table):
        raise Defect(file, None, "rows", "expected samples; there are none.")
    clock = _time_column(file, table, time)
    for name in (*([] if clock is None else [clock]), *(columns or ()), *labels):
        _known(file, name, table.column_names)
    aside = {clock, *labels, *_index(file, table)}
    chosen = tuple(columns or (name for name in table.column_names if name not in aside))
    if not (columns or all(name.strip() for name in chosen)):
        raise Defect(
            file,
            None,
            "columns",
            f"expected a name for each column; there are {table.column_names}. A column without one may be the index "
            "that pandas writes: leave it out when you write the file (index=False), or say which columns are the "
            "signal: columns=('a', 'b').",
        )
    if not chosen:
        raise Defect(file, None, "columns", f"expected a column beside the time; there are {table.column_names}.")
    values = np.stack([_numbers(file, name, table[name], columns is None) for name in chosen], axis=1)
    marks = {name: _label(file, name, table[name]) for name in labels}
    seconds = None if clock is None else _seconds(file, clock, table[clock])
    return Sheet(chosen, values, marks, clock or "", seconds)


def _record(file: Path, columns: Sequence[str] | None, labels: Sequence[str]) -> Sheet:
    try:
        record = read_wfdb(file)
    except (ValueError, OSError) as error:
        raise Defect(file, None, "record", str(error)) from error
    if labels:
        raise Defect(file, None, labels[0], "a WFDB record has no columns that can be labels.")
    if not columns:
        return Sheet(record.names, record.values, {}, rate=record.rate)
    for name in columns:
        _known(file, name, record.names)
        if (alike := record.names.count(name)) > 1:
            raise Defect(
                file,
                None,
                name,
                f"{alike} signals have that name. Rename them in the header, or open the record without "
                "columns=, which takes every signal.",
            )
    places = [record.names.index(name) for name in columns]
    return Sheet(tuple(columns), record.values[:, places], {}, rate=record.rate)


def _known(file: Path, name: str, names: Sequence[str]) -> None:
    if name not in names:
        raise Defect(file, None, name, f"there is no such column.{suggest(name, names)} There are: {', '.join(names)}.")


def _table(file: Path) -> pa.Table:
    try:
        if file.suffix.lower() == ".parquet":
            return pq.read_table(file)
        with file.open(encoding="utf-8-sig") as text:
            first = text.readline().rstrip("\r\n")
        delimiter = max(",;\t", key=first.count)
        bare = not any(_is_name(cell.strip().strip('"')) for cell in first.split(delimiter))
        return pcsv.read_csv(
            file,
            # All in one block, for the types of columns are found in the first one.
            pcsv.ReadOptions(block_size=max(file.stat().st_size, 1) + 1, autogenerate_column_names=bare),
            pcsv.ParseOptions(delimiter=delimiter),
        )
    except (OSError, UnicodeDecodeError, pa.ArrowException) as error:
        raise Defect(file, None, "rows", f"cannot be read ({error}).") from error


def _index(file: Path, table: pa.Table) -> list[str]:
    """The columns that pandas wrote as the index of the rows."""
    try:
        said = (table.schema.pandas_metadata or {}).get("index_columns", [])
    except ValueError as error:
        raise Defect(file, None, "rows", f"what pandas says of the columns cannot be read ({error}).") from error
    # A range of numbers is no column, but a mapping of its bounds.
    return [name for name in table.column_names if name in said or INDEX.fullmatch(name)]


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _is_name(text: str) -> bool:
    """Whether a cell of the first line is the name of its column."""
    try:
        datetime.fromisoformat(text)
    except ValueError:
        return bool(text) and not _is_number(text)
    return False


def _time_column(file: Path, table: pa.Table, time: str | None) -> str | None:
    if time is not None:
        return time
    found = [name for name in table.column_names if name.strip().lower() in TIMES]
    found = found or [field.name for field in table.schema if pa.types.is_temporal(field.type)]
    if len(found) > 1:
        raise Defect(
            file, None, found[1], f"several columns may be the time: {found}. Say which, as time={found[0]!r}."
        )
    return found[0] if found else None


def _numbers(file: Path, name: str, column: pa.ChunkedArray, guessed: bool) -> npt.NDArray[np.float64]:
    """A column as numbers, NaN where a cell is empty."""
    kind = column.type
    if pa.types.is_null(kind):
        return np.full(len(column), np.nan)
    if pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_boolean(kind):
        try:
            return np.asarray(pc.cast(column, pa.float64()).to_numpy(), np.float64)
        except pa.ArrowInvalid as error:
            cells = column.to_pylist()
            row = next(row for row, cell in enumerate(cells) if cell is not None and abs(cell) > 2**53)
            raise Defect(
                file,
                None,
                name,
                f"expected numbers that a float holds, up to 2^53; row {row} (from 0) holds {cells[row]}. If it is "
                f"the time, say {option('time', name)}. Else write smaller numbers, or say which columns are the "
                "signal: columns=('a', 'b').",
            ) from error
    cells = column.to_pylist()
    row = next((row for row, cell in enumerate(cells) if cell is not None and not _is_number(str(cell))), 0)
    advice = " If it is no part of the signal, say which columns are: columns=('a', 'b')." if guessed else ""
    raise Defect(file, None, name, f"expected numbers; row {row} (from 0) holds {cells[row]!r}.{advice}")


def _label(file: Path, name: str, column: pa.ChunkedArray) -> Array:
    if pa.types.is_boolean(column.type) and not column.null_count:
        return np.asarray(column.to_numpy())
    if pa.types.is_integer(column.type) and not column.null_count:
        return _whole(file, name, column)
    return _numbers(file, name, column, guessed=False)


def _whole(file: Path, name: str, column: pa.ChunkedArray) -> npt.NDArray[np.int64]:
    """A column of whole numbers, to the last digit."""
    try:
        return np.asarray(pc.cast(column, pa.int64()).to_numpy(), np.int64)
    except pa.ArrowInvalid as error:
        raise Defect(file, None, name, f"expected whole numbers below 2^63 ({error}). Write smaller ones.") from error


def _seconds(file: Path, name: str, column: pa.ChunkedArray) -> npt.NDArray[np.float64]:
    """A column of times as seconds since its first row."""
    kind = column.type
    if column.null_count:
        row = int(np.argmax(column.is_null().to_numpy()))
        raise Defect(file, None, name, f"expected a time in every row; row {row} (from 0) has none.")
    if pa.types.is_date(kind):
        column, kind = pc.cast(column, pa.timestamp("ns")), pa.timestamp("ns")
    if pa.types.is_timestamp(kind) or pa.types.is_time(kind) or pa.types.is_duration(kind):
        each = {"s": 1.0, "ms": 1e-3, "us": 1e-6, "ns": 1e-9}[kind.unit]
        ticks = np.asarray(pc.cast(column, pa.int32() if pa.types.is_time32(kind) else pa.int64()).to_numpy())
        return np.asarray((ticks - ticks[:1]) * each, np.float64)
    if pa.types.is_integer(kind) or pa.types.is_floating(kind):
        # Whole numbers are subtracted as such, for a float holds nanoseconds since 1970 to some hundred of them.
        whole = pa.types.is_integer(kind)
        numbers = _whole(file, name, column) if whole else _numbers(file, name, column, guessed=False)
        each = next((unit for least, unit in SINCE_1970 if numbers[0] >= least), 1.0)
        return np.asarray((numbers - numbers[:1]) * each, np.float64)
    text = column[0].as_py()
    raise Defect(
        file, None, name, f"expected seconds, or times like 2026-01-31 12:30:00.5; got {text!r}. Rewrite the column."
    )
