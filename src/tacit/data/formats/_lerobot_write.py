"""Writing of a LeRobot dataset: one folder for each episode, then the shared files."""

from __future__ import annotations

import itertools
import json
import os
import shutil
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from tacit._config import to_json
from tacit._files import add_checksum
from tacit.data.formats import _lerobot_layout as layouts
from tacit.data.formats._images import encode_png
from tacit.data.formats._lerobot_layout import Layout
from tacit.data.formats._lerobot_stats import FeatureStats, column_stats, merge, pixel_stats
from tacit.data.formats._series import pack
from tacit.data.formats._video import encode_video, join_videos, same_stream
from tacit.data.storage import digest
from tacit.types import Array, Episode

__all__ = ["Limits", "build", "stage"]

Row = dict[str, Any]
SHARED = 256


@dataclass(frozen=True)
class Limits:
    """Size limits of shared files, in bytes, and the number of files of a chunk."""

    files_per_chunk: int
    data: float
    video: float


def stage(folder: Path, episodes: Sequence[Episode], layout: Layout, crf: int) -> None:
    """Write the files of each episode: its rows, its videos and its facts."""
    tables, facts = [], []
    for number, episode in enumerate(episodes):
        table, stats = _rows(episode, layout)
        tables.append(table)
        for name in layout.videos:
            encode_video(_video(folder, layout, name, number), _frames(episode, name), layout.spec.fps, crf)
        known = {
            "length": len(episode),
            "tasks": [episode.task],
            "tacit/seed": episode.seed,
            "tacit/terminated": episode.terminated,
            "tacit/final_action": episode.final_action is not None,
            "tacit/group": episode.group,
            "tacit/digest": digest(episode, f"libx264 crf {crf}: {', '.join(layout.videos)}" if layout.videos else ""),
        }
        parts = ((f"stats/{key}/{name}", value.tolist()) for key, part in stats.items() for name, value in part.items())
        facts.append(known | dict(parts))
    pq.write_table(pa.concat_tables(tables), folder / "rows.parquet", **layouts.STAGED)
    (folder / "facts.json").write_text(json.dumps(facts))


def _rows(episode: Episode, layout: Layout) -> tuple[pa.Table, dict[str, FeatureStats]]:
    """Return the rows of an episode in the parquet file, and the statistics of its features."""
    numbers = _numbers(episode, layout)
    stats = {key: column_stats(values) for key, values in numbers.items()}
    table = {key: _column(values) for key, values in numbers.items()}
    for name, modality in layout.spec.modalities.items():
        if modality.kind != "pixels":
            continue
        frames, key = _frames(episode, name), layout.keys[name]
        stats[key] = pixel_stats(frames)
        if name not in layout.videos:
            images = [{"bytes": data, "path": None} for data in encode_png(frames)]
            table[key] = pa.array(images, pa.struct({"bytes": pa.binary(), "path": pa.string()}))
    steps = np.arange(len(episode))
    table |= {"timestamp": pa.array((steps / layout.spec.fps).astype(np.float32)), "frame_index": pa.array(steps)}
    return pa.table(table), stats


def _frames(episode: Episode, name: str) -> npt.NDArray[np.uint8]:
    return np.asarray(episode.observation[name], np.uint8)


def _video(folder: Path, layout: Layout, name: str, number: int) -> Path:
    """Return the path of the video of the staged episode ``number`` in its folder."""
    return folder / f"{layout.keys[name]}.{number}.mp4"


def build(target: Path, layout: Layout, staged: Sequence[Path], base: Path | None, limits: Limits) -> None:
    """Write the dataset of the episodes of ``base`` and then the ``staged`` ones at ``target``."""
    before, known = _link(base, target) if base else ([], [])
    facts: list[list[Row]] = [json.loads((folder / "facts.json").read_bytes()) for folder in staged]
    rows = [row for part in facts for row in part]
    index = before[-1]["dataset_to_index"] if before else 0
    for number, row in enumerate(rows, len(before)):
        row |= {"episode_index": number, "dataset_from_index": index, "dataset_to_index": index + row["length"]}
        index += row["length"]
    tasks = {task: number for number, task in enumerate(dict.fromkeys([*known, *(row["tasks"][0] for row in rows)]))}
    last = before[-1] if before else None
    _write_data(target, staged, facts, tasks, limits, last)
    for name in layout.videos:
        sources = [
            _video(folder, layout, name, n)
            for folder, part in zip(staged, facts, strict=True)
            for n in range(len(part))
        ]
        _write_videos(target, layout, name, sources, rows, limits, last)
    chunk, file = _next(last, "meta/episodes", limits)
    for row in rows:
        row |= {"meta/episodes/chunk_index": chunk, "meta/episodes/file_index": file}
    if rows:
        path = target / layouts.EPISODES.format(chunk_index=chunk, file_index=file)
        _write_parquet(path, pa.Table.from_pylist(rows, _episode_schema(rows[0])), [len(rows)])
    _write_meta(target, layout, [*before, *rows], tasks, limits)


def _numbers(episode: Episode, layout: Layout) -> dict[str, Array]:
    """Return every column of numbers ``[T, D]``.

    The action of the last step is the final action, else the one before.
    """
    spec, steps = layout.spec, len(episode)
    numbers: dict[str, Array] = {}
    if spec.action.size:
        final = episode.action[-1] if episode.final_action is None else episode.final_action
        numbers["action"] = np.concatenate([episode.action, final[None]])
    for name, modality in spec.modalities.items():
        if modality.kind == "series":
            numbers[layout.keys[name]] = pack(episode.observation[name], spec, name, steps)
        elif modality.kind == "vector":
            numbers[layout.keys[name]] = episode.observation[name]
    labels = {layout.label_keys[name]: episode.labels[name].reshape(steps, -1) for name in layout.labels}
    return numbers | labels


def _column(values: Array) -> pa.Array:
    """Return ``[T, D]`` as a list for each row; as a number for one component, like lerobot."""
    flat = pa.array(np.ascontiguousarray(values).ravel())
    return flat if values.shape[1] == 1 else pa.FixedSizeListArray.from_arrays(flat, values.shape[1])


def _write_parquet(path: Path, table: pa.Table, lengths: Sequence[int]) -> None:
    """Write a table of episodes of ``lengths`` rows, with checksums that reveal damage.

    An episode is a row group, which can be read alone; episodes of a single row share one, because there may be many.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    plain = [field.name for field in table.schema if not pa.types.is_struct(field.type)]  # no extremes of PNG files
    options = {"use_dictionary": False, "write_statistics": plain, "write_page_checksum": True}
    with pq.ParquetWriter(path, table.schema, **options) as writer:
        start = 0
        for size in _row_groups(lengths):
            writer.write_table(table.slice(start, size), row_group_size=size)
            start += size


def _row_groups(lengths: Sequence[int]) -> Iterator[int]:
    """Yield the number of rows of each row group."""
    for alone, run in itertools.groupby(lengths, lambda length: length == 1):
        if not alone:
            yield from run
            continue
        count = sum(run)
        yield from (min(SHARED, count - start) for start in range(0, count, SHARED))


def _groups(sizes: Sequence[int], limit: float, breaks: Sequence[bool]) -> Iterator[range]:
    """Yield runs of neighbours of at most ``limit`` total size, at least one each, split at ``breaks``."""
    start, total = 0, 0
    for index, size in enumerate(sizes):
        if index > start and (total + size > limit or breaks[index]):
            yield range(start, index)
            start, total = index, 0
        total += size
    if start < len(sizes):
        yield range(start, len(sizes))


def _next(last: Mapping[str, Any] | None, prefix: str, limits: Limits) -> tuple[int, int]:
    """Return chunk and number of the file after the one that ``last`` names."""
    if last is None:
        return 0, 0
    chunk, file = last[f"{prefix}/chunk_index"], last[f"{prefix}/file_index"]
    return (chunk, file + 1) if file + 1 < limits.files_per_chunk else (chunk + 1, 0)


def _write_data(
    target: Path,
    staged: Sequence[Path],
    facts: Sequence[Sequence[Row]],
    tasks: Mapping[str, int],
    limits: Limits,
    last: Row | None,
) -> None:
    sizes = [(folder / "rows.parquet").stat().st_size for folder in staged]
    for group in _groups(sizes, limits.data, [False] * len(sizes)):
        chunk, file = _next(last, "data", limits)
        rows = [row for index in group for row in facts[index]]
        for row in rows:
            row |= {"data/chunk_index": chunk, "data/file_index": file}
        last, lengths = rows[-1], [row["length"] for row in rows]
        parts = [pq.read_table(staged[index] / "rows.parquet", page_checksum_verification=True) for index in group]
        table = pa.concat_tables(parts)
        episode, task = [row["episode_index"] for row in rows], [tasks[row["tasks"][0]] for row in rows]
        table = table.append_column("episode_index", pa.array(np.repeat(episode, lengths)))
        table = table.append_column("index", pa.array(np.arange(len(table)) + rows[0]["dataset_from_index"]))
        table = table.append_column("task_index", pa.array(np.repeat(task, lengths)))
        _write_parquet(target / layouts.DATA.format(chunk_index=chunk, file_index=file), table, lengths)


def _write_videos(
    target: Path,
    layout: Layout,
    name: str,
    sources: Sequence[Path],
    rows: Sequence[Row],
    limits: Limits,
    last: Row | None,
) -> None:
    key, fps = layout.keys[name], layout.spec.fps
    other = [index > 0 and not same_stream(sources[index - 1], path) for index, path in enumerate(sources)]
    for group in _groups([path.stat().st_size for path in sources], limits.video, other):
        chunk, file = _next(last, f"videos/{key}", limits)
        path = target / layouts.VIDEO.format(video_key=key, chunk_index=chunk, file_index=file)
        path.parent.mkdir(parents=True, exist_ok=True)
        lengths = [rows[index]["length"] for index in group]
        sums = join_videos([sources[index] for index in group], path, lengths, fps)
        frames = 0
        for index, total in zip(group, sums, strict=True):
            row = last = rows[index]
            start, frames = frames, frames + row["length"]
            row |= {f"videos/{key}/chunk_index": chunk, f"videos/{key}/file_index": file}
            row |= {f"videos/{key}/from_timestamp": start / fps, f"videos/{key}/to_timestamp": frames / fps}
            row[f"tacit/crc32/{key}"] = total


def _episode_schema(row: Row) -> pa.Schema:
    """Return the columns of ``meta/episodes``, the same for every file of a dataset."""

    def kind(name: str) -> pa.DataType:
        if name == "tacit/seed":
            return pa.int64()
        return pa.infer_type([row[name]])

    return pa.schema([(name, kind(name)) for name in row])


def _write_meta(target: Path, layout: Layout, rows: Sequence[Row], tasks: Collection[str], limits: Limits) -> None:
    meta = target / "meta"
    _write_tasks(meta / "tasks.parquet", tasks)
    keys = {name.split("/")[1] for name in rows[0] if name.startswith("stats/")}
    stats = {}
    for key in sorted(keys):
        names = [name for name in rows[0] if name.startswith(f"stats/{key}/")]
        parts = [{name.rpartition("/")[2]: np.asarray(row[name]) for name in names} for row in rows]
        stats[key] = {name: value.tolist() for name, value in merge(parts).items()}
    (meta / "stats.json").write_text(json.dumps(stats, indent=1))
    (meta / "tacit.json").write_text(add_checksum(to_json(layout)))
    fps = layout.spec.fps
    info = {
        "codebase_version": "v3.0",
        "robot_type": None,
        "fps": int(fps) if fps == int(fps) else fps,
        "features": layouts.features(layout),
        "total_episodes": len(rows),
        "total_frames": rows[-1]["dataset_to_index"],
        "total_tasks": len(tasks),
        "chunks_size": limits.files_per_chunk,
        "data_files_size_in_mb": max(round(limits.data / 2**20), 1),
        "video_files_size_in_mb": max(round(limits.video / 2**20), 1),
        "data_path": layouts.DATA,
        "video_path": layouts.VIDEO if layout.videos else None,
        "splits": {"train": f"0:{len(rows)}"},
    }
    (meta / "info.json").write_text(json.dumps(info, indent=1))


def _write_tasks(path: Path, tasks: Collection[str]) -> None:
    """Write the table of tasks with the pandas metadata that makes ``task`` its index, as lerobot requires."""
    columns = [("task_index", "int64", "int64"), ("task", "unicode", "object")]
    described = [
        {"name": name, "field_name": name, "pandas_type": kind, "numpy_type": dtype, "metadata": None}
        for name, kind, dtype in columns
    ]
    pandas = {"index_columns": ["task"], "column_indexes": [], "columns": described, "pandas_version": "2.2.0"}
    table = pa.table(
        {"task_index": pa.array(range(len(tasks)), pa.int64()), "task": pa.array(list(tasks), pa.string())}
    )
    pq.write_table(table.replace_schema_metadata({"pandas": json.dumps(pandas)}), path, write_page_checksum=True)


def _link(base: Path, target: Path) -> tuple[list[Row], list[str]]:
    """Link the shared files of ``base`` into ``target`` and return its episodes and tasks."""
    sources = [*base.glob("data/*/*.parquet"), *base.glob("videos/*/*/*.mp4"), *base.glob("meta/episodes/*/*.parquet")]
    for source in sources:
        path = target / source.relative_to(base)
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.is_relative_to(target / "meta") and "tacit/group" not in pq.read_schema(source).names:
            _add_groups(source, path)
            continue
        try:
            os.link(source, path)
        except OSError:  # not every file system has links
            shutil.copyfile(source, path)
    rows = [row for path in sorted(base.glob("meta/episodes/*/*.parquet")) for row in pq.read_table(path).to_pylist()]
    return rows, pq.read_table(base / layouts.TASKS).sort_by("task_index")["task"].to_pylist()


def _add_groups(source: Path, target: Path) -> None:
    """Write a table of episodes of an older version at ``target``, with the column of later versions."""
    table = pq.read_table(source, page_checksum_verification=True)
    place = table.column_names.index("tacit/digest")
    table = table.add_column(place, "tacit/group", pa.array([""] * len(table)))
    _write_parquet(target, table, [len(table)])
