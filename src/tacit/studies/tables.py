"""Markdown tables of results with their intervals."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, TypeVar

from tacit.studies.study import Report, Study, Target

__all__ = ["at_least", "at_most", "columns", "mean", "met", "points", "rate", "section", "table", "targets"]

S = TypeVar("S")


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a Markdown table."""
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in lines)


def columns(cells: Mapping[str, str | Callable[[Any], str]], rows: Iterable[Mapping[str, Any]]) -> str:
    """Return a Markdown table of recorded values.

    Args:
        cells: Cells by the title of their column: a template such as ``"{seconds[train]:.0f}"``, or a function.
        rows: The values of each row.
    """
    filled = ([cell.format_map(row) if isinstance(cell, str) else cell(row) for cell in cells.values()] for row in rows)
    return table(list(cells), filled)


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
