"""Columns of numbers, with their times where there are any, from CSV, Parquet, WFDB and EDF files."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from tacit._files import parse_json
from tacit._registry import suggest
from tacit.data.readers._columns import Columns, row_name
from tacit.data.readers._csv import Content, read_csv
from tacit.data.readers._edf import read_edf
from tacit.data.readers._times import origin, seconds, time_columns
from tacit.data.readers._units import check_units
from tacit.data.readers._wfdb import read_wfdb
from tacit.data.tables import COLUMNS, read_parquet
from tacit.data.validation import Defect
from tacit.types import Array

__all__ = ["SUFFIXES", "Sheet", "Wanted", "contents", "read_sheets"]

RECORDS = {".hea": read_wfdb, ".edf": read_edf, ".bdf": read_edf}
SUFFIXES = frozenset({".csv", ".tsv", ".parquet", *RECORDS})
INDEX = re.compile(r"__index_level_\d+__")


@dataclass(frozen=True)
class Wanted:
    """Selection of the columns of a file.

    Attributes:
        time: The column of the times; empty for none; None for one with such a name.
        columns: The channels; None for every other column but the index that pandas wrote to Parquet.
        labels: Columns that are labels.
        actions: Columns that are actions.
        fill: The number of each column that marks a missing one.
        decimal: The decimal sign of CSV files; None finds it.
        encoding: The encoding of CSV files; None finds it.
        episode: The column whose values distinguish the recordings in a file; None: a file holds one.
        exogenous: Columns that are inputs which nobody chooses; they follow the channels.
        targets: Columns that are labels and always numbers.
        zone: The time zone of times without an offset.
    """

    time: str | None = None
    columns: Sequence[str] | None = None
    labels: Sequence[str] = ()
    actions: Sequence[str] = ()
    fill: Mapping[str, float] = field(default_factory=dict)
    decimal: Literal[".", ","] | None = None
    encoding: str | None = None
    episode: str | None = None
    exogenous: Sequence[str] = ()
    targets: Sequence[str] = ()
    zone: str | None = None


@dataclass(frozen=True)
class Sheet:
    """Content of a file of signals, or of one of the recordings in it.

    Attributes:
        names: The names of the channels, and then of the exogenous inputs.
        values: ``[N, C]``, NaN where nothing was recorded.
        labels: ``[N]`` each.
        actions: ``[N, A]``.
        commands: The names of the actions.
        time: The column of the times, where there is one.
        seconds: ``[N]`` since the first row, where there are times.
        rate: Samples a second, where the file has a rate.
        lines: The line in the file of the first row, or of each row; None where the file has no lines.
        rows: ``[N]`` the row in the file of each row, where rows were inserted or belong to other recordings.
        filled: The count of missing numbers of each column that were replaced by ``fill``.
        bridged: The count of missing numbers of each column that were filled from their neighbours.
        longest: The longest gap that was filled, in seconds.
        notes: Notes on guesses.
        recording: The name of this recording in the file, where it holds several.
        origin: The time of the first row in seconds since 1970, where it is known.
        units: The units below the names of the columns, by name.
        updated: ``[N, K]`` the time in seconds of the last update of each slow column.
    """

    names: tuple[str, ...]
    values: npt.NDArray[np.float64]
    labels: dict[str, Array]
    actions: npt.NDArray[np.float64]
    commands: tuple[str, ...] = ()
    time: str = ""
    seconds: npt.NDArray[np.float64] | None = None
    rate: float | None = None
    lines: int | npt.NDArray[np.int64] | None = None
    rows: npt.NDArray[np.int64] | None = None
    filled: Mapping[str, int] = field(default_factory=dict)
    bridged: Mapping[str, int] = field(default_factory=dict)
    longest: float = 0.0
    notes: tuple[str, ...] = ()
    recording: str = ""
    origin: float | None = None
    units: Mapping[str, str] = field(default_factory=dict)
    updated: npt.NDArray[np.float64] | None = None

    def where(self, row: int) -> str:
        """Return the name of a row for messages."""
        return row_name(self.lines, row if self.rows is None else int(self.rows[row]))


def read_sheets(file: Path, wanted: Wanted) -> list[Sheet]:
    """Return the recordings in a CSV, TSV or Parquet file, or the one of a WFDB header or EDF file.

    Raises:
        DataError: naming file, column and row of a value that cannot be read.
        MissingExtra: if it is a WFDB or EDF file and the package is not installed.
    """
    if file.suffix.lower() in RECORDS:
        return [_record(file, wanted)]
    content = contents(file, wanted)
    table = content.table
    if table.num_columns > COLUMNS:
        raise Defect(file, None, "columns", f"expected at most {COLUMNS} columns; there are {table.num_columns}.")
    twice = [name for name, times in Counter(table.column_names).items() if times > 1]
    if twice:
        raise Defect(file, None, twice[0], "two columns have that name. Rename one.")
    if not len(table):
        raise Defect(file, None, "rows", "expected samples; there are none.")
    clock = _time_column(file, table, wanted.time)
    check_units(file, content.units, f"line {content.lines - 1}" if isinstance(content.lines, int) else "the line")
    given = (*(wanted.columns or ()), *wanted.labels, *wanted.actions, *wanted.exogenous, *wanted.targets, *wanted.fill)
    ids = [] if wanted.episode is None else [wanted.episode]
    for name in (*([] if clock is None else [clock]), *ids, *given):
        _known(file, name, table.column_names)
    aside = {clock, *ids, *wanted.labels, *wanted.actions, *wanted.exogenous, *wanted.targets, *_index(file, table)}
    channels = tuple(wanted.columns or (name for name in table.column_names if name not in aside))
    _check_names(file, table, channels, named=bool(wanted.columns))
    chosen = (*channels, *wanted.exogenous)
    reading = Columns(file, content, wanted.fill)
    times, first = None, 0.0
    if clock is not None:
        times, first = seconds(file, clock, table[clock], content.units.get(clock, ""), reading.where, wanted.zone)
    sheet = Sheet(
        names=chosen,
        values=reading.matrix(chosen, guessed=wanted.columns is None),
        labels={
            **{name: reading.label(name) for name in wanted.labels},
            **{name: reading.numbers(name) for name in wanted.targets},
        },
        actions=reading.matrix(wanted.actions),
        commands=tuple(wanted.actions),
        time=clock or "",
        seconds=times,
        lines=content.lines,
        filled=reading.filled,
        notes=content.notes,
        origin=origin(first),
        units=content.units,
    )
    return [sheet] if wanted.episode is None else _recordings(file, wanted.episode, table[wanted.episode], sheet)


def _recordings(file: Path, name: str, ids: pa.ChunkedArray, sheet: Sheet) -> list[Sheet]:
    """Return a sheet with restarted times for each value of ``ids``; the order is that of their first rows."""
    missing = np.asarray(pc.is_null(ids, nan_is_null=True))
    if missing.any():
        row = int(np.argmax(missing))
        raise Defect(file, None, name, f"{sheet.where(row)} does not say which recording it is of. Fill the column in.")
    if pa.types.is_dictionary(ids.type):
        ids = ids.cast(ids.type.value_type)
    encoded = ids.combine_chunks().dictionary_encode()
    codes = np.asarray(encoded.indices)
    order = np.argsort(codes, kind="stable")  # rows of one recording keep their order
    rows_of_each = np.split(order, np.cumsum(np.bincount(codes))[:-1])
    found: list[Sheet] = []
    for value, rows in zip(encoded.dictionary.to_pylist(), rows_of_each, strict=True):
        one = replace(
            sheet,
            values=sheet.values[rows],
            labels={label: values[rows] for label, values in sheet.labels.items()},
            actions=sheet.actions[rows],
            seconds=None if sheet.seconds is None else sheet.seconds[rows] - sheet.seconds[rows[0]],
            origin=None
            if sheet.origin is None or sheet.seconds is None
            else sheet.origin + float(sheet.seconds[rows[0]]),
            rows=rows,
            recording=str(value),
        )
        found.append(replace(one, filled={}, notes=()) if found else one)  # counts of the whole file count once
    return found


def _check_names(file: Path, table: pa.Table, chosen: Sequence[str], *, named: bool) -> None:
    """Refuse unnamed channels that were not requested, and a file without channels."""
    if not (named or all(name.strip() for name in chosen)):
        raise Defect(
            file,
            None,
            "columns",
            f"expected a name for each column; there are {table.column_names}. A column without one may be the index "
            "that pandas writes: leave it out when you write the file (index=False), or say which columns are the "
            "signal: columns=('a', 'b').",
        )
    if not chosen:
        message = f"expected a column that is no time, label or action; there are {table.column_names}."
        raise Defect(file, None, "columns", message)


def contents(file: Path, wanted: Wanted) -> Content:
    """Return the columns of a CSV, TSV or Parquet file."""
    if file.suffix.lower() != ".parquet":
        return read_csv(file, wanted.decimal, wanted.encoding)
    try:
        return Content(read_parquet(file))
    except (OSError, ValueError, pa.ArrowException) as error:
        raise Defect(file, None, "rows", f"cannot be read ({error}).") from error


def _record(file: Path, wanted: Wanted) -> Sheet:
    try:
        record = RECORDS[file.suffix.lower()](file)
    except (ValueError, OSError) as error:
        raise Defect(file, None, "record", str(error)) from error
    ids = () if wanted.episode is None else (wanted.episode,)
    for kind, names in (
        ("labels", wanted.labels),
        ("actions", wanted.actions),
        ("names of recordings", ids),
        ("exogenous inputs", wanted.exogenous),
        ("targets", wanted.targets),
    ):
        if names:
            raise Defect(file, None, names[0], f"a WFDB or EDF file has no columns that can be {kind}.")
    if unknown := set(wanted.fill) - set(record.names):
        _known(file, unknown.pop(), record.names)
    for name in wanted.columns or ():
        _known(file, name, record.names)
        if (alike := record.names.count(name)) > 1:
            raise Defect(
                file,
                None,
                name,
                f"{alike} signals have that name. Rename them in the header, or open the record without "
                "columns=, which takes every signal.",
            )
    places = [record.names.index(name) for name in wanted.columns or ()] or list(range(len(record.names)))
    names = tuple(record.names[place] for place in places)
    rates = {record.rates[place] for place in places}
    if len(rates) > 1:
        told = ", ".join(f"{record.names[place]} {record.rates[place]:g}" for place in places)
        raise Defect(
            file,
            None,
            "rate",
            f"the signals have different rates ({told} samples a second). Say which to read: columns=('a', 'b').",
        )
    values, filled = np.stack([record.signals[place] for place in places], axis=1), {}
    for place, name in enumerate(names):
        if name in wanted.fill:
            missing = ~np.isfinite(values[:, place])
            values[missing, place], filled[name] = wanted.fill[name], int(missing.sum())
    sheet = Sheet(names, values, {}, np.zeros((len(values), 0)), rate=rates.pop())
    return replace(sheet, filled=filled)


def _known(file: Path, name: str, names: Sequence[str]) -> None:
    if name not in names:
        raise Defect(file, None, name, f"there is no such column.{suggest(name, names)} There are: {', '.join(names)}.")


def _index(file: Path, table: pa.Table) -> list[str]:
    """Return the columns that pandas wrote as the index of the rows."""
    try:
        about = parse_json((table.schema.metadata or {}).get(b"pandas", b"{}"))
        said = about.get("index_columns", []) if isinstance(about, dict) else None
        if not isinstance(said, list):
            raise ValueError("expected an object with a list of 'index_columns'")
    except ValueError as error:
        raise Defect(file, None, "rows", f"what pandas says of the columns cannot be read ({error}).") from error
    # A range of numbers is not a column, but a mapping of its bounds.
    return [name for name in table.column_names if name in said or INDEX.fullmatch(name)]


def _time_column(file: Path, table: pa.Table, time: str | None) -> str | None:
    if time is not None:
        return time or None
    found = time_columns(table)
    if len(found) > 1:
        raise Defect(
            file, None, found[1], f"several columns may be the time: {found}. Say which, as time={found[0]!r}."
        )
    return found[0] if found else None
