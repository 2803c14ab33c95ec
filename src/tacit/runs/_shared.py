"""Files of a run that may be shared: tensors and texts, never code."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from tacit._files import check_file, parse_json, read_json
from tacit.errors import CheckpointError, DataError

__all__ = ["FILES", "LIMIT", "check_content", "check_name", "shared_files"]

KINDS = (".json", ".jsonl", ".safetensors", ".md")
"""The kinds of shared files. None of them is code; a pickle is."""
LIMIT = 16 * 2**30
"""The largest number of bytes of a shared run."""
FILES = 10_000
"""The largest number of its files."""
LONGEST_NAME = 200
HEADER = 100 * 2**20


def shared_files(run: Path) -> Iterator[tuple[str, Path]]:
    """Yield the name and the path of each file of a run that is shared, in order.

    Raises:
        CheckpointError: if the directory is no run, or one of them is a link or no regular file.
    """
    if not (run / "run.json").is_file():
        raise CheckpointError(f"{run} is no run: it has no run.json. Make one with: tacit train DATASET --to {run}")
    for folder, folders, names in os.walk(run):
        folders[:] = sorted(one for one in folders if not one.startswith("."))
        for name in sorted(names):
            path = Path(folder) / name
            if name.startswith(".") or path.suffix not in KINDS:
                continue
            if path.is_symlink():
                raise CheckpointError(f"{path} is a link. Replace it by the file itself, to share the run.")
            yield path.relative_to(run).as_posix(), path


def check_name(name: str) -> str:
    """Return the name of a shared file; refuse one that could leave the directory, or of another kind.

    Raises:
        DataError: naming it.
    """
    parts = name.split("/")
    plain = all(part and not part.startswith(".") and part.isprintable() for part in parts)
    if not plain or len(name) > LONGEST_NAME or "\\" in name or ":" in name:
        raise DataError(f"a shared run has plain relative names; got {name[:LONGEST_NAME]!r}. Do not use this file.")
    if PurePosixPath(name).suffix not in KINDS:
        raise DataError(f"a shared run holds {', '.join(KINDS)}; got {name!r}. Do not use this file.")
    return name


def check_content(path: Path) -> None:
    """Refuse a file whose content is not of the kind that its name says.

    Raises:
        DataError: naming it.
    """
    try:
        if path.suffix == ".json":
            read_json(path)
        if path.suffix == ".safetensors":
            size = check_file(path)
            with path.open("rb") as file:
                length = int.from_bytes(file.read(8), "little")
                if size < 8 or length > min(size - 8, HEADER):
                    raise ValueError("its header is longer than the file")
                header = parse_json(file.read(length))
            if not isinstance(header, dict):
                raise ValueError("its header is no JSON object")
    except (OSError, ValueError, json.JSONDecodeError) as error:
        raise DataError(f"{path.name} is no {path.suffix} file ({error}). Do not use it.") from error
