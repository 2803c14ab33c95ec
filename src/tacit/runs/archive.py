"""Runs as one file."""

from __future__ import annotations

import hashlib
import json
import os
import stat
import zipfile
from pathlib import Path
from typing import BinaryIO

from tacit._files import parse_json, resolve, staged_directory
from tacit.errors import DataError
from tacit.runs._run import Run
from tacit.runs._run import open as open_run
from tacit.runs._shared import FILES, LIMIT, check_content, check_name, shared_files

__all__ = ["pack", "unpack"]

INDEX = "files.json"
"""The name of the list of the files of an archive, with their SHA-256."""
CHUNK = 2**20


def pack(run: str | os.PathLike[str], to: str | os.PathLike[str]) -> Path:
    """Write a run as one zip file, atomically, and return its path.

    It holds the tensors and texts of the run, each with its SHA-256: no dataset, no files of loggers, no hidden files.

    Args:
        run: The directory of the run.
        to: The path of the file, which must not exist.

    Raises:
        CheckpointError: if the directory is no run, or a file of it is a link.
        DataError: if there is something at ``to``.
    """
    source, place = resolve(run), resolve(to)
    if place.exists():
        raise DataError(f"{place} exists already. Choose another path, or delete it first.")
    place.parent.mkdir(parents=True, exist_ok=True)
    fresh = place.with_name(f".{place.name}.{os.getpid()}")
    sums = {}
    try:
        with zipfile.ZipFile(fresh, "w") as archive:
            for name, path in shared_files(source):
                kind = zipfile.ZIP_STORED if path.suffix == ".safetensors" else zipfile.ZIP_DEFLATED
                archive.write(path, name, kind)
                sums[name] = _digest(path)
            archive.writestr(INDEX, json.dumps(sums, indent=1), zipfile.ZIP_DEFLATED)
        fresh.replace(place)
    finally:
        fresh.unlink(missing_ok=True)
    return place


def unpack(file: str | os.PathLike[str], to: str | os.PathLike[str], *, limit: int = LIMIT) -> Run:
    """Write the run of a file of :func:`pack` to a new directory, atomically, and open it.

    Nothing of the file is trusted: names that leave the directory, links, other kinds of files than tensors and texts,
    wrong checksums, and more bytes than announced are refused, and nothing is kept.

    Args:
        file: The zip file.
        to: The directory, which must not exist.
        limit: The largest number of bytes of the run.

    Raises:
        DataError: if the file is damaged or unsafe, or there is something at ``to``.
        CheckpointError: if it holds no run.
    """
    place = resolve(to)
    if place.exists():
        raise DataError(f"{place} exists already. Choose another path, or delete it first.")
    try:
        with zipfile.ZipFile(resolve(file)) as archive, staged_directory(place) as fresh:
            entries = _checked(archive, limit)
            sums = _index(archive, entries)
            for name, entry in entries.items():
                target = fresh / name
                target.parent.mkdir(parents=True, exist_ok=True)
                with archive.open(entry) as source, target.open("xb") as out:
                    if _copy(source, out, entry.file_size) != sums[name]:
                        raise DataError(f"{name} is not as it was packed (another SHA-256). Do not use {file}.")
                check_content(target)
            open_run(fresh)
    except (OSError, zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError) as error:
        raise DataError(f"{file} cannot be unpacked: {error}. It is damaged, or no file of tc.runs.pack.") from error
    return open_run(place)


def _checked(archive: zipfile.ZipFile, limit: int) -> dict[str, zipfile.ZipInfo]:
    """Return the entries of the files by name, without the index."""
    entries = archive.infolist()
    if len(entries) > FILES:
        raise DataError(f"a shared run has at most {FILES} files; got {len(entries)}. Do not use this file.")
    found: dict[str, zipfile.ZipInfo] = {}
    for entry in entries:
        name = check_name(entry.filename)
        if name in found or stat.S_ISLNK(entry.external_attr >> 16):
            raise DataError(f"a shared run holds each file once and no links; got {name!r}. Do not use this file.")
        found[name] = entry
    size = sum(entry.file_size for entry in entries)
    if size > limit:
        raise DataError(f"the run has {size} bytes, more than the limit of {limit}. Raise limit= if you expect that.")
    return {name: entry for name, entry in found.items() if name != INDEX}


def _index(archive: zipfile.ZipFile, entries: dict[str, zipfile.ZipInfo]) -> dict[str, str]:
    """Return the checksums of exactly these files."""
    try:
        with archive.open(INDEX) as file:
            text = file.read(FILES * 300 + 1)
        sums = parse_json(text)
    except (KeyError, ValueError) as error:
        raise DataError(f"the archive has no list of its files ({error}). It is no file of tc.runs.pack.") from error
    if not isinstance(sums, dict) or set(sums) != set(entries):
        raise DataError("the archive does not hold exactly the files of its list. Do not use this file.")
    return sums


def _copy(source: object, out: BinaryIO, size: int) -> str:
    """Copy at most ``size`` bytes and return their SHA-256."""
    digest, left = hashlib.sha256(), size
    while chunk := source.read(min(CHUNK, left + 1)):  # type: ignore[attr-defined]
        left -= len(chunk)
        if left < 0:
            raise DataError("a file of the archive is longer than announced. Do not use this file.")
        digest.update(chunk)
        out.write(chunk)
    return digest.hexdigest()


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
