"""Interfaces of storages, readers and formats, and the layout of episodes in memory."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt

from tacit._config import from_json, to_json
from tacit._files import check_file
from tacit.data.validation import Defect, Finding, Labels, problems
from tacit.errors import DataError
from tacit.types import Array, Episode, Spec

__all__ = [
    "Audited",
    "Format",
    "PackedEpisodes",
    "Reader",
    "Storage",
    "Streamed",
    "Timed",
    "checked",
    "combine",
    "content_digest",
    "digest",
    "files_digest",
    "rows",
]


class Storage(Protocol):
    """Recorded episodes, opened for reading."""

    @property
    def spec(self) -> Spec:
        """Return the spec of the episodes."""

    @property
    def labels(self) -> Labels:
        """Return the labels of every episode."""

    @property
    def lengths(self) -> npt.NDArray[np.int64]:
        """Return the number of observations of each episode."""

    @property
    def groups(self) -> Sequence[str]:
        """Return the group of each episode; see :attr:`tacit.types.Episode.group`."""

    @property
    def parallel(self) -> bool:
        """Return whether concurrent reads by threads are safe and faster."""

    def read(self, index: int, modalities: Collection[str], /) -> Episode:
        """Return episode ``index`` with the named modalities.

        Raises:
            DataError: if what is stored cannot be decoded.
        """

    def file(self, index: int, field: str, /) -> str:
        """Return the file that holds ``field`` of episode ``index``, for messages."""

    def digest(self, index: int) -> str:
        """Return a hash of the content of episode ``index``."""

    def packed(
        self, indices: npt.NDArray[np.int64], modalities: Collection[str], cache: Path | None, /
    ) -> PackedEpisodes:
        """Return the concatenated episodes; the ones at ``indices`` are always filled in.

        ``cache`` is the folder for the caches of all datasets, None for the default.
        """


@runtime_checkable
class Streamed(Protocol):
    """Storage that decodes images one at a time, so that an episode need not fit the memory."""

    def frames(self, index: int, name: str, /) -> Iterator[Array]:
        """Yield the images ``[C, H, W]`` of the pixels ``name`` of episode ``index``.

        Raises:
            DataError: if they cannot be decoded, which may be known after the last one only.
        """


@runtime_checkable
class Audited(Protocol):
    """Storage with content outside its episodes, such as statistics, that can have defects of its own."""

    def audit(self) -> Iterable[Finding]:
        """Yield the defects outside the episodes."""


@runtime_checkable
class Timed(Protocol):
    """Storage that knows when its episodes were recorded."""

    @property
    def times(self) -> npt.NDArray[np.float64] | None:
        """Return ``[episodes, 2]`` the times of the first and last observation in seconds since 1970, if known."""


class Reader(Protocol):
    """Reader of files of other programs: a frozen dataclass of options, a file of ``tacit.data.readers``."""

    def recognises(self, path: Path) -> bool:
        """Return whether ``path`` holds data of this kind, complete or damaged."""

    def open(self, path: Path) -> Storage:
        """Open the data at ``path``.

        Raises:
            DataError: if its index is missing, damaged or inconsistent.
        """


@runtime_checkable
class ByFile(Protocol):
    """Reader that reads each file independently."""

    def files(self, path: Path) -> list[Path]:
        """Return the files at or under ``path``."""


class Format(Protocol):
    """Storage format of episodes: a frozen dataclass of options, a file of ``tacit.data.formats``.

    Attributes:
        reader: The reader of the format, also a frozen dataclass of options.
    """

    reader: ClassVar[type[Reader]]

    def prepare(self, spec: Spec, labels: Labels, base: Path | None, /) -> None:
        """Refuse a spec or base that cannot be written, before writing anything.

        Raises:
            SpecError: if the format cannot hold ``spec``.
            DataError: if no episode can be added to the dataset ``base``.
        """

    def stage(self, folder: Path, episodes: Sequence[Episode], spec: Spec, labels: Labels, /) -> None:
        """Write checked episodes into an empty folder of their own."""

    def build(self, target: Path, spec: Spec, labels: Labels, staged: Sequence[Path], base: Path | None) -> None:
        """Write the episodes of ``base`` and then the staged ones at ``target``, which must not exist."""


@dataclass(frozen=True)
class PackedEpisodes:
    """Episodes of a storage, concatenated into one array for each modality.

    Attributes:
        observation: Per modality ``[rows, ...]``.
        action: ``[steps, A]``; the row of an episode's last observation is undefined.
        first: Per modality, and ``action``, ``[episodes]`` the first row of each episode.
        require: Refuses damaged episodes, by their numbers; call it before their rows are used.
    """

    observation: Mapping[str, Array]
    action: npt.NDArray[np.float32]
    first: Mapping[str, npt.NDArray[np.int64]]
    require: Callable[[npt.NDArray[np.int64]], None] | None = None


def checked(storage: Storage, index: int, modalities: Collection[str]) -> Episode:
    """Return episode ``index`` of a storage with the chosen modalities, checked against the spec.

    Raises:
        DataError: if it cannot be decoded or breaks the spec, naming file, episode and field.
    """
    episode = storage.read(index, modalities)
    for field, problem in problems(episode, storage.spec, storage.labels):
        raise Defect(storage.file(index, field), index, field, problem)
    return episode


def rows(spec: Spec, name: str, lengths: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Return the rows of modality ``name`` (or of ``action``) of each episode among packed episodes."""
    if name == "action":
        return lengths
    different, where = np.unique(lengths, return_inverse=True)
    return np.array([spec.samples(name, int(steps)) for steps in different], dtype=np.int64)[where]


def digest(episode: Episode, salt: str = "") -> str:
    """Return a hash of every array and fact of ``episode``, without its number in the dataset.

    Args:
        episode: The episode.
        salt: The lossy conversion of the pixels before storage, if any.
    """
    fields = {**episode.observation, "action": episode.action}
    fields |= {f"label.{name}": value for name, value in episode.labels.items()}
    if episode.final_action is not None:
        fields["final_action"] = episode.final_action
    total = hashlib.sha256(json.dumps([salt, episode.terminated, episode.seed, episode.task]).encode())
    for name in sorted(fields):
        value = np.ascontiguousarray(fields[name])
        total.update(json.dumps([name, str(value.dtype), value.shape]).encode())
        total.update(value.data)
    return total.hexdigest()


def combine(spec: Spec, parts: Collection[str]) -> str:
    """Return one hash of a spec and of the hashes of its episodes."""
    plain = _unnamed(to_json(from_json(Spec, to_json(spec))))  # in the form of a file: 1 and 1.0 are the same bound
    return hashlib.sha256(json.dumps([plain, list(parts)], sort_keys=True).encode()).hexdigest()


def _unnamed(spec: dict[str, Any]) -> dict[str, Any]:
    """Return the JSON of a spec without the names of components, which do not change the content."""
    modalities = spec["modalities"].items()
    parts = {name: {key: value for key, value in one.items() if key != "names"} for name, one in modalities}
    return {**spec, "modalities": parts, "action": _unnamed_action(spec["action"])}


def _unnamed_action(space: dict[str, Any]) -> dict[str, Any]:
    """Return the JSON of an action space without the names of components."""
    return {
        key: [_unnamed_action(part) for part in value] if key == "spaces" else value
        for key, value in space.items()
        if key != "names"
    }


def content_digest(files: Sequence[Path]) -> str:
    """Return a hash of the concatenated bytes of ``files``, without their names."""
    total = hashlib.sha256()
    for path in files:
        total.update(_digest_of(path))
    return total.hexdigest()


def files_digest(root: Path, files: Collection[Path]) -> str:
    """Return a hash of the names and bytes of ``files``."""
    total = hashlib.sha256()
    for path in sorted(files):
        total.update(f"{path.relative_to(root)} {_digest_of(path).hex()}\n".encode())
    return total.hexdigest()


def _digest_of(path: Path) -> bytes:
    """Return a hash of the bytes of a file.

    Raises:
        DataError: if it cannot be read, or is not a regular file.
    """
    try:
        check_file(path)
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").digest()
    except (OSError, ValueError) as error:
        raise DataError(f"{path} cannot be read: {error}.") from error
