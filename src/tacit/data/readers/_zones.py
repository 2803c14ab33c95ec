"""Local times as absolute times: zones, offsets and the hours that clocks repeat."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from tacit.data.readers._files import option
from tacit.data.validation import Defect
from tacit.errors import ConfigError

__all__ = ["check_zone", "localized", "without_names"]

STAMP = (
    r"^\s*(?P<stamp>\d{4}-\d{2}-\d{2}[ T]\d{2}:\d{2}(?::\d{2}(?:\.\d{1,9})?)?)\s*"
    r"(?P<zone>Z|[+-]\d{2}:?\d{2}|[A-Za-z]+(?:/[A-Za-z_+-]+)*)?\s*$"
)
UTC = ("Z", "UTC", "GMT")
PLACE = "Europe/Berlin"  # the example in messages


def check_zone(zone: str) -> None:
    """Raise ConfigError unless there is a time zone of that name."""
    try:
        pc.assume_timezone(pa.array([0], pa.timestamp("s")), zone)
    except (pa.ArrowException, ValueError, OSError) as error:
        raise ConfigError(
            f"time_zone is a name of the time zone database such as {PLACE!r} or 'UTC'; got {zone!r}."
        ) from error


def without_names(
    file: Path, name: str, column: pa.ChunkedArray, where: Callable[[int], str]
) -> tuple[pa.ChunkedArray, str | None]:
    """Return text such as ``2026-01-31 12:30 Europe/Berlin`` as local times, and the name of their zone.

    Any other column is returned unchanged, without a zone.

    Raises:
        DataError: naming the row, if only some times have a zone, or several have different ones.
    """
    if not pa.types.is_string(column.type) or column.null_count:
        return column, None
    parts = pc.extract_regex(column, STAMP)
    if parts.null_count:
        return column, None
    zones = pc.struct_field(parts, "zone")
    kinds = pc.unique(zones).to_pylist()
    if len(kinds) > 1:
        row = int(np.argmax(pc.not_equal(zones, zones[0]).to_numpy()))
        first = zones[0].as_py() or "no zone"
        raise Defect(
            file,
            None,
            name,
            f"expected times of one zone; the first row has {first}, and {where(row)} holds {column[row].as_py()!r}. "
            "Write all times with their offset from UTC, or all without.",
        )
    zone = "UTC" if kinds[0] in UTC else kinds[0]
    try:
        check_zone(zone)
    except ConfigError as error:
        raise Defect(
            file,
            None,
            name,
            f"{where(0)} holds {column[0].as_py()!r}, whose zone {zone!r} is not in the time zone database. Remove the "
            f"word from the times and name the place: {option('time_zone', PLACE)}.",
        ) from error
    stamps = pc.struct_field(parts, "stamp")
    return pc.cast(pc.replace_substring(stamps, "T", " "), pa.timestamp("ns")), zone


def localized(
    file: Path, name: str, column: pa.ChunkedArray, zone: str, where: Callable[[int], str]
) -> pa.ChunkedArray:
    """Return local times as times in UTC.

    Where clocks are set back, an hour occurs twice: times of that hour belong to its first pass until they run
    backwards, and then to the second.

    Raises:
        DataError: naming the row of a time that has an offset of its own, or that clocks skip in that zone.
    """
    if column.type.tz is not None:
        raise Defect(file, None, name, f"its times carry their offset from UTC. Leave out {option('time_zone', zone)}.")
    early = _assumed(column, zone, "earliest")
    ticks = np.asarray(pc.cast(column, pa.int64()).to_numpy())
    missing = _skipped(column, early)
    if missing.any():
        row = int(np.argmax(missing))
        raise Defect(
            file,
            None,
            name,
            f"{where(row)} holds {column[row].as_py()}, which clocks in {zone} skip when they are set forward. Name "
            "the zone in which the times were written.",
        )
    late = _assumed(column, zone, "latest")
    first, second = (np.asarray(pc.cast(one, pa.int64()).to_numpy()) for one in (early, late))
    repeated = first != second
    if not repeated.any():
        return early
    chosen = np.where(_second_pass(ticks, repeated), second, first)
    return pa.chunked_array([pa.array(chosen, pa.timestamp(column.type.unit, "UTC"))])


def _second_pass(ticks: npt.NDArray[np.int64], repeated: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
    """Return ``[N]`` which of the repeated times belong to the second pass of their hour."""
    found = np.zeros(len(ticks), np.bool_)
    edges = np.flatnonzero(np.diff(np.concatenate([[False], repeated, [False]])))
    for start, stop in edges.reshape(-1, 2):
        steps = np.diff(ticks[start:stop])
        back = np.flatnonzero(steps < 0)
        if not len(back) and (steps == 0).sum() == 1:  # one row an hour: 02:00 and again 02:00
            back = np.flatnonzero(steps == 0)
        if len(back):
            found[start + back[0] + 1 : stop] = True
    return found


def _assumed(column: pa.ChunkedArray, zone: str, ambiguous: str) -> pa.ChunkedArray:
    return pc.assume_timezone(column, zone, ambiguous=ambiguous, nonexistent="earliest")


def _skipped(column: pa.ChunkedArray, early: pa.ChunkedArray) -> npt.NDArray[np.bool_]:
    """Return ``[N]`` whether a local time does not exist: it does not return from UTC."""
    back = pc.local_timestamp(early)
    return np.asarray(pc.not_equal(pc.cast(back, column.type), column).to_numpy(), np.bool_)
