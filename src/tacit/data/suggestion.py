"""First mapping of the columns of a log to roles, with a reason for each."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from tacit._files import resolve
from tacit.data.mapping import Role
from tacit.data.readers import Signals
from tacit.data.readers._columns import Columns
from tacit.data.readers._csv import Content
from tacit.data.readers._sheets import Wanted, contents
from tacit.data.readers._times import seconds, time_columns
from tacit.errors import DataError

__all__ = ["suggest_mapping"]

Floats = npt.NDArray[np.float64]
WORD = r"(?:^|[^a-z0-9]|(?<=[a-z])(?=[0-9]))(?:{})(?:$|[^a-z]|(?<=[a-z])(?=[0-9]))"
NAMES: tuple[tuple[Role, str], ...] = (
    ("observation", "pv|measured|meas|actual|act|feedback|fbk"),
    ("action", "sp|set_?point|valve|cmd|command|mv|xmv|op|manipulated|duty|pwm|demand|action|control|input|u"),
    ("exogenous", "ambient|outside|outdoor|weather|wind|solar|feed|disturbance|dv|idv|load|price"),
    ("target", "lab|laboratory|quality|purity|assay|yield|target|kpi"),
    ("label", "state|status|mode|phase|class|label|alarm|fault|event"),
    ("episode", "run|run_?id|batch|batch_?id|episode|episode_?id|recording|trial|simulation_?run"),
)
FEW = 12
"""The largest number of values of a discrete column."""
HELD = 0.1
"""The largest share of rows in which a piecewise constant column changes."""


@dataclass(frozen=True)
class _Column:
    name: str
    role: Role
    reason: str
    period: float | None = None
    low: float = 0.0
    high: float = 0.0
    missing: int = 0


def suggest_mapping(path: str | os.PathLike[str]) -> str:
    """Suggest a mapping of the columns of a CSV, TSV or Parquet log to roles, as the text of a TOML file.

    Each column has a comment with the reason for its role. Review it: names and shapes of columns are only hints.

    Args:
        path: A file, or a folder, of which the first file is read.

    Raises:
        DataError: if there is no such file, or it cannot be read.
    """
    place = resolve(path)
    files = [file for file in Signals().files(place) if file.suffix.lower() != ".hea"]
    if not files:
        raise DataError(f"{place} holds no log: expected files that end in .csv, .tsv or .parquet.")
    content = contents(files[0], Wanted())
    times = time_columns(content.table)
    clock, notes = _clock(files[0], content, times[0] if times else None)
    reading = Columns(files[0], content, {})
    columns = [_suggested(name, content, reading, times, clock) for name in content.table.column_names]
    return _text(files[0], columns, notes)


def _clock(file: Path, content: Content, time: str | None) -> tuple[Floats | None, list[str]]:
    """Return the times of the rows, and lines with options for them."""
    if time is None:
        return None, ["rate = 1.0  # there is no column of times: write the number of rows a second"]
    where = Columns(file, content, {}).where
    times, _ = seconds(file, time, content.table[time], content.units.get(time, ""), where)
    steps = np.diff(times)
    if (steps < 0).any():
        row = int(np.argmax(steps < 0)) + 1
        local = pa.types.is_timestamp(content.table.schema.field(time).type)
        zone = (
            '\n# time_zone = "Europe/Berlin"  # if a clock was set back there: the zone of the clock' if local else ""
        )
        return times, [f'gaps = "split"  # the time runs backwards after {where(row - 1)}{zone}']
    return times, []


def _suggested(name: str, content: Content, reading: Columns, times: Sequence[str], clock: Floats | None) -> _Column:
    """Return the role of a column with the reason."""
    column = content.table[name]
    if name in times:
        if name == times[0]:
            return _Column(name, "time", "its name or type is that of times")
        return _Column(name, "skip", f"also a time, like {times[0]}")
    named = next((role for role, words in NAMES if re.search(WORD.format(words), _lower(name))), None)
    distinct = len(column.unique())
    if column.null_count == len(column):
        return _Column(name, "skip", "every cell is empty")
    if distinct - (column.null_count > 0) == 1:
        return _Column(name, "skip", "it has the same value in every row")
    kind = column.type
    if not (pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_boolean(kind)):
        if named == "episode" and distinct < len(column) and not column.null_count:
            return _Column(name, "episode", f"its name is that of recordings, and it has {distinct} values")
        return _Column(name, "skip", f"text with {distinct} values, such as {str(column[0].as_py())[:20]!r}")
    values = reading.numbers(name)
    return _numeric(name, values, distinct, named, clock, whole=bool((values[np.isfinite(values)] % 1 == 0).all()))


def _numeric(
    name: str, values: Floats, distinct: int, named: Role | None, clock: Floats | None, *, whole: bool
) -> _Column:
    """Return the role of a column of numbers."""
    there = np.flatnonzero(np.isfinite(values))
    known = values[there]
    changes = float((np.diff(known) != 0).mean()) if len(known) > 1 else 0.0
    gaps = np.diff(there)
    period, missing = None, len(values) - len(there)
    slow = ""
    if clock is not None and missing > len(values) / 2 and len(gaps):
        period = float(f"{np.median(clock[there[1:]] - clock[there[:-1]]):.4g}")
        slow, missing = f", a number every {period:g} s", 0
    moves = f"it changes in {changes:.0%} of the rows" if not slow else f"it changes in {changes:.0%} of its numbers"
    role: Role = "observation"
    reason = f"{moves}{slow}"
    if named == "episode" and whole and changes < HELD:
        role, reason = "episode", f"its name is that of recordings, and it has {distinct} values"
    elif named is not None and named != "episode":
        role, reason = named, f"its name is that of {_article(named)}; {reason}"
    elif whole and distinct <= FEW and changes < HELD:
        role, reason = "label", f"{distinct} whole numbers; {reason}"
    elif changes < HELD and not slow:
        role, reason = "action", f"piecewise constant: {reason}"
    low, high = float(np.min(known)), float(np.max(known))
    return _Column(name, role, reason, period, low, high, missing)


def _article(role: Role) -> str:
    return {"exogenous": "a measured input"}.get(role, f"{'an' if role[0] in 'aeiou' else 'a'} {role}")


def _lower(name: str) -> str:
    """Return a name in lower case, with an underscore between the words of ``flowSetpoint``."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).lower()


def _text(file: Path, columns: Sequence[_Column], notes: Sequence[str]) -> str:
    """Return the text of the mapping."""
    single: set[str] = set()
    lines = [
        f"# Roles of the columns of {file.name}: a suggestion to review.",
        "# Roles: time, episode, observation, action, exogenous (measured, nobody chooses it), target, label, skip.",
        "",
        "[roles]",
    ]
    roles: dict[str, Role] = {}
    for column in columns:
        role: Role = "skip" if column.role in single else column.role
        single |= {role} & {"time", "episode"}
        roles[column.name] = role
        lines.append(f"{_key(column.name)} = {_key(role)}  # {column.reason}")
    periods = [column for column in columns if column.period is not None and roles[column.name] != "skip"]
    if periods:
        lines += ["", "[period]  # seconds from one update to the next"]
        lines += [f"{_key(column.name)} = {column.period!r}" for column in periods]
    actions = [column for column in columns if roles[column.name] == "action"]
    for title in ("low", "high") if actions else ():
        lines += ["", f"# The recorded bounds of the actions. Write what the actuators accept: [{title}]"]
        lines += [f"# {_key(column.name)} = {vars(column)[title]!r}" for column in actions]
    holes = [column for column in columns if column.missing and roles[column.name] not in ("skip", "time")]
    options = list(notes)
    if holes and not any(note.startswith("gaps") for note in notes):
        options.append(f'gaps = "split"  # {holes[0].missing} numbers of {holes[0].name} are missing')
    return "\n".join([*lines, *(["", "[options]", *options] if options else [])]) + "\n"


def _key(text: str) -> str:
    """Return a text as a string of TOML."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")
