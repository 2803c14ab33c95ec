"""Read a LeRobot dataset, one episode at a time, believing nothing that it says of itself."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from tacit.data.cache import filled
from tacit.data.findings import Defect, Finding, Labels
from tacit.data.formats import _lerobot_layout as layouts
from tacit.data.formats._images import decode_image
from tacit.data.formats._lerobot_audit import statistics_findings
from tacit.data.formats._lerobot_layout import Layout, columns
from tacit.data.formats._lerobot_rows import DataFile, Group, Rows, flat, plain
from tacit.data.formats._series import unpack
from tacit.data.formats._video import decode_video
from tacit.data.storage import Arena, files_digest
from tacit.types import Array, Episode, Spec

__all__ = ["LeRobotStorage"]


class LeRobotStorage:
    """A dataset of layout v3.0, written by Tacit or by lerobot."""

    parallel = False

    def __init__(self, root: Path) -> None:
        self.root = root
        self._info = _load_info(root)
        self._layout: Layout = layouts.load_layout(root, self._info)
        self._rows = _load_rows(root, self._info, self._layout)
        self._tasks = _load_tasks(root)
        self.lengths = np.array([row["length"] for row in self._rows], dtype=np.int64)
        self.groups = [str(row.get("tacit/group") or "") for row in self._rows]
        self._offsets = self._place()
        self._open: DataFile | None = None
        self._last: tuple[tuple[Path, int, int, tuple[str, ...]], Group] | None = None
        self._files_digest = ""

    def __reduce__(self) -> tuple[type[LeRobotStorage], tuple[Path]]:
        return type(self), (self.root,)

    @property
    def spec(self) -> Spec:
        return self._layout.spec

    @property
    def labels(self) -> Labels:
        return self._layout.labels

    def file(self, index: int, field: str) -> str:
        video = field in self._layout.videos
        return str(self._video(index, self._layout.keys[field]) if video else self._data(index))

    def digest(self, index: int) -> str:
        recorded = self._rows[index].get("tacit/digest")
        if recorded is not None:
            return str(recorded)
        self._files_digest = self._files_digest or files_digest(self.root, self._all_files())
        return f"{self._files_digest} {index}"

    def audit(self) -> Iterator[Finding]:
        """See :class:`tacit.data.storage.Audited`."""
        return statistics_findings(self.root)

    def _all_files(self) -> list[Path]:
        names = ("meta/*.*", "meta/episodes/*/*.parquet", "data/*/*.parquet", "videos/*/*/*.mp4")
        return sorted(path for name in names for path in self.root.glob(name))

    def arena(self, indices: npt.NDArray[np.int64], modalities: Collection[str]) -> Arena:
        files = self._all_files()
        identity = files_digest(self.root, [path for path in files if "meta" in path.relative_to(self.root).parts])
        return filled(self, self.root / ".cache", identity, files, indices, tuple(modalities))

    def read(self, index: int, modalities: Collection[str]) -> Episode:
        layout, row = self._layout, self._rows[index]
        numbers = {key: kind for key, kind in columns(layout).items() if key in self._wanted(modalities)}
        pictures = [layout.keys[name] for name in modalities if self._is_image(name)]
        rows = self._table(index, [*numbers, *pictures, *layouts.BOOKKEEPING])
        self._check_rows(index, rows)
        values = {key: self._numbers(index, rows, key, *kind) for key, kind in numbers.items()}
        action = np.zeros((rows.length, 0), np.float32)
        if "action" in values:
            action = values["action"].astype(np.float32, copy=False)
        observation = {name: self._observation(index, name, rows, values) for name in modalities}
        return Episode(
            observation=observation,
            action=action[:-1],
            terminated=bool(row.get("tacit/terminated", False)),
            final_action=action[-1] if row.get("tacit/final_action", "action" in values) else None,
            labels={name: self._label(name, values[key]) for name, key in layout.label_keys.items()},
            index=index,
            seed=row.get("tacit/seed"),
            task=self._task(index, rows),
            group=self.groups[index],
        )

    def _is_image(self, name: str) -> bool:
        return self.spec.modalities[name].kind == "pixels" and name not in self._layout.videos

    def _wanted(self, modalities: Collection[str]) -> set[str]:
        return {"action", *(self._layout.keys[name] for name in modalities), *self._layout.label_keys.values()}

    def _data(self, index: int) -> Path:
        row = self._rows[index]
        return self.root / layouts.DATA.format(chunk_index=row["data/chunk_index"], file_index=row["data/file_index"])

    def _video(self, index: int, key: str) -> Path:
        chunk, file = (self._rows[index][f"videos/{key}/{part}_index"] for part in ("chunk", "file"))
        return self.root / layouts.VIDEO.format(video_key=key, chunk_index=chunk, file_index=file)

    def _place(self) -> npt.NDArray[np.int64]:
        """The first row of each episode in its data file."""
        seen: dict[tuple[int, int], int] = {}
        offsets = []
        for row in self._rows:
            file = row["data/chunk_index"], row["data/file_index"]
            offsets.append(seen.get(file, 0))
            seen[file] = offsets[-1] + row["length"]
        return np.array(offsets, dtype=np.int64)

    def _table(self, index: int, names: Sequence[str]) -> Rows:
        """The rows of one episode; only the row groups that hold them are read."""
        path, start, length = self._data(index), int(self._offsets[index]), int(self.lengths[index])
        try:
            if self._open is None or self._open.path != path:
                self._open = DataFile.at(path)
            file, ends = self._open.file, self._open.ends
            missing = [name for name in names if name not in self._open.names]
            if missing:
                raise Defect(path, index, missing[0], "the column is missing.")
            if not len(ends) or start + length > ends[-1]:
                have = int(ends[-1]) if len(ends) else 0
                raise Defect(path, index, "length", f"expected rows {start} to {start + length}; the file has {have}.")
            groups = range(int(np.searchsorted(ends, start, "right")), int(np.searchsorted(ends, start + length)) + 1)
            key = path, groups.start, groups.stop, tuple(names)
            if self._last is None or self._last[0] != key:
                self._last = key, Group(self._groups(index, file, list(groups), names), {})
            before = int(ends[groups.start - 1]) if groups.start else 0
            return Rows(self._last[1], start - before, length)
        except (OSError, pa.ArrowException) as error:
            raise Defect(path, index, "rows", f"cannot be read ({error}); restore or rewrite the file.") from error

    def _groups(self, index: int, file: pq.ParquetFile, groups: list[int], names: Sequence[str]) -> pa.Table:
        """Row groups of the data file of an episode; a damaged column is named."""
        try:  # threads cost more than they bring: a row group is small
            return file.read_row_groups(groups, columns=list(names), use_threads=False)
        except (OSError, pa.ArrowException):
            for name in names:
                try:
                    file.read_row_groups(groups, columns=[name])
                except (OSError, pa.ArrowException) as error:
                    raise Defect(self._data(index), index, name, f"is damaged ({error}); restore the file.") from error
            raise

    def _check_rows(self, index: int, rows: Rows) -> None:
        first, length = int(self._rows[index]["dataset_from_index"]), int(self.lengths[index])
        steps = np.arange(length)
        for key, expected in {"episode_index": steps * 0 + index, "frame_index": steps, "index": steps + first}.items():
            came = self._numbers(index, rows, key, "int64", 1)[:, 0]
            if not np.array_equal(came, expected):
                step = int(np.argmax(came != expected))
                raise Defect(
                    self._data(index), index, key, f"expected {expected[step]} in row {step}; got {came[step]}."
                )
        times = self._numbers(index, rows, "timestamp", "float64", 1)[:, 0].astype(np.float64, copy=False)
        right = steps / self.spec.fps
        if not (np.abs(times - right) <= 0.1 / self.spec.fps + 1e-5 * right).all():
            raise Defect(self._data(index), index, "timestamp", f"expected steps of 1 / {self.spec.fps:g} s from 0.")

    def _numbers(self, index: int, rows: Rows, key: str, dtype: str, width: int) -> Array:
        """A column as ``[T, width]``."""
        whole = rows.group.numbers(key, dtype, width)
        if whole is not None:
            return whole[rows.start : rows.start + rows.length].copy()
        values = rows.column(key)
        if values.null_count:
            raise Defect(
                self._data(index), index, key, f"expected a value in every row; {values.null_count} are missing."
            )
        values = flat(values)
        if len(values) != rows.length * width:
            raise Defect(
                self._data(index),
                index,
                key,
                f"expected {width} numbers a row; got {len(values)} in {rows.length} rows.",
            )
        try:
            return plain(values, dtype, width)
        except (ValueError, TypeError, pa.ArrowException) as error:
            raise Defect(self._data(index), index, key, f"expected {dtype} numbers; got {values.type}.") from error

    def _observation(self, index: int, name: str, rows: Rows, values: Mapping[str, Array]) -> Array:
        modality, key = self.spec.modalities[name], self._layout.keys[name]
        if modality.kind == "series":
            return unpack(values[key].astype(np.float32), self.spec, name)
        if modality.kind == "vector":
            return values[key]
        shape = (rows.length, *modality.shape)
        try:
            if name in self._layout.videos:
                start, crc = (
                    self._rows[index][f"videos/{key}/from_timestamp"],
                    self._rows[index].get(f"tacit/crc32/{key}"),
                )
                return decode_video(self._video(index, key), shape, start, self.spec.fps, crc)
            pictures = rows.column(key).field("bytes").to_pylist()
            if None in pictures:
                raise ValueError(f"the picture of step {pictures.index(None)} is missing.")
            return np.stack([decode_image(data, modality.shape) for data in pictures])
        except (ValueError, pa.ArrowException) as error:
            raise Defect(self.file(index, name), index, name, str(error)) from error

    def _label(self, name: str, values: Array) -> Array:
        return values.reshape(len(values), *self._layout.labels[name][1])

    def _task(self, index: int, rows: Rows) -> str:
        task = int(self._numbers(index, rows, "task_index", "int64", 1)[0, 0])
        if not 0 <= task < len(self._tasks):
            raise Defect(
                self._data(index), index, "task_index", f"expected a task below {len(self._tasks)}; got {task}."
            )
        listed = self._rows[index].get("tasks") or [self._tasks[task]]
        if self._tasks[task] not in listed:
            raise Defect(
                self._data(index), index, "task_index", f"expected one of {listed}; got {self._tasks[task]!r}."
            )
        return self._tasks[task]


def _load_info(root: Path) -> dict[str, Any]:
    path = root / layouts.INFO
    try:
        info: dict[str, Any] = json.loads(path.read_bytes())
        version, features = str(info["codebase_version"]), info["features"]
        numbers = [float(info[key]) for key in ("fps", "total_episodes", "total_frames")]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise Defect(path, None, "info.json", f"cannot be read: {error!r}.") from error
    if not version.startswith("v3."):
        raise Defect(
            path,
            None,
            "codebase_version",
            f"expected v3.x; got {version}. Convert it: python -m lerobot.scripts.convert_dataset_v21_to_v30.",
        )
    if min(numbers) <= 0 or not isinstance(features, dict):
        raise Defect(path, None, "total_episodes", "expected at least one episode and one frame; the dataset is empty.")
    for key, standard in {"data_path": layouts.DATA, "video_path": layouts.VIDEO}.items():
        if info.get(key) not in (standard, None):
            raise Defect(path, None, key, f"expected {standard!r}; got {info[key]!r}.")
    return info


def _load_rows(root: Path, info: Mapping[str, Any], layout: Layout) -> list[dict[str, Any]]:
    """The rows of ``meta/episodes``, in order, with every index that the files are found by checked."""
    paths = sorted(root.glob("meta/episodes/*/*.parquet"))
    rows: list[dict[str, Any]] = []
    for path in paths:
        try:
            names = [name for name in pq.read_schema(path).names if not name.startswith("stats/")]
            rows += pq.ParquetFile(path, page_checksum_verification=True).read(columns=names).to_pylist()
        except (OSError, ValueError, pa.ArrowException) as error:
            raise Defect(path, None, "episodes", f"cannot be read ({error}); restore the file.") from error
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
            if not isinstance(row.get(key), (int, float)) or row[key] != row[key]:  # NaN is a float too
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


def _load_tasks(root: Path) -> list[str]:
    path = root / layouts.TASKS
    try:
        table = pq.read_table(path, page_checksum_verification=True).sort_by("task_index")
        name = next(name for name in table.column_names if name != "task_index")
        return [str(task) for task in table[name].to_pylist()]
    except (OSError, ValueError, StopIteration, pa.ArrowException) as error:
        raise Defect(path, None, "tasks.parquet", f"cannot be read: {error!r}.") from error
