"""What a format shows of a dataset on disk, and how episodes lie end to end in memory."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt

from tacit._config import from_json, to_json
from tacit._files import check_file
from tacit.data.findings import Defect, Finding, Labels, problems
from tacit.errors import DataError
from tacit.types import Array, Episode, Spec

__all__ = [
    "Arena",
    "Audited",
    "Format",
    "Reader",
    "Storage",
    "Streamed",
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
        """What the episodes hold."""

    @property
    def labels(self) -> Labels:
        """The labels of every episode."""

    @property
    def lengths(self) -> npt.NDArray[np.int64]:
        """Observations of each episode."""

    @property
    def groups(self) -> Sequence[str]:
        """The group of each episode; see :attr:`tacit.types.Episode.group`."""

    @property
    def parallel(self) -> bool:
        """Whether threads may read at the same time, and gain by it."""

    def read(self, index: int, modalities: Collection[str], /) -> Episode:
        """Episode ``index`` with the named modalities.

        Raises:
            DataError: if what is stored cannot be decoded.
        """

    def file(self, index: int, field: str, /) -> str:
        """The file that holds ``field`` of episode ``index``, for messages."""

    def digest(self, index: int) -> str:
        """A hash of the content of episode ``index``."""

    def arena(self, indices: npt.NDArray[np.int64], modalities: Collection[str], cache: Path | None, /) -> Arena:
        """Return the episodes end to end, those at ``indices`` filled in for certain.

        ``cache`` is the folder for the caches of all datasets, None for the usual one.
        """


@runtime_checkable
class Streamed(Protocol):
    """A storage that decodes images one at a time, so that an episode need not fit the memory."""

    def frames(self, index: int, name: str, /) -> Iterator[Array]:
        """Yield the images ``[C, H, W]`` of the pixels ``name`` of episode ``index``.

        Raises:
            DataError: if they cannot be decoded, which may be known after the last one only.
        """


@runtime_checkable
class Audited(Protocol):
    """A storage that holds more than its episodes, such as statistics, which can be wrong where no episode is."""

    def audit(self) -> Iterable[Finding]:
        """What is wrong beside the episodes."""


class Reader(Protocol):
    """A way to read what other programs made: a frozen dataclass of options, a file of ``tacit.data.readers``."""

    def recognises(self, path: Path) -> bool:
        """Whether something at ``path``, whole or damaged, is of this kind."""

    def open(self, path: Path) -> Storage:
        """Read it.

        Raises:
            DataError: if its index is missing, damaged or inconsistent.
        """


@runtime_checkable
class ByFile(Protocol):
    """A reader whose files are each read by themselves."""

    def files(self, path: Path) -> list[Path]:
        """Those at or under ``path``."""


class Format(Protocol):
    """A way to store episodes: a frozen dataclass of options, a file of ``tacit.data.formats``.

    Attributes:
        reader: A way to read them again, a frozen dataclass of options too.
    """

    reader: ClassVar[type[Reader]]

    def prepare(self, spec: Spec, labels: Labels, base: Path | None, /) -> None:
        """Refuse what cannot be written, before anything is.

        Raises:
            SpecError: if the format cannot hold ``spec``.
            DataError: if no episode can be added to the dataset ``base``.
        """

    def stage(self, folder: Path, episodes: Sequence[Episode], spec: Spec, labels: Labels, /) -> None:
        """Write checked episodes into an empty folder of their own."""

    def build(self, target: Path, spec: Spec, labels: Labels, staged: Sequence[Path], base: Path | None) -> None:
        """Write at ``target``, where nothing is, the episodes of the dataset ``base`` and then those staged."""


@dataclass(frozen=True)
class Arena:
    """All episodes of a storage end to end, one array for each modality.

    Attributes:
        observation: Per modality ``[rows, ...]``.
        action: ``[steps, A]``; the row of an episode's last observation is of no meaning.
        first: Per modality, and ``action``, ``[episodes]`` the first row of each episode.
        require: Refuses episodes, by their numbers, that are damaged; to be called before their rows are used.
    """

    observation: Mapping[str, Array]
    action: npt.NDArray[np.float32]
    first: Mapping[str, npt.NDArray[np.int64]]
    require: Callable[[npt.NDArray[np.int64]], None] | None = None


def checked(storage: Storage, index: int, modalities: Collection[str]) -> Episode:
    """Return episode ``index`` of a storage with some of its modalities, compared with the spec.

    Raises:
        DataError: if it cannot be decoded or breaks the spec, naming file, episode and field.
    """
    episode = storage.read(index, modalities)
    for field, problem in problems(episode, storage.spec, storage.labels):
        raise Defect(storage.file(index, field), index, field, problem)
    return episode


def rows(spec: Spec, name: str, lengths: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """How many rows of modality ``name`` (or of ``action``) each episode takes in an arena."""
    if name == "action":
        return lengths
    different, where = np.unique(lengths, return_inverse=True)
    return np.array([spec.samples(name, int(steps)) for steps in different], dtype=np.int64)[where]


def digest(episode: Episode, salt: str = "") -> str:
    """A hash of every array and fact of ``episode``; its number in the dataset does not count.

    Args:
        episode: The episode.
        salt: What was done to the pixels on the way to the disk, where that lost something.
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
    """One hash of a spec and of the hashes of its episodes."""
    plain = to_json(from_json(Spec, to_json(spec)))  # the way a file has it: 1 and 1.0 are the same bound
    return hashlib.sha256(json.dumps([plain, list(parts)], sort_keys=True).encode()).hexdigest()


def content_digest(files: Sequence[Path]) -> str:
    """A hash of the bytes of ``files``, one after the other; their names do not count."""
    total = hashlib.sha256()
    for path in files:
        total.update(_digest_of(path))
    return total.hexdigest()


def files_digest(root: Path, files: Collection[Path]) -> str:
    """A hash of the names and bytes of ``files``."""
    total = hashlib.sha256()
    for path in sorted(files):
        total.update(f"{path.relative_to(root)} {_digest_of(path).hex()}\n".encode())
    return total.hexdigest()


def _digest_of(path: Path) -> bytes:
    """Return a hash of the bytes of a file.

    Raises:
        DataError: if it cannot be read, or is no regular file.
    """
    try:
        check_file(path)
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").digest()
    except (OSError, ValueError) as error:
        raise DataError(f"{path} cannot be read: {error}.") from error
