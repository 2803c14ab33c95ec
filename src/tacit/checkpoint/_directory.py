"""Directory of a checkpoint: its manifest and parts, and reading and writing it whole."""

from __future__ import annotations

import hashlib
import json
import os
import platform
import re
import subprocess
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any, BinaryIO, TypeVar

from safetensors import SafetensorError, safe_open
from safetensors.torch import save as serialize
from torch import Tensor

from tacit import __version__
from tacit._config import from_json, to_json
from tacit._files import MAX_BYTES, aside, check_file, parse_json, read_bytes, resolve, staged_directory
from tacit.errors import CheckpointError, ConfigError

__all__ = [
    "Manifest",
    "Part",
    "Shape",
    "compare",
    "exists",
    "provenance",
    "read_config",
    "read_part",
    "read_whole",
    "shapes",
    "write",
]

FORMAT = 3
MANIFEST = "checkpoint.json"
SHOWN = 5
TRIES = 20

T = TypeVar("T")


@dataclass(frozen=True)
class Part:
    """Config and tensors of one part of a checkpoint.

    Attributes:
        config: JSON values.
        tensors: By name, on the CPU when they were loaded.
    """

    config: Mapping[str, Any]
    tensors: Mapping[str, Tensor] = field(default_factory=dict)


@dataclass(frozen=True)
class Shape:
    """Dtype and shape of a tensor."""

    dtype: str
    shape: tuple[int, ...]


@dataclass(frozen=True)
class _File:
    bytes: int
    sha256: str


@dataclass(frozen=True)
class _Entry:
    config: _File
    weights: _File
    tensors: Mapping[str, Shape]


@dataclass(frozen=True)
class Manifest:
    """Manifest of a checkpoint."""

    format: int
    provenance: Mapping[str, Any]
    parts: Mapping[str, _Entry]

    def part(self, path: Path, name: str) -> _Entry:
        """Return the entry of a part, which must be there."""
        if name not in self.parts:
            raise CheckpointError(f"checkpoint {path} has no part {name!r}; it has {', '.join(self.parts)}.")
        return self.parts[name]


def shapes(tensors: Mapping[str, Tensor]) -> dict[str, Shape]:
    """Return dtype and shape of tensors, by name."""
    return {name: Shape(str(value.dtype), tuple(value.shape)) for name, value in tensors.items()}


def compare(expected: Mapping[str, Shape], found: Mapping[str, Shape], where: str) -> None:
    """Refuse tensors that are not those expected, naming them."""
    problems = []
    missing, unknown = [n for n in expected if n not in found], [n for n in found if n not in expected]
    for kind, names in (("missing", missing), ("unknown", unknown)):
        if names:
            more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
            problems.append(f"{kind}: {', '.join(names[:SHOWN])}{more}")
    for name, wanted in expected.items():
        came = found.get(name, wanted)
        if wanted != came:
            problems.append(
                f"{name}: expected {wanted.dtype} {list(wanted.shape)}, found {came.dtype} {list(came.shape)}"
            )
    if problems:
        raise CheckpointError(
            f"the tensors of {where} are not those of this model. {'; '.join(problems[: SHOWN + 2])}. "
            "Load it with the configuration that it was saved with."
        )


def read_whole(path: str | Path, read: Callable[[Path, Manifest], T]) -> T:
    """Return the result of ``read`` on a checkpoint, all of it from one save. Others may save there meanwhile.

    Args:
        path: A checkpoint, or the directory of a run, which holds one.
        read: Takes the directory that holds the manifest, and the manifest.

    Raises:
        CheckpointError: whatever ``read`` refuses, if the checkpoint did not change meanwhile.
    """
    path = resolve(path)
    if not exists(path) and exists(path / "checkpoint"):
        path = path / "checkpoint"
    for _ in range(TRIES):
        before = _stamp(path)
        try:
            return read(*_read_manifest(path))
        except CheckpointError:
            if _stamp(path) == before:
                raise
    raise CheckpointError(
        f"checkpoint {path} was replaced each of the {TRIES} times that it was read. Read it when nothing saves to it."
    )


def _stamp(path: Path) -> list[tuple[int, int] | None]:
    """Return marks that change when the checkpoint at a path, or the one aside, changes."""
    found: list[tuple[int, int] | None] = []
    for place in (path, aside(path)):
        try:
            status = (place / MANIFEST).stat()
            found.append((status.st_ino, status.st_mtime_ns))
        except OSError:
            found.append(None)
    return found


def _read_manifest(path: Path) -> tuple[Path, Manifest]:
    """Return the directory that holds the manifest, and the manifest."""
    place = path if path.exists() or not exists(path) else aside(path)
    value = _read_json(place / MANIFEST)
    if value.get("format") != FORMAT:
        raise CheckpointError(
            f"checkpoint {place} has format {value.get('format')!r}; this version of Tacit reads format {FORMAT}."
        )
    try:
        return place, from_json(Manifest, value, str(place / MANIFEST))
    except ConfigError as error:
        raise CheckpointError(f"{error} The checkpoint is damaged.") from error


def exists(path: str | Path) -> bool:
    """Return True if there is a checkpoint at ``path``, also one whose replacement was interrupted."""
    path = resolve(path)
    # Once more at the end: while the old one was looked for aside, the new one may have taken its place.
    return any((place / MANIFEST).exists() for place in (path, aside(path), path))


def _read_json(path: Path, stream: BinaryIO | None = None) -> dict[str, Any]:
    """Read a JSON object of a checkpoint, from a path or an open file."""
    try:
        value = parse_json(read_bytes(path) if stream is None else stream.read(MAX_BYTES))
    except FileNotFoundError:
        raise CheckpointError(
            f"expected a checkpoint, or a run that has one; {path} does not exist. Name the directory that a training "
            "made."
        ) from None
    except (OSError, ValueError) as error:
        raise CheckpointError(f"{path} is not readable JSON ({error}); the checkpoint is damaged.") from error
    if not isinstance(value, dict):
        raise CheckpointError(f"{path} must hold a JSON object; got {type(value).__name__}.")
    return value


def read_config(path: Path, name: str, manifest: Manifest) -> dict[str, Any]:
    """Read the JSON of a part, once verified."""
    file = path / f"{_safe(name)}.json"
    with _verified(file, manifest.part(path, name).config) as stream:
        return _read_json(file, stream)


def read_part(path: Path, name: str, manifest: Manifest) -> Part:
    """Read a part, its files once verified."""
    entry, config = manifest.part(path, name), read_config(path, name, manifest)
    file = path / f"{_safe(name)}.safetensors"
    with _verified(file, entry.weights) as stream:
        try:
            with safe_open(file, framework="pt") as opened:
                tensors = {key: opened.get_tensor(key) for key in opened.keys()}  # noqa: SIM118
            # It was opened by name once more: what was verified must still be what has the name.
            same = os.path.samestat(os.fstat(stream.fileno()), file.stat())
        except FileNotFoundError:
            same = False
        except SafetensorError as error:
            raise CheckpointError(f"{file} is not a safetensors file ({error}).") from error
    if not same:
        raise CheckpointError(f"{file} was replaced while it was read. Read it again.")
    compare(entry.tensors, shapes(tensors), str(file))
    return Part(config, tensors)


@contextmanager
def _verified(file: Path, expected: _File) -> Iterator[BinaryIO]:
    """Open a file of a checkpoint whose length and bytes match the manifest."""
    try:
        check_file(file)
        stream = file.open("rb")
    except FileNotFoundError:
        raise CheckpointError(f"checkpoint {file.parent} is incomplete: {file.name} is missing.") from None
    except (OSError, ValueError) as error:
        raise CheckpointError(f"{file} cannot be read ({error}); the checkpoint is damaged.") from error
    with stream:
        size = os.fstat(stream.fileno()).st_size
        if size != expected.bytes:
            raise CheckpointError(f"{file} is damaged: expected {expected.bytes} bytes, found {size}.")
        if hashlib.file_digest(stream, "sha256").hexdigest() != expected.sha256:
            raise CheckpointError(f"{file} is damaged or of another checkpoint: its digest is not the one recorded.")
        stream.seek(0)
        yield stream


def write(path: Path, parts: Mapping[str, Part]) -> None:
    """Make or replace a checkpoint, whole or not at all."""
    if path.exists() and not (path / MANIFEST).exists() and (not path.is_dir() or any(path.iterdir())):
        raise CheckpointError(f"{path} exists and is no checkpoint; it is left alone. Save to another place.")
    with staged_directory(path) as fresh:
        entries = {name: _write_part(fresh, name, part) for name, part in parts.items()}
        _write_json(fresh / MANIFEST, to_json(Manifest(FORMAT, provenance(), entries)))


def _write_part(directory: Path, name: str, part: Part) -> _Entry:
    config = _write_json(directory / f"{_safe(name)}.json", dict(part.config))
    # Copies, because safetensors refuses tensors that share memory.
    tensors = {key: value.detach().to("cpu", copy=True).contiguous() for key, value in part.tensors.items()}
    return _Entry(config, _write(directory / f"{name}.safetensors", serialize(tensors)), shapes(tensors))


def _safe(name: str) -> str:
    if not re.fullmatch(r"[a-z][a-z0-9_]*", name):
        raise CheckpointError(f"a part of a checkpoint is named in lower-case letters, digits and _; got {name!r}.")
    return name


def _write_json(path: Path, value: Mapping[str, Any]) -> _File:
    return _write(path, (json.dumps(value, indent=2, allow_nan=False) + "\n").encode())


def _write(path: Path, data: bytes) -> _File:
    path.write_bytes(data)
    return _File(len(data), hashlib.sha256(data).hexdigest())


@cache
def provenance() -> dict[str, Any]:
    """Return versions of the software and the git revision of the working directory.

    The revision is None outside a repository.
    """
    packages = ("torch", "numpy", "safetensors")
    own = {"python": platform.python_version(), "tacit": __version__}
    versions = {**own, **{name: version(name) for name in packages}}
    return {"versions": versions, "git": _git("rev-parse", "HEAD"), "modified": bool(_git("status", "--porcelain"))}


def _git(*arguments: str) -> str | None:
    try:
        answer = subprocess.run(["git", *arguments], capture_output=True, text=True, timeout=10, check=True)
    except (OSError, subprocess.SubprocessError):
        return None
    return answer.stdout.strip()
