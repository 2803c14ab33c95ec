"""Columns of times as seconds."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from tacit.data.readers._zones import localized, without_names
from tacit.data.validation import Defect

__all__ = ["is_time_name", "origin", "seconds", "time_columns"]

SINCE_1970 = ((1e17, 1e-9), (1e14, 1e-6), (1e11, 1e-3))
"""Smallest times in nano-, micro- or milliseconds; seconds since 1970 reach them in the year 5138."""
NAMES = frozenset(
    ("time", "times", "t", "timestamp", "timestamps", "seconds", "sec", "date", "datetime", "zeit", "datum", "uhrzeit")
)
UNITS = {"s": 1.0, "sec": 1.0, "seconds": 1.0, "ms": 1e-3, "msec": 1e-3, "us": 1e-6, "µs": 1e-6, "μs": 1e-6}
UNITS |= {"ns": 1e-9, "min": 60.0, "minutes": 60.0, "h": 3600.0, "hours": 3600.0, "d": 86400.0, "days": 86400.0}
NO_UNITS = ("", "-", "utc", "gmt", "local", "unix", "epoch", "posix", "iso", "date", "datetime")
"""Words in the place of a unit that say nothing about it."""
SINCE = 1e8
"""The least time in seconds that counts from 1970; smaller ones count from the start of a recording."""
NAMED = re.compile(
    r"(?P<base>.*?)(\s*[\[(]\s*(?P<unit>[^\])]*?)\s*[\])]|\s*[_/]\s*(?P<short>s|sec|ms|us|µs|ns|min))?\s*"
)
EUROPEAN = (
    r"^\s*(?P<first>\d{1,2})(?P<sign>[./-])(?P<second>\d{1,2})[./-](?P<year>\d{4})"
    r"(?:[ T,]+(?P<hour>\d{1,2}):(?P<minute>\d{2})(?::(?P<seconds>\d{2}(?:[.,]\d{1,9})?))?)?\s*$"
)

Floats = npt.NDArray[np.float64]


def is_time_name(name: str) -> bool:
    """Return whether a column name means times, with or without a unit: ``time``, ``t [ms]``, ``time_s``."""
    found = NAMED.fullmatch(name.strip().lower())
    if found is None or found["base"].strip() not in NAMES:
        return False
    # T is often a temperature.
    return name.strip()[0] != "T" or found["base"].strip() != "t" or (found["unit"] or found["short"]) in UNITS


def time_columns(table: pa.Table) -> list[str]:
    """Return the columns that may be the time: by their names, or else by their types."""
    found = [name for name in table.column_names if is_time_name(name)]
    return found or [field.name for field in table.schema if pa.types.is_temporal(field.type)]


def origin(first: float) -> float | None:
    """Return the first time of a recording in seconds since 1970; None where it counts from another instant."""
    return first if first >= SINCE else None


def seconds(
    file: Path, name: str, column: pa.ChunkedArray, unit: str, where: Callable[[int], str], zone: str | None = None
) -> tuple[Floats, float]:
    """Return a column of times as seconds since its first row, and its first row in seconds.

    Args:
        file: The file, for messages.
        name: The name of the column; a unit in it, such as ``time [ms]``, is applied.
        column: Numbers, times, or text such as ``31.01.2026 12:30:00``.
        unit: The unit in a separate line, where there is one.
        where: A function that names a row in messages.
        zone: The time zone of times without an offset; None: they are as in UTC.

    Raises:
        DataError: naming the row of a value that is not a time.
    """
    column, said = without_names(file, name, column, where)
    zone = said or zone
    kind = column.type
    if column.null_count:
        row = int(np.argmax(column.is_null().to_numpy()))
        raise Defect(file, None, name, f"expected a time in every row; {where(row)} has none.")
    if pa.types.is_date(kind):
        column, kind = pc.cast(column, pa.timestamp("ns")), pa.timestamp("ns")
    if pa.types.is_timestamp(kind) and zone is not None:
        column = localized(file, name, column, zone, where)
    if pa.types.is_timestamp(kind) or pa.types.is_time(kind) or pa.types.is_duration(kind):
        each = {"s": 1.0, "ms": 1e-3, "us": 1e-6, "ns": 1e-9}[kind.unit]
        ticks = np.asarray(pc.cast(column, pa.int32() if pa.types.is_time32(kind) else pa.int64()).to_numpy())
        return np.asarray((ticks - ticks[:1]) * each, np.float64), float(ticks[0]) * each
    if pa.types.is_integer(kind) or pa.types.is_floating(kind):
        return _numbers(file, name, column, unit)
    text = column[0].as_py()
    found = _european(file, name, column, where) if pa.types.is_string(kind) else None
    if found is None:
        raise Defect(
            file,
            None,
            name,
            f"expected seconds, or times like 2026-01-31 12:30:00.5; got {str(text)[:60]!r} in {where(0)}. Rewrite the "
            "column.",
        )
    if zone is not None:
        ticks = np.round((found[0] + found[1]) * 1e6).astype(np.int64)
        return seconds(file, name, pa.chunked_array([pa.array(ticks, pa.timestamp("us"))]), unit, where, zone)
    return found


def _numbers(file: Path, name: str, column: pa.ChunkedArray, unit: str) -> tuple[Floats, float]:
    # Whole numbers are subtracted as such: a float holds nanoseconds since 1970 only to some hundred of them.
    numbers: npt.NDArray[np.int64] | Floats
    if pa.types.is_integer(column.type):
        try:
            numbers = np.asarray(pc.cast(column, pa.int64()).to_numpy(), np.int64)
        except pa.ArrowInvalid as error:
            raise Defect(
                file, None, name, f"expected whole numbers below 2^63 ({error}). Write smaller ones."
            ) from error
    else:
        numbers = np.asarray(pc.cast(column, pa.float64()).to_numpy(), np.float64)
    found = NAMED.fullmatch(name.strip().lower())
    said = (found and (found["unit"] or found["short"])) or unit.strip("[]() ").lower()
    if said not in UNITS and said not in NO_UNITS:
        raise Defect(
            file,
            None,
            name,
            f"expected a unit of time, one of {', '.join(sorted(UNITS))}; got {said!r}. Correct the unit, in the name "
            "of the column or in the line below the names.",
        )
    each = UNITS.get(said) or next((scale for least, scale in SINCE_1970 if numbers[0] >= least), 1.0)
    return np.asarray((numbers - numbers[:1]) * each, np.float64), float(numbers[0]) * each


def _european(
    file: Path, name: str, column: pa.ChunkedArray, where: Callable[[int], str]
) -> tuple[Floats, float] | None:
    """Return dates like 31.01.2026 or 1/31/2026 as :func:`seconds`; None where a row has another form."""
    parts = pc.extract_regex(column, EUROPEAN)
    if parts.null_count:
        row = int(np.argmax(parts.is_null().to_numpy()))
        if row:
            raise Defect(
                file,
                None,
                name,
                f"expected times like {column[0].as_py()!r}, in the first row; {where(row)} holds "
                f"{str(column[row].as_py())[:60]!r}.",
            )
        return None
    first, second, year, hour, minute = (
        _whole(pc.struct_field(parts, part)) for part in ("first", "second", "year", "hour", "minute")
    )
    rest = pc.replace_substring(pc.struct_field(parts, "seconds"), ",", ".")
    within = np.asarray(pc.cast(pc.if_else(pc.equal(rest, ""), "0", rest), pa.float64()).to_numpy(), np.float64)
    days_first = bool((first > 12).any()) or pc.struct_field(parts, "sign")[0].as_py() == "."
    if days_first and (second > 12).any():
        row = int(np.argmax(second > 12))
        raise Defect(file, None, name, f"{where(row)} holds {column[row].as_py()!r}, which has no month {second[row]}.")
    same = (first == first[0]).all() and (second == second[0]).all()  # on one day the order makes no difference
    if not (days_first or (second > 12).any() or same):
        raise Defect(
            file,
            None,
            name,
            f"dates such as {column[0].as_py()!r} may begin with the day or with the month. Write them as "
            "year-month-day.",
        )
    day, month = (first, second) if days_first or (same and second[0] <= 12) else (second, first)
    months = (year - 1970).astype("M8[Y]").astype("M8[M]") + (month - 1)
    dates = months.astype("M8[D]") + (day - 1)
    wrong = (dates.astype("M8[M]") != months) | (hour > 24) | (minute > 59)
    if wrong.any():
        row = int(np.argmax(wrong))
        raise Defect(file, None, name, f"{where(row)} holds {column[row].as_py()!r}, and there is no such time.")
    whole = (dates - dates[0]).astype(np.int64) * 86400 + hour * 3600 + minute * 60
    start = float(dates[0].astype("M8[s]").astype(np.int64)) + float(whole[0] + within[0])
    return np.asarray((whole - whole[0]) + (within - within[0]), np.float64), start


def _whole(column: pa.ChunkedArray) -> npt.NDArray[np.int64]:
    filled = pc.if_else(pc.equal(column, ""), "0", column)
    return np.asarray(pc.cast(filled, pa.int64()).to_numpy(), np.int64)
