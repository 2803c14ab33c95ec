"""Markdown tables of results with their intervals."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from string import Formatter
from typing import Any, TypeAlias, TypeVar

from tacit.errors import ConfigError
from tacit.statistics import Curve, cost_ratio
from tacit.studies.study import Report, RunResult, Study, Target

__all__ = [
    "at_least",
    "at_most",
    "columns",
    "mean",
    "met",
    "points",
    "rate",
    "relative_cost",
    "section",
    "table",
    "targets",
]

Cell: TypeAlias = str | Callable[[Any], str]
S = TypeVar("S")


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a Markdown table."""
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in lines)


def columns(cells: Mapping[str, Cell], rows: Mapping[str, RunResult] | Iterable[Mapping[str, Any]]) -> str:
    """Return a Markdown table of recorded values.

    A template such as ``"{planning[success]:rate}"`` names a value and its format, one of Python's or ``rate``,
    ``points``, ``mean`` and ``mean3`` for these functions (and a number of digits). A cell is empty where a row has no
    such value.

    Args:
        cells: Cells by the title of their column: a template, or a function of the row.
        rows: The values of each row, or results: a row is then the settings, values and origin of a run, with ``name``,
            ``case`` and ``seed``.

    Raises:
        ConfigError: if no row has the values of a template.
    """
    every = [_row(name, one) for name, one in rows.items()] if isinstance(rows, Mapping) else list(rows)
    filled = [[_filled(cell, row) if isinstance(cell, str) else cell(row) for row in every] for cell in cells.values()]
    for cell, column in zip(cells.values(), filled, strict=True):
        if every and cell and not any(column):
            raise ConfigError(f"no row has the values of {cell!r}. The first one has: {', '.join(every[0])}.")
    return table(list(cells), zip(*filled, strict=True))


class _Cells(Formatter):
    """Templates with the formats of this module."""

    def format_field(self, value: Any, form: str) -> str:
        word = form.rstrip("0123456789")
        if word == "mean":
            return mean(value, int(form.removeprefix(word) or 2))
        if form in ("rate", "points"):
            return {"rate": rate, "points": points}[form](value)
        return str(super().format_field(value, form))


def _filled(template: str, row: Mapping[str, Any]) -> str:
    try:
        return _Cells().vformat(template, (), row)
    except (KeyError, IndexError, TypeError):
        return ""


def _row(name: str, result: RunResult) -> dict[str, Any]:
    case, _, seed = name.rpartition("/")
    names = {"name": name, "case": case or name, "seed": seed}
    return {**names, **result.made_by, **result.settings, **result.values}


def rate(value: Mapping[str, float]) -> str:
    """Return a share with its interval in percent, from ``rate`` or ``mean``, ``low`` and ``high``."""
    middle = value["rate"] if "rate" in value else value["mean"]
    return f"{100 * middle:.1f} % [{100 * value['low']:.1f}, {100 * value['high']:.1f}]"


def mean(value: Mapping[str, float], digits: int = 2) -> str:
    """Return a mean with its interval."""
    return f"{value['mean']:.{digits}f} [{value['low']:.{digits}f}, {value['high']:.{digits}f}]"


def points(value: Mapping[str, float]) -> str:
    """Return a difference of shares with its interval, in signed percentage points."""
    return f"{100 * value['mean']:+.1f} [{100 * value['low']:+.1f}, {100 * value['high']:+.1f}]"


def relative_cost(first: Curve, second: Curve, score: float) -> str:
    """Return the cost of the second curve over that of the first at a score, where both begin below it."""
    if any(curve.mean()[0] >= score for curve in (first, second)):
        return "before the first point"
    return str(cost_ratio(first, second, score))


def met(is_met: bool) -> str:
    """Return the verdict on a target."""
    return "met" if is_met else "missed"


def at_most(quantity: str, value: float, most: float, form: str = "{:.2f}", limit: str = "<= {:g}") -> Target:
    """Return a target that ``value`` meets up to ``most``; the formats write the value and the limit."""
    return Target(quantity, limit.format(most), form.format(value), met(value <= most))


def at_least(quantity: str, value: float, least: float, form: str = "{:.2f}", limit: str = ">= {:g}") -> Target:
    """Return a target that ``value`` meets from ``least`` on; the formats write the value and the limit."""
    return Target(quantity, limit.format(least), form.format(value), met(value >= least))


def targets(rows: Iterable[Target]) -> str:
    """Return the table of targets."""
    cells = ((row.quantity, row.target, row.measured, row.verdict) for row in rows)
    return table(("quantity", "target", "measured", "verdict"), cells)


def section(study: Study[S], report: Report) -> str:
    """Return the Markdown section of a study: summary, command, targets and tables."""
    command = f" `{study.command}`" if study.command else ""
    parts = [f"## {study.title}", study.summary + command, *([targets(report.targets)] if report.targets else ())]
    return "\n\n".join([*parts, *report.tables]) + "\n"
