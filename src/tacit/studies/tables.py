"""Markdown tables of results with their intervals."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TypeVar

from tacit.studies.study import Report, Study, Target

__all__ = ["mean", "met", "points", "rate", "section", "table", "targets"]

S = TypeVar("S")


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a Markdown table."""
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in lines)


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


def targets(rows: Iterable[Target]) -> str:
    """Return the table of targets."""
    cells = ((row.quantity, row.target, row.measured, row.verdict) for row in rows)
    return table(("quantity", "target", "measured", "verdict"), cells)


def section(study: Study[S], report: Report) -> str:
    """Return the Markdown section of a study: summary, command, targets and tables."""
    command = f" `{study.command}`" if study.command else ""
    parts = [f"## {study.title}", study.summary + command, *([targets(report.targets)] if report.targets else ())]
    return "\n\n".join([*parts, *report.tables]) + "\n"
