"""Decoded episodes as raw arrays on disk: what clips of a recorded dataset are cut from.

A cache is derived: deleting it loses nothing. It is a folder ``<dataset>/.cache/<key>`` with one flat
file for each modality, as large as the whole dataset but filled only with the episodes that were asked
for, and an ``index.json`` that names those. The key covers what the dataset's index says, hashes of its
episodes included, the names, sizes and times of its files, and the modalities: a changed dataset gets a new cache.
Whoever fills holds a lock, so of several processes that need the same episodes one decodes them and the others wait.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from tacit._files import locked, sync, write_atomically
from tacit.data.episodes import Episodes
from tacit.data.storage import Arena, Storage, rows
from tacit.errors import DataError
from tacit.types import Array

__all__ = ["filled"]

LAYOUT = 1


def filled(
    storage: Storage,
    home: Path,
    identity: str,
    files: Sequence[Path],
    indices: npt.NDArray[np.int64],
    modalities: tuple[str, ...],
) -> Arena:
    """The cache of ``storage`` under ``home``, with the episodes at ``indices`` in it.

    Args:
        storage: The recorded episodes.
        home: The folder of all caches of the dataset.
        identity: A hash of what the dataset's index says.
        files: Every file of the dataset.
        indices: The episodes that are needed.
        modalities: The modalities that are needed.

    Raises:
        DataError: if the folder cannot be written, or an episode cannot be read.
    """
    stamp = [[path.name, path.stat().st_size, path.stat().st_mtime_ns] for path in files]
    key = hashlib.sha256(json.dumps([LAYOUT, identity, stamp, sorted(modalities)]).encode()).hexdigest()[:32]
    folder = home / key
    names = (*modalities, "action")
    counts = {name: rows(storage.spec, name, storage.lengths) for name in names}
    first = {name: np.cumsum(counts[name]) - counts[name] for name in names}
    try:
        with locked(home / "lock"):
            have = _present(folder, {name: _size(storage, name, counts[name]) for name in names})
            missing = [int(index) for index in np.unique(indices) if index not in have]
            if missing:
                _fill(storage, folder, modalities, first, missing)
                sync(folder)  # before the index says that the episodes are there
                write_atomically(folder / "index.json", json.dumps(sorted({*have, *missing})))
            arrays = {name: _map(folder, storage, name, counts[name]) for name in names}
    except OSError as error:
        raise DataError(
            f"the cache of decoded episodes in {folder} cannot be written ({error}). "
            "Make room, or copy the dataset to a folder that can be written."
        ) from error
    action = arrays.pop("action")
    return Arena(arrays, action.view(np.float32), first)


def _row(storage: Storage, name: str) -> tuple[tuple[int, ...], np.dtype[np.generic]]:
    """Shape and dtype of one row of a file."""
    if name == "action":
        return (storage.spec.action.size,), np.dtype(np.float32)
    modality = storage.spec.modalities[name]
    return modality.shape, modality.dtype


def _size(storage: Storage, name: str, counts: npt.NDArray[np.int64]) -> int:
    shape, dtype = _row(storage, name)
    return int(counts.sum()) * int(np.prod(shape)) * dtype.itemsize


def _present(folder: Path, sizes: dict[str, int]) -> set[int]:
    """The episodes in the cache, after it was made ready to be filled; a damaged one is begun anew."""
    index, present = folder / "index.json", set()
    if folder.exists():
        whole = all(
            _file(folder, name).exists() and _file(folder, name).stat().st_size == sizes[name] for name in sizes
        )
        try:
            present = set(json.loads(index.read_bytes())) if whole and index.exists() else set()
        except (ValueError, TypeError):
            whole = False
        if not whole:
            shutil.rmtree(folder)
    folder.mkdir(parents=True, exist_ok=True)
    for name, size in sizes.items():
        with _file(folder, name).open("ab") as file:
            file.truncate(size)
    return present


def _fill(
    storage: Storage,
    folder: Path,
    modalities: tuple[str, ...],
    first: dict[str, npt.NDArray[np.int64]],
    indices: Sequence[int],
) -> None:
    """Decode episodes into their places; plain writes, so that a full disk is an error and not a crash."""
    episodes = Episodes(storage, np.asarray(indices))
    files = {name: _file(folder, name).open("r+b") for name in first}
    try:
        for index, episode in zip(indices, episodes.stream(modalities), strict=True):
            for name, file in files.items():
                values = episode.action if name == "action" else episode.observation[name]
                shape, dtype = _row(storage, name)
                file.seek(int(first[name][index]) * int(np.prod(shape)) * dtype.itemsize)
                file.write(np.ascontiguousarray(values).data)
    finally:
        for file in files.values():
            file.close()


def _map(folder: Path, storage: Storage, name: str, counts: npt.NDArray[np.int64]) -> Array:
    shape, dtype = _row(storage, name)
    whole = (int(counts.sum()), *shape)
    if not np.prod(whole):  # nobody acts, and an empty file cannot be mapped
        return np.zeros(whole, dtype)
    return np.memmap(_file(folder, name), dtype, mode="r", shape=whole)


def _file(folder: Path, name: str) -> Path:
    return folder / f"{name}.raw"
