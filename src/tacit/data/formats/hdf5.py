"""HDF5 format: a single lossless file with one group for each episode.

``/episodes/000000/observation/<modality>``, ``/action``, ``/final_action`` (where there is one) and
``/label/<name>`` hold the arrays of :class:`tacit.types.Episode`; its other facts are attributes of the
group, with a CRC-32 of each array; the spec and the labels are an attribute of the file.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import zlib
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import numpy.typing as npt

from tacit._config import from_json, to_json
from tacit._files import add_checksum
from tacit._resize import check_size, resized
from tacit.data.cache import Source, filled
from tacit.data.formats._choice import at_size, gathered, matched
from tacit.data.formats._hdf5_content import About, Facts, check_stored, inside, library, sealed
from tacit.data.storage import PackedEpisodes, Reader, Storage, combine, digest
from tacit.data.validation import Defect, Labels
from tacit.errors import ConfigError, DataError
from tacit.types import Array, Episode, Spec

if TYPE_CHECKING:
    import h5py

__all__ = ["Hdf5", "Hdf5Reader"]

PIECE = 2**22
"""Bytes of images that are read at a time."""
MAGIC = b"\x89HDF\r\n\x1a\n"


@dataclass(frozen=True)
class Hdf5Reader:
    """Reader of a file that :class:`Hdf5` wrote, with its options.

    Args:
        skip: Modalities that are not read, and labels as ``label.NAME``: a name, a pattern or several of them.
        size: Height and width of all images, or one number for both; see :class:`LeRobotReader`.
    """

    skip: str | tuple[str, ...] = ()
    size: int | tuple[int, int] | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "skip", (self.skip,) if isinstance(self.skip, str) else tuple(self.skip))
        check_size(self.size)

    def recognises(self, path: Path) -> bool:
        """Return whether ``path`` is such a file, complete or damaged."""
        if not path.is_file():
            return False
        with path.open("rb") as file:
            return file.read(len(MAGIC)) == MAGIC or path.suffix in (".h5", ".hdf5")

    def open(self, path: Path) -> Storage:
        """Open the file. Raises DataError where it is damaged or of another layout."""
        return _Hdf5Storage(path, self)


@dataclass(frozen=True)
class Hdf5:
    """Format of a single HDF5 file; needs the extra ``hdf5``; :class:`Hdf5Reader` reads it.

    Args:
        compression: ``gzip``, ``lzf`` or none.
    """

    reader: ClassVar[type[Reader]] = Hdf5Reader
    compression: str | None = None

    def __post_init__(self) -> None:
        if self.compression not in (None, "gzip", "lzf"):
            raise ConfigError(f"compression is 'gzip', 'lzf' or None; got {self.compression!r}.")

    def prepare(self, _spec: Spec, _labels: Labels, _base: Path | None) -> None:
        """Raise MissingExtra without h5py; the format can hold any spec."""
        _library()

    def stage(self, folder: Path, episodes: Sequence[Episode], _spec: Spec, _labels: Labels) -> None:
        """Write episodes into an empty folder of their own."""
        with _library().File(folder / "episodes.h5", "w") as file:
            for number, episode in enumerate(episodes):
                self._write(file.create_group(f"{number:06d}"), episode)

    def build(self, target: Path, spec: Spec, labels: Labels, staged: Sequence[Path], base: Path | None) -> None:
        """Write the episodes of ``base`` and then the staged ones at ``target``."""
        if base is not None:
            shutil.copyfile(base, target)
        with _library().File(target, "a") as file:
            episodes = file.require_group("episodes")
            file.attrs["tacit"] = add_checksum({"version": 1, "spec": to_json(spec), "labels": to_json(labels)})
            for folder in staged:
                with _library().File(folder / "episodes.h5", "r") as source:
                    for name in sorted(source):
                        source.copy(name, episodes, f"{len(episodes):06d}")

    def _write(self, group: h5py.Group, episode: Episode) -> None:
        for name, value in _arrays(episode).items():
            chunks = (max(1, min(len(value), 2**20 // max(value[:1].nbytes, 1))), *value.shape[1:])
            options = {"chunks": chunks, "compression": self.compression} if value.size else {}
            group.create_dataset(name, data=value, **options)
        facts = {
            "terminated": episode.terminated,
            "seed": episode.seed,
            "task": episode.task,
            "length": len(episode),
            **({"group": episode.group} if episode.group else {}),
            "digest": digest(episode),
            "crc32": {name: _crc(value) for name, value in _arrays(episode).items()},
        }
        group.attrs["facts"] = add_checksum(facts)


class _Hdf5Storage:
    """Storage of a file that :class:`Hdf5` wrote; opened for every episode, so that processes can share it."""

    parallel = False

    def __init__(self, path: Path, options: Hdf5Reader) -> None:
        self.path, self._options = path, options
        with _reading(path, None, "tacit"), _library().File(path, "r") as file:
            if "tacit" not in file.attrs or "episodes" not in file:
                raise DataError(
                    f"{path} is an HDF5 file of another layout: expected the attribute 'tacit' and the group "
                    "'episodes'. Read it with h5py and bring it with tacit.data.from_episodes."
                )
            about = from_json(About, sealed(file, "tacit"), "the attribute 'tacit'")
            self._stored, self.labels = about.spec, about.labels
            episodes = inside(file, "episodes", "Group")
            self._names = sorted(episodes)
            self._facts = [
                from_json(Facts, sealed(inside(episodes, name, "Group"), "facts"), f"facts of episode {name}")
                for name in self._names
            ]
        self._leave_out(options)
        self.lengths = np.array([facts.length for facts in self._facts], dtype=np.int64)
        self.groups = [facts.group for facts in self._facts]
        if self._names != [f"{index:06d}" for index in range(len(self._names))] or not self._names:
            raise Defect(path, None, "episodes", "expected groups numbered from 000000 on without a gap.")
        if self.lengths.min() < 1:
            raise Defect(path, int(self.lengths.argmin()), "length", "the episode is empty.")

    def _leave_out(self, options: Hdf5Reader) -> None:
        """Remove the skipped fields from the spec and the labels, and set the size of images."""
        names = {*self._stored.modalities, *(f"label.{name}" for name in self.labels)}
        skipped = set(matched(options.skip, sorted(names), "skip"))
        kept = {name: modality for name, modality in self._stored.modalities.items() if name not in skipped}
        if not kept:
            raise ConfigError(f"skip= leaves no modality; the file has {', '.join(self._stored.modalities)}.")
        self._stored = self._stored.only(kept)
        self.labels = {name: label for name, label in self.labels.items() if f"label.{name}" not in skipped}
        self.spec = at_size(self._stored, options.size)

    def file(self, _index: int, _field: str) -> str:
        return str(self.path)

    def digest(self, index: int) -> str:
        recorded = self._facts[index].digest
        if self._options == Hdf5Reader():
            return recorded
        return hashlib.sha256(f"{recorded} {json.dumps(to_json(self._options))}".encode()).hexdigest()

    def packed(self, indices: npt.NDArray[np.int64], modalities: Collection[str], cache: Path | None) -> PackedEpisodes:
        identity = combine(self.spec, [self.digest(index) for index in range(len(self._facts))])
        return filled(self, Source(self.path, identity, [self.path]), indices, tuple(modalities), cache)

    def read(self, index: int, modalities: Collection[str]) -> Episode:
        facts = self._facts[index]
        steps, spec = facts.length, self.spec
        with _reading(self.path, index, "episode"), _library().File(self.path, "r") as file:
            group = inside(file, f"episodes/{self._names[index]}", "Group")
            observation = {
                name: self._images(group, index, name)
                if spec.modalities[name].source
                else self._array(
                    group, index, f"observation/{name}", name, (spec.samples(name, steps), *spec.modalities[name].shape)
                )
                for name in modalities
            }
            labels = {
                name: self._array(group, index, f"label/{name}", f"label.{name}", (steps, *shape))
                for name, (_, shape) in self.labels.items()
            }
            action = self._array(group, index, "action", "action", (steps - 1, spec.action.size))
            final = None
            if "final_action" in facts.crc32:
                final = self._array(group, index, "final_action", "final_action", (spec.action.size,))
        return Episode(
            observation=observation,
            action=action.astype(np.float32),
            terminated=facts.terminated,
            final_action=None if final is None else final.astype(np.float32),
            labels=labels,
            index=index,
            seed=facts.seed,
            task=facts.task,
            group=self.groups[index],
        )

    def frames(self, index: int, name: str) -> Iterator[npt.NDArray[np.uint8]]:
        """Yield the images of a modality; see :class:`tacit.data.storage.Streamed`."""
        with _reading(self.path, index, "episode"), _library().File(self.path, "r") as file:
            yield from self._frames(inside(file, f"episodes/{self._names[index]}", "Group"), index, name)

    def _images(self, group: h5py.Group, index: int, name: str) -> Array:
        """Return images at their size."""
        where = f"{self.path}, episode {index}, field {name!r}"
        return gathered(self._frames(group, index, name), int(self.lengths[index]), where)

    def _frames(self, group: h5py.Group, index: int, name: str) -> Iterator[npt.NDArray[np.uint8]]:
        """Yield images at their size, one at a time; verify the checksum of all at the end."""
        field, stored, length = f"observation/{name}", self._stored.modalities[name], int(self.lengths[index])
        size = self.spec.modalities[name].shape[1:]
        with _reading(self.path, index, name):
            if field not in group:
                raise Defect(self.path, index, name, "it is missing.")
            data, total = inside(group, field, "Dataset"), 0
            if data.shape != (length, *stored.shape) or data.dtype != stored.dtype:
                expected = f"{(length, *stored.shape)} of {stored.dtype}"
                raise Defect(self.path, index, name, f"expected shape {expected}; got {data.shape} of {data.dtype}.")
            check_stored(data)
            rows = max(1, PIECE // int(np.prod(stored.shape)))
            for start in range(0, length, rows):
                piece = data[start : start + rows]
                total = zlib.crc32(piece.data, total)
                yield from piece if stored.shape[1:] == size else resized(piece, size)
            if total != self._facts[index].crc32[field]:
                raise Defect(self.path, index, name, "its bytes are not those that were written (CRC-32).")

    def _array(self, group: h5py.Group, index: int, name: str, field: str, shape: tuple[int, ...]) -> Array:
        """Return one array; verify its shape before allocating memory, then its checksum."""
        with _reading(self.path, index, field):
            if name not in group:
                raise Defect(self.path, index, field, "it is missing.")
            data = inside(group, name, "Dataset")
            if data.shape != shape or data.dtype.kind not in "biuf":
                raise Defect(
                    self.path, index, field, f"expected numbers of shape {shape}; got {data.dtype} of {data.shape}."
                )
            check_stored(data)
            values: Array = data[()]
            if _crc(values) != self._facts[index].crc32[name]:
                raise Defect(self.path, index, field, "its bytes are not those that were written (CRC-32).")
            return values


def _crc(values: Array) -> int:
    return zlib.crc32(np.ascontiguousarray(values).tobytes())


def _arrays(episode: Episode) -> Mapping[str, Array]:
    arrays: dict[str, Array] = {f"observation/{name}": value for name, value in episode.observation.items()}
    arrays |= {f"label/{name}": value for name, value in episode.labels.items()}
    arrays["action"] = episode.action
    if episode.final_action is not None:
        arrays["final_action"] = episode.final_action
    return arrays


@contextmanager
def _reading(path: Path, index: int | None, field: str) -> Iterator[None]:
    """Convert the errors of h5py for a damaged file to a Defect."""
    try:
        yield
    except DataError:
        raise
    except (OSError, LookupError, RuntimeError, ValueError, TypeError, AttributeError, ArithmeticError) as error:
        raise Defect(path, index, field, f"cannot be read ({error}); the file is truncated or damaged.") from error


def _library() -> Any:
    return library("The HDF5 format")
