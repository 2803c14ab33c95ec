"""Verification of the statistics of a LeRobot dataset against its episodes; reading needs few of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from tacit._files import read_json
from tacit.data.formats import _lerobot_layout as layouts
from tacit.data.formats._lerobot_stats import merge
from tacit.data.tables import open_parquet, read_parquet
from tacit.data.validation import Finding

__all__ = ["statistics_findings"]

REWRITE = "Write the dataset anew with tacit.data.convert, which counts afresh, or restore the file."


def statistics_findings(root: Path) -> Iterator[Finding]:
    """Yield the defects of ``meta/stats.json`` against the statistics in ``meta/episodes``.

    For a dataset that Tacit wrote, every number is compared; for another one only the counts, where it has them,
    because its statistics may be missing or computed in another way.
    """
    path, own = root / layouts.STATS, (root / layouts.TACIT).exists()

    def finding(field: str, problem: str) -> Finding:
        return Finding(str(path), None, field, f"{problem} {REWRITE}")

    if not own and not path.exists():
        return
    try:
        stats = read_json(path)
        if not isinstance(stats, dict) or not all(isinstance(value, dict) for value in stats.values()):
            raise ValueError("expected an object of features, each an object of statistics")
    except (OSError, ValueError) as error:
        yield finding("stats.json", f"cannot be read ({error}).")
        return
    try:
        rows = _rows(root)
    except (OSError, ValueError, pa.ArrowException) as error:
        yield Finding(str(root / "meta/episodes"), None, "stats", f"cannot be read ({error}); restore the file.")
        return
    keys = {name.split("/")[1] for name in rows[0] if name.startswith("stats/")} if rows else set()
    if own and keys != set(stats):
        odd = sorted(keys ^ set(stats))[0]
        where = "is missing" if odd in keys else "is of no feature of the episodes"
        yield finding(odd, f"{where}; the episodes have statistics of {', '.join(sorted(keys))}.")
    for key in sorted(keys & set(stats)):
        problem = _compared(key, stats[key], rows, own)
        if problem:
            yield finding(key, problem)


def _rows(root: Path) -> list[dict[str, Any]]:
    """Return the columns ``stats/...`` of every episode."""
    rows: list[dict[str, Any]] = []
    for path in sorted(root.glob("meta/episodes/*/*.parquet")):
        with open_parquet(path) as file:
            names = [name for name in file.schema_arrow.names if name.startswith("stats/")]
        rows += read_parquet(path, names).to_pylist()
    return rows


def _compared(key: str, stats: Mapping[str, Any], rows: Sequence[Mapping[str, Any]], own: bool) -> str:
    """Return the problem of the statistics of one feature, empty where they are correct."""
    names = [name for name in rows[0] if name.startswith(f"stats/{key}/")]
    try:
        if not own:
            if "count" not in stats or f"stats/{key}/count" not in names:
                return ""
            counted = np.sum([np.asarray(row[f"stats/{key}/count"]) for row in rows])
            expected: Mapping[str, Any] = {"count": counted}
            stats = {"count": np.sum(np.asarray(stats["count"]))}
        else:
            expected = merge([{name.rpartition("/")[2]: np.asarray(row[name]) for name in names} for row in rows])
        if set(expected) - set(stats):
            return f"lacks {', '.join(sorted(set(expected) - set(stats)))}."
        for name, value in expected.items():
            came = np.asarray(stats[name], np.float64)
            if came.shape != value.shape or not np.allclose(came, value, rtol=1e-6, atol=1e-12, equal_nan=True):
                return f"{name} is {_short(stats[name])}; by the episodes it is {_short(value.tolist())}."
    except (KeyError, TypeError, ValueError) as error:
        return f"cannot be compared with the episodes ({error!r})."
    return ""


def _short(value: Any) -> str:
    text = str(value)
    return text if len(text) <= 80 else f"{text[:80]}..."
