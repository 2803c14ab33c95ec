"""Episodes that are read directly from the files of other programs."""

from __future__ import annotations

import hashlib
import json
import os
import stat
import warnings
from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from tacit._config import to_json
from tacit._registry import suggest
from tacit.data.cache import Source, filled
from tacit.data.storage import PackedEpisodes, content_digest
from tacit.data.threads import prefetch_map
from tacit.data.validation import Labels
from tacit.errors import DataError
from tacit.types import Array, Episode, Spec

__all__ = [
    "ADVICE",
    "NAMED",
    "FileSet",
    "FileStorage",
    "find",
    "listed",
    "no_actions",
    "option",
    "readable",
    "regular",
]

READING = 2  # incremented whenever reading changes: files then give other episodes
NAMED = 5
"""Largest number of files that a warning names."""


def option(name: str, value: object) -> str:
    """Return the notation of a reader's option, for errors."""
    return f"{name}={value!r}, or on the command line: tacit data convert SOURCE DATASET --set {name}={value}"


ADVICE = f"Replace the file, take it away, or skip such files with {option('on_error', 'skip')}."


@dataclass(frozen=True)
class FileSet:
    """Files of one kind under a path.

    Attributes:
        path: The searched path.
        files: The files in the order of their names.
        classes: The names of their subfolders, sorted; empty where there are none.
        numbers: ``[files]`` the class number of each file; -1 where there are no classes.
    """

    path: Path
    files: tuple[Path, ...]
    classes: tuple[str, ...]
    numbers: npt.NDArray[np.int64]

    @property
    def labels(self) -> Labels:
        """Return the label of every episode, if files have classes."""
        return {"class": ("int64", ())} if self.classes else {}

    def label(self, file: int, length: int) -> dict[str, Array]:
        """Return the labels of an episode of ``length`` observations from file number ``file``."""
        return {"class": np.full(length, self.numbers[file])} if self.classes else {}

    def task(self, file: int) -> str:
        """Return the class name of file number ``file``, which is the task of its episodes."""
        return self.classes[self.numbers[file]] if self.classes else ""

    def keep(self, chosen: Sequence[int]) -> FileSet:
        """Return only the chosen files, with all classes."""
        return FileSet(
            self.path, tuple(self.files[index] for index in chosen), self.classes, self.numbers[list(chosen)]
        )


def listed(path: Path, suffixes: Collection[str]) -> list[Path]:
    """Return the visible files at or under ``path`` with these suffixes, in any case."""
    if path.is_file():
        return [path] if path.suffix.lower() in suffixes else []
    found: list[Path] = []
    entered: set[Path] = set()
    for folder, names, files in os.walk(path, followlinks=True):
        place = Path(folder)
        names[:] = [name for name in names if not name.startswith(".")]
        if place.resolve() in entered:  # a link to a parent folder
            names.clear()
            continue
        entered.add(place.resolve())
        found += [
            place / name
            for name in files
            if not name.startswith(".") and place.joinpath(name).suffix.lower() in suffixes
        ]
    return sorted(found)


def regular(file: Path) -> None:
    """Raise DataError at a device, FIFO or socket, whose reading could block or never end."""
    try:
        mode = file.stat().st_mode
    except OSError:  # an error names it when it is read
        return
    if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
        raise DataError(f"expected a regular file; {file} is a device, a FIFO or a socket. Move it away.")


def find(
    path: Path, files: Sequence[Path], suffixes: Collection[str], kind: str, named: Sequence[str] | None
) -> FileSet:
    """Return the files of a kind under ``path`` and their classes.

    Args:
        path: The searched path.
        files: The existing files.
        suffixes: Their suffixes, for messages.
        kind: The name of their kind, in the plural.
        named: The classes by number, if not the subfolders.

    Raises:
        DataError: if there is none, if some lie in subfolders and some do not, or if a subfolder is no class.
    """
    for file in files:
        regular(file)
    if not files:
        raise DataError(f"{path} holds no {kind}: expected files that end in {', '.join(sorted(suffixes))}.")
    folders = [file.parent.relative_to(path).as_posix() if path.is_dir() else "." for file in files]
    classes = tuple(sorted(set(folders)))
    if classes == (".",) and named is None:
        return FileSet(path, tuple(files), (), np.full(len(files), -1))
    if "." in classes:
        loose = files[folders.index(".")]
        raise DataError(
            f"the subfolders of {path} are classes, but {loose} lies in none of them. Move such {kind} into a "
            "subfolder of their class, or out of the folder."
        )
    if named is not None:
        if unknown := sorted(set(classes) - set(named)):
            raise DataError(
                f"{path / unknown[0]} is none of the classes {', '.join(named)}.{suggest(unknown[0], named)} Add it to "
                "classes=..., or leave the folder out."
            )
        classes = tuple(named)
    where = {name: number for number, name in enumerate(classes)}
    return FileSet(path, tuple(files), classes, np.array([where[folder] for folder in folders], dtype=np.int64))


def readable(found: FileSet, kind: str, decode: Callable[[Path], object]) -> FileSet:
    """Return the readable files; a warning counts and names the others.

    Args:
        found: The existing files.
        kind: The name of their kind, in the plural.
        decode: A function that reads one, and raises ValueError if it cannot be read.

    Raises:
        DataError: if none can be read.
    """

    def problem(file: Path) -> str:
        try:
            decode(file)
        except ValueError as error:
            return f"{file}: {error}"
        return ""

    problems = list(prefetch_map(problem, found.files))
    broken = [text for text in problems if text]
    if len(broken) == len(problems):
        raise DataError(f"none of the {len(broken)} {kind} in {found.path} can be read. {broken[0]}")
    if broken:
        named = " ".join(broken[:NAMED]) + (" ..." if len(broken) > NAMED else "")
        warnings.warn(f"skipped {len(broken)} of {len(problems)} {kind} in {found.path}. {named}", stacklevel=5)
    return found.keep([index for index, text in enumerate(problems) if not text])


def no_actions(length: int) -> npt.NDArray[np.float32]:
    """Return the empty actions ``[T - 1, 0]`` of an episode of ``length`` observations."""
    return np.zeros((length - 1, 0), np.float32)


class FileStorage(ABC):
    """Storage of episodes, each of them read from one of ``found``.

    Args:
        found: The files.
        options: The reader, whose options determine the content of the episodes.
        spec: The spec of the episodes.
        lengths: Observations of each episode.
        sources: ``[episodes]`` the number of the file of each episode.
        labels: Labels in addition to the class.
    """

    parallel = False

    def __init__(
        self,
        found: FileSet,
        options: Any,
        spec: Spec,
        lengths: npt.NDArray[np.int64],
        sources: npt.NDArray[np.int64] | None = None,
        labels: Labels | None = None,
    ) -> None:
        self.found, self.spec, self.lengths = found, spec, lengths
        self.labels: Labels = {**found.labels, **(labels or {})}
        self.sources = np.arange(len(found.files)) if sources is None else sources
        chosen = {
            name: value
            for name, value in to_json(options).items()
            if name not in getattr(options, "added", ()) or getattr(options, name) != getattr(type(options)(), name)
        }
        self._options = json.dumps([READING, type(options).__name__, chosen])
        self._sums: dict[int, str] = {}

    @cached_property
    def groups(self) -> Sequence[str]:
        """Return the group of each episode: a hash of its file where it holds several, so that copies share it."""
        counts = np.bincount(self.sources, minlength=len(self.found.files))
        return [self._sum(int(source))[:16] if counts[source] > 1 else "" for source in self.sources]

    @abstractmethod
    def read(self, index: int, modalities: Collection[str]) -> Episode:
        """Return episode ``index``."""

    def episode_of(self, index: int, modalities: Collection[str], images: npt.NDArray[np.uint8]) -> Episode:
        """Return the episode of images ``[T, C, H, W]``, with its class and without actions."""
        return Episode(
            observation=dict.fromkeys(modalities, images),
            action=no_actions(len(images)),
            labels=self.found.label(index, len(images)),
            index=index,
            task=self.found.task(index),
        )

    def parts(self, file: Path) -> Sequence[Path]:
        """Return the files of which one of ``found`` consists."""
        return (file,)

    def file(self, index: int, _field: str) -> str:
        """Return the file of episode ``index``."""
        return str(self.found.files[self.sources[index]])

    def digest(self, index: int) -> str:
        """Return a hash of file content, class name, options and the episode's number in the file.

        Names of files do not count, so that copies are found. The class does: the same image in two classes is two
        episodes, as everywhere else, because labels are part of an episode.
        """
        source = int(self.sources[index])
        place = index - int(np.searchsorted(self.sources, source))
        facts = [self._options, self.found.task(source), place, self._sum(source)]
        return hashlib.sha256(json.dumps(facts).encode()).hexdigest()

    def _sum(self, source: int) -> str:
        """Return a hash of the bytes of a file."""
        if source not in self._sums:
            self._sums[source] = content_digest(self.parts(self.found.files[source]))
        return self._sums[source]

    def packed(self, indices: npt.NDArray[np.int64], modalities: Collection[str], cache: Path | None) -> PackedEpisodes:
        """Return the packed episodes; see :class:`tacit.data.storage.Storage`."""
        path, files = self.found.path, self.found.files
        parts = [part for file in files for part in self.parts(file)]
        names = [file.relative_to(path).as_posix() for file in files] if path.is_dir() else []
        whole = json.dumps([self._options, names, self.lengths.tolist()])
        source = Source(path, hashlib.sha256(whole.encode()).hexdigest(), parts)
        return filled(self, source, indices, tuple(modalities), cache)
