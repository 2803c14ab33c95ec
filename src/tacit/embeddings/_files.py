"""Files of an embedding: shards that are written whole or not at all, with their sizes and digests."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor

from tacit._files import add_checksum, read_bytes, sync, verified, write_atomically
from tacit.errors import DataError

__all__ = ["PLAN", "StoredFile", "described", "read", "save", "shard_name", "staged", "unfinished"]

PLAN = "plan.json"


@dataclass(frozen=True)
class StoredFile:
    """Size and SHA-256 of a file."""

    bytes: int
    sha256: str


def unfinished(path: Path) -> Path:
    return path.parent / f".{path.name}.unfinished"


def shard_name(number: int) -> str:
    return f"values-{number:05d}.safetensors"


def staged(to: Path, plan: Mapping[str, Any]) -> Path:
    """Return the folder of unfinished files, empty or with shards of the same plan."""
    staging = unfinished(to)
    try:
        found = verified(read_bytes(staging / PLAN))
        if not isinstance(found, dict):
            raise ValueError("expected an object")
    except (OSError, ValueError):
        # Without a plan nothing in it can be trusted.
        shutil.rmtree(staging, ignore_errors=True)
        staging.mkdir(parents=True)
        write_atomically(staging / PLAN, add_checksum(dict(plan)))
        return staging
    if found != plan:
        other = [name for name in plan if found.get(name) != plan[name]]
        raise DataError(
            f"{staging} keeps an unfinished embedding of another {', '.join(other)}. Finish that one, delete the "
            "folder, or choose another path."
        )
    return staging


def save(file: Path, tensors: Mapping[str, Tensor]) -> None:
    """Write a file, whole or not at all."""
    fresh = file.with_name(f".{file.name}")
    save_file({name: value.contiguous() for name, value in tensors.items()}, fresh)
    sync(fresh)
    fresh.replace(file)


def described(file: Path) -> StoredFile:
    with file.open("rb") as stream:
        return StoredFile(file.stat().st_size, hashlib.file_digest(stream, "sha256").hexdigest())


def read(file: Path) -> dict[str, Tensor]:
    """Return the tensors of a file, mapped into memory."""
    with safe_open(file, framework="pt") as opened:
        return {name: opened.get_tensor(name) for name in opened.keys()}  # noqa: SIM118
