"""Recordings in HDF5 files, one group or one stretch of rows for each episode."""

from __future__ import annotations

import re
from abc import abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from tacit.data.formats._features import Feature
from tacit.data.formats._hdf5_content import check_stored, inside, library
from tacit.data.readers._files import listed, regular
from tacit.data.readers._recorded_arrays import Rows, feature, is_coded
from tacit.data.readers._recording_content import Content, Entry
from tacit.data.validation import Defect
from tacit.errors import DataError

if TYPE_CHECKING:
    import h5py

__all__ = ["SUFFIXES", "Hdf5Content", "by_number", "has_layout"]

SUFFIXES = (".h5", ".hdf5")
ARRAYS, LEVELS = 2000, 8
"""Largest numbers of arrays of an episode, and of levels of groups."""


class Hdf5Content(Content):
    """Index of HDF5 files of one layout, which a subclass describes.

    Args:
        path: A file, or a folder of such files.

    Raises:
        DataError: if a file is damaged, or an episode has other arrays than the first one.
    """

    program: str
    """Name of the layout, for errors."""
    skipped: Sequence[str] = ()
    """Patterns of the names of arrays that are not read."""
    shared = False
    """Whether all episodes of a file are rows of the same arrays."""
    total = 0
    """Number of rows of these arrays."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.files = tuple(by_number(listed(path, SUFFIXES)) if path.is_dir() else [path])
        if not self.files:
            raise DataError(f"{path} holds no {self.program}: expected files that end in {', '.join(SUFFIXES)}.")
        entries: list[Entry] = []
        self.features: dict[str, Feature] = {}
        for number, file in enumerate(self.files):
            regular(file)
            with _reading(file), library(f"Reading {self.program}").File(file, "r") as handle:
                entries += self._file(handle, number)
        self.entries = entries
        if not entries:
            raise DataError(f"{path} holds no episode of {self.program}: {self.expected}.")

    expected: str = ""
    """Description of the layout, for errors."""

    @abstractmethod
    def find(self, file: h5py.File, number: int) -> Iterator[Entry]:
        """Yield the episodes of a file."""

    @abstractmethod
    def role(self, key: str) -> str:
        """Return the role of an array; empty: by its name."""

    def _coded(self, data: Any) -> bool:
        """Return whether each row of an array is a PNG or JPEG file, which may be padded with zeros."""
        import h5py

        if not data.shape or not data.shape[0] or data.ndim > 2:
            return False
        if data.dtype.kind == "O" and data.ndim == 1:
            vlen, text = h5py.check_vlen_dtype(data.dtype), h5py.check_string_dtype(data.dtype)
            bytes_of = vlen is not None and vlen == np.uint8
            return bytes_of or (text is not None and text.encoding == "ascii" and is_coded(data[0]))
        return data.ndim == 2 and data.dtype == np.uint8 and is_coded(data[0])

    def _file(self, handle: h5py.File, number: int) -> list[Entry]:
        """Return the episodes of a file; compare their arrays with those of the first episode."""
        found = list(self.find(handle, number))
        for place, entry in enumerate(found[:1] if self.shared else found):
            arrays = self._arrays(handle, entry)
            if not entry.length:
                continue
            here = {}
            for key, rows in arrays.items():
                first, role = self.features.get(key), self.role(key)
                coded = role == "observation" and self._coded(rows.data)
                again = coded and first is not None and first.camera  # its bytes differ in length, not the image
                here[key] = first if again and first else feature(key, rows, role, coded=coded)
            self.features = self.features or here
            self._check_alike(self.files[number], place, here)
        return found

    def _check_alike(self, file: Path, place: int, here: Mapping[str, Feature]) -> None:
        for key in {**self.features, **here}:
            expected, came = self.features.get(key), here.get(key)
            if expected != came:
                told = [f"{f.dtype} of {list(f.shape)}" if f else "nothing" for f in (expected, came)]
                problem = f"expected {told[0]}, like the first episode; got {told[1]}. Leave the episode out."
                raise Defect(file, place, key, problem)

    def _arrays(self, handle: h5py.File, entry: Entry) -> dict[str, Rows]:
        """Return the arrays of an episode, with the rows that belong to it."""
        group = inside(handle, entry.place, "Group") if entry.place else handle
        found = {}
        for key, data in _datasets(group, ""):
            if any(fnmatchcase(key, pattern) for pattern in self.skipped) or not data.shape:
                continue
            if self.shared and data.shape[0] != self.total:
                continue
            found[key] = Rows(data, entry.start, entry.length if self.shared else data.shape[0])
        return found

    @contextmanager
    def arrays(self, entry: Entry) -> Iterator[Mapping[str, Rows]]:
        """Open the file of an episode and yield its arrays."""
        with library(f"Reading {self.program}").File(self.files[entry.source], "r") as handle:
            yield self._arrays(handle, entry)

    def rows_of(self, file: h5py.File, name: str) -> int:
        """Return the number of rows of an array."""
        return int(inside(file, name, "Dataset").shape[0])


def _datasets(group: Any, prefix: str, level: int = 0) -> Iterator[tuple[str, Any]]:
    """Yield the arrays in a group and its groups by name.

    Raises:
        ValueError: at a link into another file, or a number of arrays or levels that no recording has.
    """
    if level > LEVELS or len(group) > ARRAYS:
        raise ValueError(f"expected at most {LEVELS} levels of groups and {ARRAYS} arrays in each")
    for name in group:
        if type(group.get(name, getlink=True)).__name__ == "ExternalLink":
            raise ValueError(f"{prefix + name!r} is a link into another file")
        kind: Any = group.get(name, getclass=True).__name__
        item = inside(group, name, kind)
        if kind == "Group":
            yield from _datasets(item, f"{prefix}{name}/", level + 1)
        else:
            check_stored(item)
            yield prefix + name, item


@contextmanager
def _reading(file: Path) -> Iterator[None]:
    """Convert the errors of h5py for a damaged file to a Defect."""
    try:
        yield
    except DataError:
        raise
    except (OSError, LookupError, RuntimeError, ValueError, TypeError, AttributeError, ArithmeticError) as error:
        raise Defect(file, None, "recording", f"cannot be read ({error}); the file is truncated or damaged.") from error


def has_layout(path: Path, *names: str) -> bool:
    """Return whether the HDF5 file at ``path``, or the first one in the folder, has groups or arrays of these names.

    A name may be a pattern in its last part. A damaged file has none of them.
    """
    try:
        files = by_number(_near(path)) if path.is_dir() else [path] * (path.suffix.lower() in SUFFIXES)
        if not files or not files[0].is_file():
            return False
        import h5py

        with h5py.File(files[0], "r") as file:
            return all(_has(file, name) for name in names)
    except (ImportError, OSError, LookupError, RuntimeError, ValueError, TypeError):
        return False


def _near(path: Path) -> list[Path]:
    return [file for file in path.iterdir() if file.suffix.lower() in SUFFIXES and not file.name.startswith(".")]


def _has(file: Any, name: str) -> bool:
    parent, _, last = name.rpartition("/")
    group = inside(file, parent, "Group") if parent else file
    return any(fnmatchcase(child, last) for child in group)


def by_number(names: Sequence[Any]) -> list[Any]:
    """Return names or paths in the order of the numbers in them: ``demo_2`` before ``demo_10``."""
    return sorted(names, key=lambda name: [int(t) if t.isdigit() else t for t in re.split(r"(\d+)", str(name))])
