"""Index of a LeRobot dataset of layout v2.0 or v2.1: lines of JSON, and one file for each episode."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, cast

import numpy as np

from tacit._files import parse_json, read_bytes, read_json
from tacit._limits import is_whole
from tacit.data.formats import _lerobot_layout as layouts
from tacit.data.validation import Defect

__all__ = ["DATA", "SOURCE_DATA", "SOURCE_VIDEO", "VIDEO", "is_v2", "read_rows", "read_stats", "read_tasks"]

EPISODES, TASKS, EPISODES_STATS = "meta/episodes.jsonl", "meta/tasks.jsonl", "meta/episodes_stats.jsonl"
DATA = "data/chunk-{chunk_index:03d}/episode_{file_index:06d}.parquet"
VIDEO = "videos/chunk-{chunk_index:03d}/{video_key}/episode_{file_index:06d}.mp4"
SOURCE_DATA = "data/chunk-{episode_chunk:03d}/episode_{episode_index:06d}.parquet"
SOURCE_VIDEO = "videos/chunk-{episode_chunk:03d}/{video_key}/episode_{episode_index:06d}.mp4"
"""The paths above in the words of ``meta/info.json``."""
LINES = 1_000_000


def is_v2(info: Mapping[str, Any]) -> bool:
    """Return whether a dataset has this layout, by the version in its ``meta/info.json``."""
    return str(info["codebase_version"]).startswith(("v2.0", "v2.1"))


def read_rows(root: Path, info: Mapping[str, Any], videos: list[str]) -> list[dict[str, Any]]:
    """Return the episodes as the rows of ``meta/episodes`` of layout v3.0; an episode has its own files.

    Args:
        root: The dataset.
        info: The content of ``meta/info.json``.
        videos: The features that are videos.

    Raises:
        Defect: naming the line that is damaged.
    """
    size: Any = info.get("chunks_size", 1000)
    if not (is_whole(size) and 1 <= size < 2**31):
        raise Defect(root / layouts.INFO, None, "chunks_size", f"expected a whole number above 0; got {size!r}.")
    rows, begin = [], 0
    for number, line in enumerate(sorted(_lines(root / EPISODES), key=lambda line: _index(line, "episode_index"))):
        index, length = line.get("episode_index"), cast("int", line.get("length"))
        if index != number:
            raise Defect(root / EPISODES, number, "episode_index", f"expected {number}; got {str(index)[:50]}.")
        if not (is_whole(length) and 0 <= length < 2**53):
            raise Defect(root / EPISODES, number, "length", f"expected a number of frames; got {str(length)[:50]}.")
        row = {"episode_index": number, "length": length, "tasks": line.get("tasks")}
        row |= {"dataset_from_index": begin, "dataset_to_index": begin + length}
        place = {"chunk_index": number // size, "file_index": number}
        row |= {f"data/{name}": value for name, value in place.items()}
        for key in videos:
            row |= {f"videos/{key}/{name}": value for name, value in place.items()}
            row[f"videos/{key}/from_timestamp"] = 0.0
        rows.append(row)
        begin += length
    return rows


def read_tasks(root: Path) -> list[str]:
    """Return the tasks in the order of their numbers.

    Raises:
        Defect: if a number is missing.
    """
    lines = sorted(_lines(root / TASKS), key=lambda line: _index(line, "task_index"))
    for number, line in enumerate(lines):
        if line.get("task_index") != number or not isinstance(line.get("task"), str):
            raise Defect(root / TASKS, None, "task_index", f"expected task {number}; got {str(line)[:100]}.")
    return [line["task"] for line in lines]


def read_stats(root: Path) -> Any:
    """Return minimum and maximum of each feature over all episodes, or the content of ``meta/stats.json``.

    Raises:
        OSError: if both files are missing.
        ValueError: if a line is no object of statistics.
    """
    path = root / EPISODES_STATS
    if not path.exists():
        return read_json(root / layouts.STATS)
    found: dict[str, dict[str, Any]] = {}
    for line in _lines(path):
        stats = line.get("stats")
        if not isinstance(stats, dict):
            raise ValueError(f"expected an object 'stats' in each line of {path.name}; got {str(line)[:100]}")
        for key, numbers in stats.items():
            if not isinstance(numbers, dict) or not {"min", "max"} <= set(numbers):
                raise ValueError(f"expected min and max of {key!r} in {path.name}; got {str(numbers)[:100]}")
            both = {"min": np.asarray(numbers["min"], float), "max": np.asarray(numbers["max"], float)}
            before = found.setdefault(key, both)
            before["min"] = np.minimum(before["min"], both["min"])
            before["max"] = np.maximum(before["max"], both["max"])
    return found


def _lines(path: Path) -> Iterator[dict[str, Any]]:
    """Yield the object in each line of a file.

    Raises:
        Defect: if the file is missing, or a line is damaged.
    """
    try:
        lines = read_bytes(path).splitlines()
    except (OSError, ValueError) as error:
        raise Defect(path, None, path.name, f"cannot be read: {error}.") from error
    if len(lines) > LINES:
        raise Defect(path, None, path.name, f"expected at most {LINES} lines; there are {len(lines)}.")
    for number, line in enumerate(lines):
        if not line.strip():
            continue
        try:
            value = parse_json(line)
            if not isinstance(value, dict):
                raise ValueError(f"expected an object; got {str(value)[:100]}")
        except ValueError as error:
            raise Defect(path, None, path.name, f"line {number + 1} cannot be read: {error}.") from error
        yield value


def _index(line: Mapping[str, Any], name: str) -> int:
    """Return a number to sort by; -1 for what is no number, which is refused later."""
    value = line.get(name)
    return value if isinstance(value, int) else -1
