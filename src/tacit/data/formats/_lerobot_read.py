"""Reading of a LeRobot dataset, one episode at a time, without trust in its metadata."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from tacit._resize import resized
from tacit.data.cache import Source, filled
from tacit.data.formats import _lerobot_layout as layouts
from tacit.data.formats import _lerobot_v2 as v2
from tacit.data.formats._choice import gathered
from tacit.data.formats._images import decode_image
from tacit.data.formats._lerobot_audit import statistics_findings
from tacit.data.formats._lerobot_index import load_info, load_rows, load_tasks
from tacit.data.formats._lerobot_layout import Layout
from tacit.data.formats._lerobot_options import Options
from tacit.data.formats._lerobot_rows import DataFile, Group, Rows, flat, plain
from tacit.data.formats._lerobot_selection import select
from tacit.data.formats._series import unpack
from tacit.data.formats._video import video_frames
from tacit.data.storage import PackedEpisodes, files_digest
from tacit.data.validation import Defect, Finding, Labels
from tacit.types import Array, Episode, Spec

__all__ = ["LeRobotStorage"]


class LeRobotStorage:
    """Storage of a dataset of layout v3.0, v2.1 or v2.0, written by Tacit or by lerobot."""

    parallel = False

    def __init__(self, root: Path, options: Options) -> None:
        self.root, self._options = root, options
        self._info = load_info(root)
        self._selection = select(root, self._info, options)
        self._layout: Layout = self._selection.layout
        self._rows = load_rows(root, self._info, self._layout)
        self._tasks = load_tasks(root, self._info)
        self.lengths = np.array([row["length"] for row in self._rows], dtype=np.int64)
        self.groups = [str(row.get("tacit/group") or "") for row in self._rows]
        self._offsets = self._place()
        self._open: DataFile | None = None
        self._last: dict[tuple[str, ...], tuple[tuple[Path, int, int], Group]] = {}
        self._files_digest = ""

    def __reduce__(self) -> tuple[type[LeRobotStorage], tuple[Path, Options]]:
        return type(self), (self.root, self._options)

    @property
    def spec(self) -> Spec:
        return self._selection.spec

    @property
    def labels(self) -> Labels:
        return self._layout.labels

    def file(self, index: int, field: str) -> str:
        video = field in self._layout.videos
        return str(self._video(index, self._layout.keys[field]) if video else self._data(index))

    def digest(self, index: int) -> str:
        recorded = self._rows[index].get("tacit/digest")
        if recorded is None:
            self._files_digest = self._files_digest or files_digest(self.root, self._all_files())
            recorded = f"{self._files_digest} {index}"
        options = self._options.identity
        return hashlib.sha256(f"{recorded} {options}".encode()).hexdigest() if options else str(recorded)

    def audit(self) -> Iterator[Finding]:
        """Yield the defects outside the episodes; see :class:`tacit.data.storage.Audited`."""
        return statistics_findings(self.root)

    def _all_files(self) -> list[Path]:
        names = ("meta/*.*", "meta/episodes/*/*.parquet", "data/*/*.parquet", "videos/*/*/*.mp4")
        return sorted(path for name in names for path in self.root.glob(name))

    def packed(self, indices: npt.NDArray[np.int64], modalities: Collection[str], cache: Path | None) -> PackedEpisodes:
        files = self._all_files()
        meta = files_digest(self.root, [path for path in files if "meta" in path.relative_to(self.root).parts])
        identity = f"{meta} {self._options.identity}"
        return filled(self, Source(self.root, identity, files), indices, tuple(modalities), cache)

    def read(self, index: int, modalities: Collection[str]) -> Episode:
        layout, row = self._layout, self._rows[index]
        wanted = self._wanted(modalities)
        numbers = {key: kind for key, kind in self._selection.columns.items() if key in wanted}
        images = [layout.keys[name] for name in modalities if self._is_image(name)]
        rows = self._table(index, [*numbers, *images, *layouts.BOOKKEEPING])
        self._check_rows(index, rows)
        values = {key: self._numbers(index, rows, key, *kind) for key, kind in numbers.items()}
        parts = [values[key].astype(np.float32, copy=False) for key in self._selection.actions]
        action = np.concatenate([np.zeros((rows.length, 0), np.float32), *parts], axis=1)
        observation = {name: self._observation(index, name, rows, values) for name in modalities}
        return Episode(
            observation=observation,
            action=action[:-1],
            terminated=bool(row.get("tacit/terminated", False)),
            final_action=action[-1] if row.get("tacit/final_action", bool(parts)) else None,
            labels={name: self._label(name, values[key]) for name, key in layout.label_keys.items()},
            index=index,
            seed=row.get("tacit/seed"),
            task=self._task(index, rows),
            group=self.groups[index],
        )

    def _is_image(self, name: str) -> bool:
        return self.spec.modalities[name].kind == "pixels" and name not in self._layout.videos

    def _wanted(self, modalities: Collection[str]) -> set[str]:
        return {
            *self._selection.actions,
            *(self._layout.keys[name] for name in modalities),
            *self._layout.label_keys.values(),
        }

    def _data(self, index: int) -> Path:
        row = self._rows[index]
        path = v2.DATA if v2.is_v2(self._info) else layouts.DATA
        return self.root / path.format(chunk_index=row["data/chunk_index"], file_index=row["data/file_index"])

    def _video(self, index: int, key: str) -> Path:
        chunk, file = (self._rows[index][f"videos/{key}/{part}_index"] for part in ("chunk", "file"))
        path = v2.VIDEO if v2.is_v2(self._info) else layouts.VIDEO
        return self.root / path.format(video_key=key, chunk_index=chunk, file_index=file)

    def _place(self) -> npt.NDArray[np.int64]:
        """Return the first row of each episode in its data file."""
        seen: dict[tuple[int, int], int] = {}
        offsets = []
        for row in self._rows:
            file = row["data/chunk_index"], row["data/file_index"]
            offsets.append(seen.get(file, 0))
            seen[file] = offsets[-1] + row["length"]
        return np.array(offsets, dtype=np.int64)

    def _table(self, index: int, names: Sequence[str]) -> Rows:
        """Return the rows of one episode, reading only the row groups that hold them."""
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
            key = path, groups.start, groups.stop
            last = self._last.get(tuple(names))
            if last is None or last[0] != key:
                last = key, Group(self._groups(index, file, list(groups), names), {})
                self._last[tuple(names)] = last
            before = int(ends[groups.start - 1]) if groups.start else 0
            return Rows(last[1], start - before, length)
        except (OSError, ValueError, pa.ArrowException) as error:
            if isinstance(error, Defect):
                raise
            raise Defect(path, index, "rows", f"cannot be read ({error}); restore or rewrite the file.") from error

    def _groups(self, index: int, file: pq.ParquetFile, groups: list[int], names: Sequence[str]) -> pa.Table:
        """Return row groups of the data file of an episode; errors name a damaged column."""
        try:  # threads cost more than they save: a row group is small
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
        allowed = self._options.tolerance or 0.1 / self.spec.fps
        late = np.abs(times - right) - 1e-5 * right
        if not (late <= allowed).all():
            raise Defect(self._data(index), index, "timestamp", self._time_problem(times, right, allowed))

    def _time_problem(self, times: npt.NDArray[np.float64], right: npt.NDArray[np.float64], allowed: float) -> str:
        """Return the problem of recorded times that leave the clock."""
        late = np.abs(times - right)
        step, worst = int(np.argmax(~(late - 1e-5 * right <= allowed))), float(late.max())
        advice = "Steps are missing, repeated or at another rate: record the episode anew, or correct its fps."
        if worst < 0.5 / self.spec.fps:  # not NaN
            advice = f"The largest difference is {worst:.4f} s; allow it with tolerance={1.1 * worst:.2g}."
        return (
            f"expected steps of 1 / {self.spec.fps:g} s from 0, and so {right[step]:.4f} s in row {step}, give or take "
            f"{allowed:.4f}; got {times[step]:.4f}. {advice}"
        )

    def _numbers(self, index: int, rows: Rows, key: str, dtype: str, width: int) -> Array:
        """Return a column as ``[T, width]``."""
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
        where = f"{self.file(index, name)}, episode {index}, field {name!r}"
        return gathered(self._frames(index, name, rows), rows.length, where)

    def frames(self, index: int, name: str) -> Iterator[npt.NDArray[np.uint8]]:
        """Yield the images of a modality; see :class:`tacit.data.storage.Streamed`."""
        return self._frames(
            index, name, self._table(index, [self._layout.keys[name]]) if self._is_image(name) else None
        )

    def _frames(self, index: int, name: str, rows: Rows | None) -> Iterator[npt.NDArray[np.uint8]]:
        """Yield the decoded images of a modality, each resized before the next one is decoded."""
        key, shape = self._layout.keys[name], self._layout.spec.modalities[name].shape
        size = self.spec.modalities[name].shape[1:]
        try:
            if rows is None or name in self._layout.videos:
                row, stored = self._rows[index], (int(self.lengths[index]), *shape)
                start, crc = row[f"videos/{key}/from_timestamp"], row.get(f"tacit/crc32/{key}")
                decoded = video_frames(self._video(index, key), stored, start, self.spec.fps, crc)
            else:
                column = rows.column(key)
                if not pa.types.is_struct(column.type) or column.type.get_field_index("bytes") < 0:
                    raise ValueError(f"expected images as records of 'bytes' and 'path'; got {column.type}.")
                images = column.field("bytes").to_pylist()
                if None in images:
                    raise ValueError(f"the image of step {images.index(None)} is missing.")
                decoded = (decode_image(data, shape, self._options.depth) for data in images)
            for frame in decoded:
                yield frame if shape[1:] == size else resized(frame, size)
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
        if not isinstance(listed, list) or self._tasks[task] not in listed:
            raise Defect(
                self._data(index), index, "task_index", f"expected one of {listed}; got {self._tasks[task]!r}."
            )
        return self._tasks[task]
