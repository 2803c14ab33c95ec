"""Roles of the columns of a log: which may be named twice, and which slow columns are held."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from tacit._limits import is_positive
from tacit.data.readers._files import option
from tacit.data.readers._sheets import Sheet
from tacit.data.validation import Defect
from tacit.errors import ConfigError
from tacit.types import Array

if TYPE_CHECKING:
    from tacit.data.readers.signals import Signals

__all__ = ["check_periods", "check_roles", "held", "stale"]

Floats = npt.NDArray[np.float64]
ROLES = {
    "columns": "channel of the signal",
    "exogenous": "exogenous input",
    "actions": "action",
    "targets": "target",
    "labels": "label",
}


def check_roles(options: Signals) -> None:
    """Raise ConfigError for a column that has two roles, or that one role names twice."""
    roles: dict[str, str] = {}
    if options.time:
        roles[options.time] = "time"
    if options.episode is not None:
        others = (options.time, *(options.columns or ()), *options.exogenous, *options.actions)
        if options.episode in (*others, *options.targets, *options.labels):
            raise ConfigError(f"column {options.episode!r} tells episodes apart; it cannot have another role.")
    for name, role in ROLES.items():
        columns = {
            "columns": options.columns or (),
            "exogenous": options.exogenous,
            "actions": options.actions,
            "targets": options.targets,
            "labels": options.labels,
        }[name]
        if isinstance(columns, str):
            raise ConfigError(f"{name} is a sequence of names such as ({columns!r},); got {columns!r}.")
        for column in columns:
            if column in roles:
                raise ConfigError(_twice(column, roles[column], role))
            roles[column] = role


def check_periods(options: Signals) -> None:
    """Raise ConfigError for an update period that is out of range."""
    for name, period in options.period.items():
        if not is_positive(period):
            raise ConfigError(f"period is a positive number of seconds for each column; got {period!r} for {name!r}.")
        if name in options.fill:
            raise ConfigError(
                f"column {name!r} has a period, so that empty cells repeat the last number, and a number in fill, "
                "which replaces them. Give one of the two."
            )
        if name in (options.time, options.episode):
            raise ConfigError(f"column {name!r} has a period, but it is no measurement: it is the time or the episode.")
    if not (is_positive(options.stale_after) and options.stale_after >= 1):
        raise ConfigError(f"stale_after is a number of update periods, at least 1; got {options.stale_after!r}.")


def held(file: Path, sheet: Sheet, period: Mapping[str, float], rate: float | None) -> Sheet:
    """Return a sheet in which empty cells of slow columns repeat the last number, with the times of their updates.

    An update is a row with a number that differs from the one before, or that follows an empty cell. Cells before the
    first number stay empty.

    Args:
        file: The file, for messages.
        sheet: A sheet with times or a rate; any other is returned unchanged.
        period: Seconds from one update to the next, by column.
        rate: Samples a second, where the file has no rate.

    Raises:
        DataError: if a column with a period is not read.
    """
    rate = sheet.rate or rate
    if not period or (sheet.seconds is None and rate is None):
        return sheet
    times = np.arange(len(sheet.values)) / (rate or 1.0) if sheet.seconds is None else sheet.seconds
    values, actions = sheet.values.copy(), sheet.actions.copy()
    labels: dict[str, Array] = dict(sheet.labels)
    updated = np.empty((len(values), len(period)))
    for place, name in enumerate(period):
        if name in sheet.names:
            column = sheet.names.index(name)
            values[:, column], updated[:, place] = _updates(values[:, column], times)
        elif name in sheet.commands:
            column = sheet.commands.index(name)
            actions[:, column], updated[:, place] = _updates(actions[:, column], times)
        elif name in labels:
            label = labels[name]
            full, updated[:, place] = _updates(label.astype(np.float64), times)
            labels[name] = full if label.dtype.kind == "f" else label
        else:
            raise Defect(
                file,
                None,
                name,
                f"the column has a period, but no role, so that it is not read. Give it one, such as "
                f"{option('exogenous', f'[{name!r}]')}, or remove its period.",
            )
    return replace(sheet, values=values, actions=actions, labels=labels, updated=updated)


def stale(sheet: Sheet, period: Mapping[str, float], factor: float, rate: float) -> npt.NDArray[np.bool_]:
    """Return ``[N, K]`` whether the last update of each slow column is more than ``factor`` periods ago."""
    if sheet.updated is None:
        return np.zeros((len(sheet.values), len(period)), np.bool_)
    times = np.arange(len(sheet.values)) / rate if sheet.seconds is None else sheet.seconds
    limits = factor * np.array(list(period.values())) * (1 + 1e-9)
    return np.asarray(times[:, None] - sheet.updated > limits)


def _updates(values: Floats, times: Floats) -> tuple[Floats, Floats]:
    """Return a column with its last number in empty cells, and the time of the last update of each row."""
    there = np.isfinite(values)
    rows = np.arange(len(values))
    last = np.maximum.accumulate(np.where(there, rows, -1))
    full = np.where(last >= 0, values[last.clip(min=0)], np.nan)
    new = there.copy()
    new[1:] &= ~there[:-1] | (values[1:] != values[:-1])
    update = np.maximum.accumulate(np.where(new, rows, -1))
    return full, np.where(update >= 0, times[update.clip(min=0)], -np.inf)


def _twice(column: str, first: str, second: str) -> str:
    if first == second:
        return f"column {column!r} is named twice as {first}. Name it once."
    return f"column {column!r} has two roles, {first} and {second}. Give it one."
