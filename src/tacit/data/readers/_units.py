"""Units of columns, from a line below their names."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from tacit.data.validation import Defect

__all__ = ["check_alike", "check_units", "named"]

SYMBOL = r"[A-Za-zµμΩ°%‰$€℃℉'\"]+"
FACTOR = rf"(?:1|10\^?[-+]?\d+|{SYMBOL})(?:\s*(?:\^|\*\*)?\s*[-+]?\d+|[⁻⁺]?[¹²³⁰⁴-⁹]+)?"
GROUP = rf"(?:{FACTOR}|\(\s*{FACTOR}(?:\s*[*·. /]\s*{FACTOR})*\s*\))"
UNIT = re.compile(rf"{GROUP}(?:\s*[*·./]\s*{GROUP}|\s+{GROUP})*")
NONE = ("", "-", "--", "—", "1")
"""Cells of columns without a unit."""


def check_units(file: Path, units: Mapping[str, str], line: str) -> None:
    """Raise DataError naming the column and the line of a cell that is not written like a unit, such as ``kg/m^3``."""
    for name, unit in units.items():
        if _plain(unit) not in NONE and not UNIT.fullmatch(_plain(unit)):
            raise Defect(
                file,
                None,
                name,
                f"expected a unit such as degC, kg/h or m^3 in {line}, below the names; got {unit!r}. Correct it, or "
                "leave the cell empty.",
            )


def check_alike(file: Path, units: Mapping[str, str], other: Path, first: Mapping[str, str]) -> None:
    """Raise DataError if a column has another unit than in the first file."""
    for name in units.keys() & first.keys():
        if _plain(units[name]) != _plain(first[name]):
            raise Defect(
                file,
                None,
                name,
                f"expected the unit {first[name]!r}, as in {other.name}; got {units[name]!r}. Convert the column.",
            )


def named(name: str, units: Mapping[str, str]) -> str:
    """Return the name of a column with its unit, where it has one: ``temperature [degC]``."""
    unit = _plain(units.get(name, ""))
    return name if unit in NONE else f"{name} [{unit}]"


def _plain(unit: str) -> str:
    """Return a unit without the brackets around it."""
    unit = unit.strip()
    return unit[1:-1].strip() if re.fullmatch(r"\[[^\[\]]*\]|\([^()]*\)", unit) else unit
