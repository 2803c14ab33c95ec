"""Index of a LeRobot dataset, its ``meta`` folder, checked before all other files are read."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa

from tacit._files import read_json
from tacit._limits import is_positive
from tacit.data.formats import _lerobot_layout as layouts
from tacit.data.formats import _lerobot_v2 as v2
from tacit.data.formats._lerobot_layout import Layout
from tacit.data.tables import open_parquet, read_parquet
from tacit.data.validation import Defect

__all__ = ["load_info", "load_rows", "load_tasks"]

FEATURES = 2000
"""Largest number of features of a dataset."""


def load_info(root: Path) -> dict[str, Any]:
    """Return the content of ``meta/info.json``.

    Raises:
        Defect: if it is missing or damaged, of another version of the layout, or of no dataset of lerobot.
    """
    path = root / layouts.INFO
    try:
        info: dict[str, Any] = read_json(path)
        if not isinstance(info, dict) or "codebase_version" not in info:
            raise ValueError("expected the key 'codebase_version', which every dataset of lerobot has")
        version, features = str(info["codebase_version"]), info["features"]
        if not version.startswith("v3.") and not v2.is_v2(info):
            raise Defect(
                path, None, "codebase_version", f"expected v2.0, v2.1 or v3.x; got {version}. {_upgrade(version)}"
            )
        fps, *numbers = info["fps"], *(float(info[key]) for key in ("total_episodes", "total_frames"))
    except (OSError, ValueError, KeyError, TypeError, OverflowError) as error:
        if isinstance(error, Defect):
            raise
        raise Defect(path, None, "info.json", f"cannot be read: {error!r}.") from error
    if not is_positive(fps):
        raise Defect(path, None, "fps", f"expected a positive number of steps a second; got {fps!r}.")
    if not min(numbers) > 0 or not isinstance(features, dict):
        raise Defect(path, None, "total_episodes", "expected at least one episode and one frame; the dataset is empty.")
    if len(features) > FEATURES:
        raise Defect(path, None, "features", f"expected at most {FEATURES} features; got {len(features)}.")
    paths = (v2.SOURCE_DATA, v2.SOURCE_VIDEO) if v2.is_v2(info) else (layouts.DATA, layouts.VIDEO)
    for key, standard in zip(("data_path", "video_path"), paths, strict=True):
        if info.get(key) not in (standard, None):
            raise Defect(path, None, key, f"expected {standard!r}; got {info[key]!r}.")
    return info


def _upgrade(version: str) -> str:
    """Return the advice for a dataset of another version of the layout."""
    if version.startswith("v1."):
        return "Bring it to v2.0 first, with lerobot 0.1."
    return "Install a newer Tacit."


def load_rows(root: Path, info: Mapping[str, Any], layout: Layout) -> list[dict[str, Any]]:
    """Return the rows of ``meta/episodes`` in order, after checks of every index that locates files."""
    if v2.is_v2(info):
        rows = v2.read_rows(root, info, [layout.keys[name] for name in layout.videos])
    else:
        rows = _stored_rows(root, info)
    where, frames = root / "meta/episodes", 0
    needed = [
        "episode_index",
        "length",
        "dataset_from_index",
        "dataset_to_index",
        "data/chunk_index",
        "data/file_index",
    ]
    for key in (layout.keys[name] for name in layout.videos):
        needed += [f"videos/{key}/{part}" for part in ("chunk_index", "file_index", "from_timestamp")]
    if (root / layouts.TACIT).exists():
        needed += ["tacit/terminated", "tacit/final_action", *(f"tacit/crc32/{layout.keys[n]}" for n in layout.videos)]
        if any("tacit/seed" not in row or not row.get("tacit/digest") for row in rows):
            raise Defect(where, None, "tacit/digest", "the columns tacit/seed and tacit/digest are missing or empty.")
    if len(rows) != info["total_episodes"]:
        raise Defect(
            where, None, "total_episodes", f"meta/info.json counts {info['total_episodes']}; there are {len(rows)}."
        )
    for number, row in enumerate(rows):
        for key in needed:
            if not isinstance(row.get(key), (int, float)) or not abs(row[key]) < 2**53:  # NaN is a float too
                raise Defect(where, number, key, f"expected a number; got {row.get(key)!r}.")
            row[key] = row[key] if key.endswith("timestamp") else int(row[key])
    rows.sort(key=lambda row: int(row["episode_index"]))
    for number, row in enumerate(rows):
        if row["episode_index"] != number:
            raise Defect(where, number, "episode_index", f"expected {number}; got {row['episode_index']}.")
        if row["length"] < 1:
            raise Defect(where, number, "length", "the episode is empty. Delete it with lerobot's dataset tools.")
        if (row["dataset_from_index"], row["dataset_to_index"]) != (frames, frames + row["length"]):
            raise Defect(where, number, "dataset_from_index", f"expected {frames} to {frames + row['length']}.")
        frames += row["length"]
    if frames != info["total_frames"]:
        raise Defect(where, None, "total_frames", f"meta/info.json counts {info['total_frames']}; there are {frames}.")
    return rows


def _stored_rows(root: Path, info: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the rows of the files in ``meta/episodes``."""
    paths = sorted(root.glob("meta/episodes/*/*.parquet"))
    rows: list[dict[str, Any]] = []
    for path in paths:
        try:
            with open_parquet(path) as file:
                there, counted = len(rows) + file.metadata.num_rows, info["total_episodes"]
                if there > counted:
                    raise ValueError(f"meta/info.json counts {counted} episodes; there are {there} or more")
                names = [name for name in file.schema_arrow.names if not name.startswith("stats/")]
            rows += read_parquet(path, names).to_pylist()
        except (OSError, ValueError, pa.ArrowException) as error:
            raise Defect(path, None, "episodes", f"cannot be read ({error}); restore the file.") from error
    return rows


def load_tasks(root: Path, info: Mapping[str, Any]) -> list[str]:
    """Return the tasks by number."""
    if v2.is_v2(info):
        return v2.read_tasks(root)
    path = root / layouts.TASKS
    try:
        table = read_parquet(path).sort_by("task_index")
        name = next(name for name in table.column_names if name != "task_index")
        return [str(task) for task in table[name].to_pylist()]
    except (OSError, ValueError, StopIteration, pa.ArrowException) as error:
        raise Defect(path, None, "tasks.parquet", f"cannot be read: {error!r}.") from error
