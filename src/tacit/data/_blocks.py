"""Blocks of a cache, one for each episode and modality, with their checksums."""

from __future__ import annotations

import os
import zlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from tacit._files import check_file, sync_entry
from tacit.errors import DataError
from tacit.types import Array

__all__ = ["Blocks", "Index", "Writer", "raw_file"]

PIECE = 2**22
"""Bytes that are read at a time."""
INDEX = "index.npz"


def raw_file(folder: Path, name: str) -> Path:
    """Return the file of a modality."""
    return folder / f"{name}.raw"


class Writer:
    """Writer of blocks into a file that already has its final size."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("r+b")

    def write(self, start: int, values: Iterable[Array]) -> tuple[int, int]:
        """Write arrays one after the other from a byte on, and return their bytes and their CRC-32."""
        self._file.seek(start)
        size = total = 0
        for value in values:
            data = np.ascontiguousarray(value).data.cast("B") if value.size else b""
            total = zlib.crc32(data, total)
            size += self._file.write(data)
        return size, total

    def close(self) -> None:
        """Close the file."""
        self._file.close()


@dataclass(frozen=True)
class Index:
    """Index of the episodes in a cache.

    Attributes:
        episodes: ``[n]`` numbers of the episodes, ascending.
        spans: By modality, ``[n, 2]`` start and length of the block of each episode, in bytes.
        sums: By modality, ``[n]`` the CRC-32 of each block.
        stamp: By modality, size and modification time of the file when the index was written.
    """

    episodes: npt.NDArray[np.int64]
    spans: dict[str, npt.NDArray[np.int64]]
    sums: dict[str, npt.NDArray[np.uint32]]
    stamp: dict[str, tuple[int, int]]

    @classmethod
    def empty(cls, names: Sequence[str]) -> Index:
        """Return the index of a new cache."""
        spans = {name: np.zeros((0, 2), np.int64) for name in names}
        return cls(np.zeros(0, np.int64), spans, {name: np.zeros(0, np.uint32) for name in names}, {})

    @classmethod
    def load(cls, folder: Path, names: Sequence[str] | None = None) -> Index | None:
        """Return the index in a folder; None if it is missing, damaged, or not of the modalities ``names``."""
        try:
            check_file(folder / INDEX)
            with (folder / INDEX).open("rb") as raw, np.load(raw, allow_pickle=False) as file:
                found = {key: file[key] for key in file.files}
        except Exception:  # any error that zipfile and numpy raise for a damaged archive: the cache is made again
            return None
        there = [key.removeprefix("sums.") for key in found if key.startswith("sums.")]
        wanted = {"episodes", *(f"{part}.{name}" for name in there for part in ("spans", "sums", "stamp"))}
        if set(found) != wanted or (names is not None and set(there) != set(names)):
            return None
        episodes = found["episodes"]
        shapes = {"spans": (len(episodes), 2), "sums": (len(episodes),), "stamp": (2,)} if episodes.ndim == 1 else {}
        kinds = {"spans": np.int64, "sums": np.uint32, "stamp": np.int64}
        for part, shape in shapes.items():
            arrays = [found[f"{part}.{name}"] for name in there]
            if any(array.shape != shape or array.dtype != kinds[part] for array in arrays):
                return None
        if not shapes or episodes.dtype != np.int64 or (np.diff(episodes, prepend=-1) <= 0).any():
            return None
        return cls(
            episodes,
            {name: found[f"spans.{name}"] for name in there},
            {name: found[f"sums.{name}"] for name in there},
            {name: (int(found[f"stamp.{name}"][0]), int(found[f"stamp.{name}"][1])) for name in there},
        )

    @property
    def sizes(self) -> dict[str, int]:
        """Return the sizes of the files when the index was written."""
        return {name: size for name, (size, _) in self.stamp.items()}

    def state(self, folder: Path) -> dict[str, tuple[int, int]] | None:
        """Return sizes and times of the files now; None if one is missing or of another size."""
        try:
            for name in self.spans:
                check_file(raw_file(folder, name))
            stats = {name: raw_file(folder, name).stat() for name in self.spans}
        except (OSError, ValueError):
            return None
        now = {name: (stat.st_size, stat.st_mtime_ns) for name, stat in stats.items()}
        return now if {name: size for name, (size, _) in now.items()} == self.sizes else None

    def save(self, folder: Path) -> None:
        """Write the index atomically, with the current sizes and times of the files."""
        fresh, arrays = folder / f".{INDEX}.{os.getpid()}", {"episodes": self.episodes}
        for name in self.spans:
            stat = raw_file(folder, name).stat()
            arrays |= {f"spans.{name}": self.spans[name], f"sums.{name}": self.sums[name].astype(np.uint32)}
            arrays[f"stamp.{name}"] = np.array([stat.st_size, stat.st_mtime_ns], np.int64)
        try:
            with fresh.open("wb") as file:
                np.savez(file, **arrays)  # type: ignore[arg-type]
                file.flush()
                os.fsync(file.fileno())
            fresh.replace(folder / INDEX)
            sync_entry(folder)
        finally:
            fresh.unlink(missing_ok=True)

    def merge(self, other: Index) -> Index:
        """Return this index merged with another one."""
        episodes = np.concatenate([self.episodes, other.episodes])
        order = np.argsort(episodes)
        return Index(
            episodes[order],
            {name: np.concatenate([self.spans[name], other.spans[name]])[order] for name in self.spans},
            {name: np.concatenate([self.sums[name], other.sums[name]])[order] for name in self.sums},
            {},
        )

    def without(self, episodes: npt.NDArray[np.int64]) -> Index:
        """Return the index without some episodes."""
        kept = ~np.isin(self.episodes, episodes)
        return Index(
            self.episodes[kept],
            {name: spans[kept] for name, spans in self.spans.items()},
            {name: sums[kept] for name, sums in self.sums.items()},
            self.stamp,
        )

    def damaged(self, folder: Path, name: str, among: npt.NDArray[np.int64] | None = None) -> npt.NDArray[np.int64]:
        """Return the episodes whose block of a modality no longer matches its checksum."""
        places = np.arange(len(self.episodes)) if among is None else np.searchsorted(self.episodes, among)
        with raw_file(folder, name).open("rb") as file:
            bad = [
                place
                for place in places
                if _checksum(file, *self.spans[name][place].tolist()) != int(self.sums[name][place])
            ]
        return self.episodes[bad]


def _checksum(file: object, start: int, size: int) -> int:
    """Return the CRC-32 of a part of an open file."""
    file.seek(start)  # type: ignore[attr-defined]
    total = 0
    while size > 0:
        piece: bytes = file.read(min(size, PIECE))  # type: ignore[attr-defined]
        if not piece:
            return -1
        total, size = zlib.crc32(piece, total), size - len(piece)
    return total


class Blocks:
    """Episodes of an open cache, each verified against its checksums before its first use.

    Args:
        folder: Of the cache.
        index: The index of the cache.
        count: The number of episodes of the dataset.
        seen: The episodes that need no verification.
    """

    def __init__(self, folder: Path, index: Index, count: int, seen: npt.NDArray[np.int64]) -> None:
        self._folder, self._index = folder, index
        self._unseen = np.ones(count, np.bool_)
        self._unseen[seen] = False
        self._all_seen = not self._unseen[index.episodes].any()

    def require(self, episodes: npt.NDArray[np.int64]) -> None:
        """Verify the checksums of the ``episodes`` that were not used before.

        Raises:
            DataError: if one is damaged, naming the file.
        """
        if self._all_seen:
            return
        fresh = np.unique(episodes[self._unseen[episodes]])
        if not len(fresh):
            return
        for name in self._index.spans:
            bad = self._index.damaged(self._folder, name, fresh)
            if len(bad):
                raise DataError(
                    f"{raw_file(self._folder, name)}, episode {bad[0]}: the decoded {name} is not what was written "
                    f"(CRC-32). The cache is damaged: delete the folder {self._folder}, which is made again."
                )
        self._unseen[fresh] = False
        self._all_seen = not self._unseen[self._index.episodes].any()
