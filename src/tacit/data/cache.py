"""Decoded episodes as raw arrays on disk, from which clips of a recorded dataset are cut.

A cache is derived: deleting it loses nothing. It is a folder ``<root>/<dataset>-<hash of its path>/<key>`` with one
flat file for each modality, as large as the whole dataset but filled only with the requested episodes, and an
``index.npz`` that names those with the checksum of each. The root is ``cache=`` of :func:`tacit.data.open`, else
``$TACIT_CACHE``, else ``tacit`` in ``$XDG_CACHE_HOME`` or ``~/.cache``: never a folder in the dataset. The key covers
the index of the dataset with the hashes of its episodes, the names, sizes and times of its files, the reading options,
and the modalities: a changed, moved or differently read dataset gets a new cache.

The process that fills a cache holds a lock: of several that need the same episodes, one decodes and the others wait.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from tacit._files import cache_folder, locked, resolve, sync, write_atomically
from tacit._resources import amount, available_memory
from tacit.data._blocks import Blocks, Index, Writer, raw_file
from tacit.data.episodes import Episodes
from tacit.data.storage import PackedEpisodes, Storage, Streamed, checked, rows
from tacit.data.threads import MAX_PREFETCHED
from tacit.data.validation import Defect, Finding
from tacit.errors import DataError
from tacit.types import Array, Episode

__all__ = ["Source", "cached_bytes", "damaged", "filled", "home"]

LAYOUT = 2
SMALL = 64
"""Suggested image size."""
COPIES = 2
"""Number of copies of an episode in memory during decoding."""


@dataclass(frozen=True)
class Source:
    """Source dataset of a cache.

    Attributes:
        path: The path of the dataset.
        identity: A hash of its index and of its reading options.
        files: All its files.
    """

    path: Path
    identity: str
    files: Sequence[Path]

    def key(self, modalities: Sequence[str]) -> str:
        """Return a hash of everything on which the decoded episodes depend."""
        base = self.path if self.path.is_dir() else self.path.parent
        stats = [(os.path.relpath(path, base), path.stat()) for path in self.files]
        stamp = [[name, stat.st_size, stat.st_mtime_ns] for name, stat in stats]
        whole = [LAYOUT, self.identity, stamp, sorted(modalities)]
        return hashlib.sha256(json.dumps(whole).encode()).hexdigest()[:32]


def home(path: Path, cache: Path | None) -> Path:
    """Return the folder of all caches of the dataset at ``path``.

    Args:
        path: Of the dataset.
        cache: The root of the caches of all datasets; None for the default.
    """
    place = path.resolve()
    name = f"{place.name[:64]}-{hashlib.sha256(str(place).encode()).hexdigest()[:12]}"
    return (cache_folder() if cache is None else resolve(cache)) / name


def filled(
    storage: Storage, source: Source, indices: npt.NDArray[np.int64], modalities: tuple[str, ...], cache: Path | None
) -> PackedEpisodes:
    """Return the cached episodes of ``storage`` with the episodes at ``indices`` decoded.

    Args:
        storage: The recorded episodes.
        source: The dataset that holds them.
        indices: The episodes that are needed.
        modalities: The modalities that are needed.
        cache: See :func:`home`.

    Raises:
        DataError: if the cache cannot be written or does not fit the disk, or an episode cannot be read or does not fit
            the memory.
    """
    base = home(source.path, cache)
    folder, plan = base / source.key(modalities), Plan.of(storage, modalities)
    try:
        with locked(base / "lock"):
            if not (base / "dataset.txt").exists():
                write_atomically(base / "dataset.txt", f"{source.path.resolve()}\n")
            index, seen = _present(folder, plan)
            missing = np.setdiff1d(indices, index.episodes)
            if len(missing):
                _check_room(storage, plan, missing, folder)
                index = index.merge(_fill(storage, folder, plan, missing))
                sync(folder)  # before the index says that the episodes are there
                index.save(folder)
            arrays = {name: _map(folder, plan, name) for name in plan.names}
    except OSError as error:
        raise DataError(
            f"the cache of decoded episodes in {folder} cannot be written ({error}). Say where it can be: "
            "tacit.data.open(..., cache=FOLDER), or the environment variable TACIT_CACHE."
        ) from error
    action = arrays.pop("action")
    blocks = Blocks(folder, index, len(storage.lengths), np.union1d(missing, index.episodes if seen else missing))
    return PackedEpisodes(arrays, action.view(np.float32), plan.first, blocks.require)


@dataclass(frozen=True)
class Plan:
    """Positions of the episodes in the files of a cache.

    Attributes:
        names: The modalities, and ``action``.
        shapes: The shape of one row.
        dtypes: The dtype of one row.
        first: ``[episodes]`` the first row of each.
        used: ``[episodes]`` the number of defined rows of each: the last row of an action is undefined.
        rows: The rows of the whole file.
    """

    names: tuple[str, ...]
    shapes: dict[str, tuple[int, ...]]
    dtypes: dict[str, np.dtype[np.generic]]
    first: dict[str, npt.NDArray[np.int64]]
    used: dict[str, npt.NDArray[np.int64]]
    rows: dict[str, int]

    @classmethod
    def of(cls, storage: Storage, modalities: tuple[str, ...]) -> Plan:
        """Return the plan of some modalities."""
        spec = storage.spec
        counts = {name: rows(spec, name, storage.lengths) for name in (*modalities, "action")}
        return cls(
            names=tuple(counts),
            shapes={"action": (spec.action.size,)} | {name: spec.modalities[name].shape for name in modalities},
            dtypes={"action": np.dtype(np.float32)} | {name: spec.modalities[name].dtype for name in modalities},
            first={name: np.cumsum(count) - count for name, count in counts.items()},
            used={name: count - (name == "action") for name, count in counts.items()},
            rows={name: int(count.sum()) for name, count in counts.items()},
        )

    def row(self, name: str) -> int:
        """Return the bytes of a row."""
        return int(np.prod(self.shapes[name])) * self.dtypes[name].itemsize

    def spans(self, name: str, episodes: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        """Return ``[n, 2]`` start and length of each episode in its file, in bytes."""
        return np.stack([self.first[name][episodes], self.used[name][episodes]], axis=1) * self.row(name)

    def size(self, episodes: npt.NDArray[np.int64], names: Sequence[str]) -> npt.NDArray[np.int64]:
        """Return the size of each episode in bytes."""
        total = np.zeros(len(episodes), np.int64)
        for name in names:
            total += self.spans(name, episodes)[:, 1]
        return total


def _present(folder: Path, plan: Plan) -> tuple[Index, bool]:
    """Return the index of the cache and whether all its checksums were verified.

    The cache is prepared to be filled. Checksums are verified where a file was written after its index; damaged blocks
    are decoded again.
    """
    sizes = {name: plan.rows[name] * plan.row(name) for name in plan.names}
    index = Index.load(folder, plan.names)
    if index is not None and not all(
        np.array_equal(index.spans[name], plan.spans(name, index.episodes))
        if index.episodes.max(initial=0) < len(plan.first[name])
        else False
        for name in plan.names
    ):
        index = None
    if folder.exists() and (index is None or index.state(folder) is None or index.sizes != sizes):
        if index is not None and len(index.episodes):
            _warn(folder, len(index.episodes))
        shutil.rmtree(folder)
        index = None
    if index is None:
        folder.mkdir(parents=True, exist_ok=True)
        for name, size in sizes.items():
            with raw_file(folder, name).open("wb") as file:
                file.truncate(size)
        return Index.empty(plan.names), True
    if index.state(folder) == index.stamp:
        return index, False
    bad = np.unique(np.concatenate([index.damaged(folder, name) for name in plan.names]))
    if len(bad):
        _warn(folder, len(bad))
    index = index.without(bad)
    index.save(folder)
    return index, True


def _warn(folder: Path, count: int) -> None:
    warnings.warn(
        f"{count} decoded episodes in the cache {folder} were changed since they were written; they are decoded again.",
        stacklevel=2,
    )


def _check_room(storage: Storage, plan: Plan, missing: npt.NDArray[np.int64], folder: Path) -> None:
    """Refuse episodes that do not fit the disk when decoded, or the memory during decoding."""
    total, free = int(plan.size(missing, plan.names).sum()), shutil.disk_usage(folder).free
    smaller = _smaller(plan, missing)
    if total > free:
        raise DataError(
            f"{len(missing)} decoded episodes take {amount(total)} in the cache {folder}, and {amount(free)} are free "
            f"there. {smaller}, or put the cache on another disk: tacit.data.open(..., cache=FOLDER), or TACIT_CACHE."
        )
    streamed = _streamed(storage, plan)
    whole = plan.size(missing, [name for name in plan.names if name not in streamed])
    worst, memory = int(whole.argmax()), available_memory()
    needed = int(whole[worst]) * (MAX_PREFETCHED if storage.parallel else COPIES)
    if memory is not None and needed > memory:
        name = storage.file(int(missing[worst]), next(iter(storage.spec.modalities)))
        raise DataError(
            f"decoding {name} takes about {amount(needed)} of memory, and {amount(memory)} are available. "
            f"{smaller}, or split the recording into shorter ones.",
            code="T10",
        )


def _smaller(plan: Plan, missing: npt.NDArray[np.int64]) -> str:
    """Return the advice to read large images at a smaller size, with the space that it saves."""
    shapes = {name: plan.shapes[name] for name in plan.names if name != "action"}
    large = [name for name, shape in shapes.items() if len(shape) == 3 and shape[1] * shape[2] > SMALL**2]
    if not large:
        return "Read fewer modalities"
    least = int(plan.size(missing, [name for name in plan.names if name not in large]).sum())
    least += sum(int(plan.used[name][missing].sum()) * shapes[name][0] * SMALL**2 for name in large)
    return f"Read the images at a smaller size (size={SMALL} makes {amount(least)} of all), or fewer modalities"


def _streamed(storage: Storage, plan: Plan) -> list[str]:
    """Return the modalities that are decoded frame by frame."""
    if not isinstance(storage, Streamed):
        return []
    return [name for name in plan.names if name != "action" and storage.spec.modalities[name].kind == "pixels"]


def _fill(storage: Storage, folder: Path, plan: Plan, missing: npt.NDArray[np.int64]) -> Index:
    """Decode episodes into the files; plain writes make a full disk an error, not a crash."""
    streamed = _streamed(storage, plan)
    whole = tuple(name for name in plan.names if name not in ("action", *streamed))
    episodes: Iterator[Episode] = (checked(storage, int(index), whole) for index in missing)
    if not isinstance(storage, Streamed):
        episodes = Episodes(storage, missing).stream(whole)
    spans = {name: plan.spans(name, missing) for name in plan.names}
    sums = {name: np.zeros(len(missing), np.uint32) for name in plan.names}
    writers = {name: Writer(raw_file(folder, name)) for name in plan.names}
    try:
        for number, (index, episode) in enumerate(zip(missing.tolist(), episodes, strict=True)):
            for name, writer in writers.items():
                start, size = spans[name][number].tolist()
                if name in streamed:
                    values: Iterator[Array] = storage.frames(index, name)  # type: ignore[attr-defined]
                else:
                    values = iter((episode.action if name == "action" else episode.observation[name],))
                written, sums[name][number] = writer.write(start, values)
                if written != size:
                    raise Defect(storage.file(index, name), index, name, f"expected {size} bytes; got {written}.")
    finally:
        for writer in writers.values():
            writer.close()
    return Index(missing, spans, sums, {})


def _map(folder: Path, plan: Plan, name: str) -> Array:
    whole = (plan.rows[name], *plan.shapes[name])
    if not np.prod(whole):  # there are no actions, and an empty file cannot be mapped
        return np.zeros(whole, plan.dtypes[name])
    return np.memmap(raw_file(folder, name), plan.dtypes[name], mode="r", shape=whole)


def damaged(path: Path, cache: Path | None) -> Iterator[Finding]:
    """Yield every cached episode of the dataset at ``path`` that changed after it was written."""
    for folder in sorted(home(path, cache).glob("*/")):
        index = Index.load(folder)
        for name in index.spans if index is not None else ():
            for episode in index.damaged(folder, name) if index is not None else ():
                yield Finding(
                    str(raw_file(folder, name)),
                    int(episode),
                    name,
                    f"its bytes are not those that were written (CRC-32). Delete {folder}: it is made again.",
                )


def cached_bytes(path: Path, cache: Path | None) -> int:
    """Return the size on disk of all caches of the dataset at ``path``."""
    files = [file.stat() for file in home(path, cache).rglob("*") if file.is_file()]
    return sum(getattr(file, "st_blocks", file.st_size // 512) * 512 for file in files)
