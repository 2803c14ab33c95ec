"""What sections share: result files, rates with intervals, tables."""

import json
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).parents[1] / "results"
Rows = list[tuple[str, ...]]


def load(name: str) -> Any:
    """One result file, or None where it was not measured yet."""
    path = RESULTS / f"{name}.json"
    return json.loads(path.read_text(), object_hook=_renamed) if path.exists() else None


def _renamed(value: dict[str, Any]) -> dict[str, Any]:
    """Names of actors in results of 0.1, by their present names."""
    return {{"amortised": "policy", "ceiling": "oracle"}.get(name, name): item for name, item in value.items()}


def rate(value: dict[str, float]) -> str:
    """A rate with its interval."""
    return f"{100 * value['rate']:.1f} % [{100 * value['low']:.1f}, {100 * value['high']:.1f}]"


def mean(value: dict[str, float], digits: int = 2) -> str:
    """A mean with its interval."""
    return f"{value['mean']:.{digits}f} [{value['low']:.{digits}f}, {value['high']:.{digits}f}]"


def met(is_met: bool) -> str:
    """The verdict on a target."""
    return "met" if is_met else "missed"


def table(header: tuple[str, ...], rows: Rows) -> str:
    """A Markdown table."""
    lines = [header, tuple("---" for _ in header), *rows]
    return "\n".join("| " + " | ".join(row) + " |" for row in lines)
