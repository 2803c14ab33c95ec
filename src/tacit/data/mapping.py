"""Mapping of the columns of a log to roles, as a TOML file."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, get_args

from tacit._config import from_json
from tacit._files import read_bytes
from tacit._registry import suggest
from tacit.errors import ConfigError

__all__ = ["ColumnMapping", "Role", "read_mapping"]

Role = Literal["time", "episode", "observation", "action", "exogenous", "target", "label", "skip"]
SINGLE: tuple[Role, ...] = ("time", "episode")
"""Roles that only one column can have."""
LARGEST = 2**24


@dataclass(frozen=True)
class ColumnMapping:
    """Roles of the columns of a log, and the options with which it is read.

    A column without a role is not read.

    Args:
        roles: The role of each column: ``time``, ``episode`` (it names the recording of a row), ``observation``,
            ``action``, ``exogenous`` (a measured input that nobody chooses), ``target`` (a number for probes),
            ``label`` or ``skip``.
        period: Seconds from one update to the next, for columns that are slower than the rows.
        low: The lower bound of each action.
        high: The upper bound of each action.
        fill: Replacements for missing numbers.
        options: Other options of :class:`tacit.data.readers.Signals`, such as ``gaps`` or ``time_zone``.

    Raises:
        ConfigError: for an unknown role, a column that has none, or two columns of a role that only one can have.
    """

    roles: Mapping[str, str]
    period: Mapping[str, float] = field(default_factory=dict)
    low: Mapping[str, float] = field(default_factory=dict)
    high: Mapping[str, float] = field(default_factory=dict)
    fill: Mapping[str, float] = field(default_factory=dict)
    options: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        known = get_args(Role)
        for column, role in self.roles.items():
            if role not in known:
                near = suggest(role, known)
                raise ConfigError(f"the role of column {column!r} is one of {', '.join(known)}; got {role!r}.{near}")
        for single in SINGLE:
            if len(several := self.columns(single)) > 1:
                raise ConfigError(f"only one column can be the {single}; got {' and '.join(map(repr, several))}.")
        if not self.columns("observation"):
            raise ConfigError("expected a column with the role 'observation'; there is none.")
        read = tuple(column for column, role in self.roles.items() if role not in ("skip", *SINGLE))
        for name, columns, kind in (
            ("period", read, "column that is read"),
            ("fill", read, "column that is read"),
            ("low", self.columns("action"), "action"),
            ("high", self.columns("action"), "action"),
        ):
            given = {"period": self.period, "fill": self.fill, "low": self.low, "high": self.high}[name]
            if unknown := [column for column in given if column not in columns]:
                near = suggest(unknown[0], columns)
                raise ConfigError(f"{name} has {unknown[0]!r}, which is no {kind} in roles.{near}")
            if kind == "action" and given and (missing := [column for column in columns if column not in given]):
                raise ConfigError(f"{name} needs a number for every action; {missing[0]!r} has none.")
        taken = ("columns", "actions", "labels", "exogenous", "targets", "time", "episode")
        for name in self.options:
            if name in (*taken, "period", "low", "high", "fill"):
                where = "roles" if name in taken else name
                raise ConfigError(f"options has {name!r}, which belongs into the table [{where}].")

    def columns(self, role: Role) -> tuple[str, ...]:
        """Return the columns with a role, in the order of the mapping."""
        return tuple(column for column, own in self.roles.items() if own == role)

    def reading(self) -> dict[str, Any]:
        """Return the options of :class:`tacit.data.readers.Signals` that the mapping means."""
        actions = self.columns("action")
        found: dict[str, Any] = {
            "time": next(iter(self.columns("time")), ""),
            "episode": next(iter(self.columns("episode")), None),
            "columns": self.columns("observation"),
            "actions": actions,
            "exogenous": self.columns("exogenous"),
            "targets": self.columns("target"),
            "labels": self.columns("label"),
            "period": dict(self.period),
            "fill": dict(self.fill),
            "low": tuple(self.low[name] for name in actions) if self.low else None,
            "high": tuple(self.high[name] for name in actions) if self.high else None,
        }
        return {**found, **self.options}


def read_mapping(path: Path) -> ColumnMapping:
    """Read a mapping from a TOML file.

    Raises:
        ConfigError: naming the file, if it cannot be read or breaks a rule of :class:`ColumnMapping`.
    """
    try:
        content = tomllib.loads(read_bytes(path, LARGEST).decode("utf-8"))
    except tomllib.TOMLDecodeError as error:
        twice = " A column can have one role only." if "overwrite" in str(error) else ""
        raise ConfigError(f"{path} is no TOML: {error}.{twice}") from error
    except (OSError, ValueError) as error:
        raise ConfigError(f"the mapping of columns {path} cannot be read: {error}.") from error
    try:
        return from_json(ColumnMapping, content, "mapping")
    except ConfigError as error:
        raise ConfigError(f"{path}: {error}") from error
