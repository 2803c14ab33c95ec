"""One HDF5 file: lossless, one group for each episode.

``/episodes/000000/observation/<modality>``, ``/action``, ``/final_action`` (where there is one) and
``/label/<name>`` hold the arrays of :class:`tacit.types.Episode`; its other facts are attributes of the
group, with a CRC-32 of each array; the spec and the labels are an attribute of the file.
"""

from __future__ import annotations

import shutil
import zlib
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from tacit._config import from_json, to_json
from tacit._files import seal, unseal
from tacit.data.cache import filled
from tacit.data.findings import Defect, Labels
from tacit.data.storage import Arena, Storage, combine, digest
from tacit.errors import ConfigError, DataError, MissingExtra
from tacit.types import Array, Episode, Spec

if TYPE_CHECKING:
    import h5py

__all__ = ["Hdf5"]

MAGIC = b"\x89HDF\r\n\x1a\n"


@dataclass(frozen=True)
class Hdf5:
    """One HDF5 file with everything in it; needs the extra ``hdf5``.

    Args:
        compression: ``gzip``, ``lzf`` or none.
    """

    compression: str | None = None

    def __post_init__(self) -> None:
        if self.compression not in (None, "gzip", "lzf"):
            raise ConfigError(f"compression is 'gzip', 'lzf' or None; got {self.compression!r}.")

    def recognises(self, path: Path) -> bool:
        """Whether ``path`` is such a file, whole or damaged."""
        if not path.is_file():
            return False
        with path.open("rb") as file:
            return file.read(len(MAGIC)) == MAGIC or path.suffix in (".h5", ".hdf5")

    def open(self, path: Path) -> Storage:
        """Read it. Raises DataError where it is damaged or of another layout."""
        return _Hdf5Storage(path)

    def prepare(self, _spec: Spec, _labels: Labels, _base: Path | None) -> None:
        """Raise MissingExtra without h5py; such a file can hold any spec."""
        _library()

    def stage(self, folder: Path, episodes: Sequence[Episode], _spec: Spec, _labels: Labels) -> None:
        """Write episodes into an empty folder of their own."""
        with _library().File(folder / "episodes.h5", "w") as file:
            for number, episode in enumerate(episodes):
                self._write(file.create_group(f"{number:06d}"), episode)

    def build(self, target: Path, spec: Spec, labels: Labels, staged: Sequence[Path], base: Path | None) -> None:
        """Write at ``target`` the episodes of ``base`` followed by those staged."""
        if base is not None:
            shutil.copyfile(base, target)
        with _library().File(target, "a") as file:
            episodes = file.require_group("episodes")
            file.attrs["tacit"] = seal({"version": 1, "spec": to_json(spec), "labels": to_json(labels)})
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
        group.attrs["facts"] = seal(facts)


class _Hdf5Storage:
    """A file that :class:`Hdf5` wrote; it is opened anew for every episode, so that processes can share it."""

    parallel = False

    def __init__(self, path: Path) -> None:
        self.path = path
        with _reading(path, None, "tacit"), _library().File(path, "r") as file:
            if "tacit" not in file.attrs or "episodes" not in file:
                raise DataError(
                    f"{path} is an HDF5 file of another layout: expected the attribute 'tacit' and the group "
                    "'episodes'. Read it with h5py and bring it with tacit.data.from_episodes."
                )
            about = unseal(file.attrs["tacit"])
            self.spec = from_json(Spec, about["spec"], "spec")
            self.labels: Labels = {name: (dtype, tuple(shape)) for name, (dtype, shape) in about["labels"].items()}
            self._names = sorted(file["episodes"])
            self._facts = [unseal(file["episodes"][name].attrs["facts"]) for name in self._names]
        self.lengths = np.array([facts["length"] for facts in self._facts], dtype=np.int64)
        self.groups = [str(facts.get("group", "")) for facts in self._facts]
        if self._names != [f"{index:06d}" for index in range(len(self._names))] or not self._names:
            raise Defect(path, None, "episodes", "expected groups numbered from 000000 on without a gap.")
        if self.lengths.min() < 1:
            raise Defect(path, int(self.lengths.argmin()), "length", "the episode is empty.")

    def file(self, _index: int, _field: str) -> str:
        return str(self.path)

    def digest(self, index: int) -> str:
        return str(self._facts[index]["digest"])

    def arena(self, indices: npt.NDArray[np.int64], modalities: Collection[str]) -> Arena:
        home = self.path.parent / f".{self.path.name}.cache"
        identity = combine(self.spec, [str(facts["digest"]) for facts in self._facts])
        return filled(self, home, identity, [self.path], indices, tuple(modalities))

    def read(self, index: int, modalities: Collection[str]) -> Episode:
        facts = self._facts[index]
        steps, spec = int(facts["length"]), self.spec
        with _reading(self.path, index, "episode"), _library().File(self.path, "r") as file:
            group = file[f"episodes/{self._names[index]}"]
            observation = {
                name: self._array(group, index, f"observation/{name}", name, spec.samples(name, steps))
                for name in modalities
            }
            labels = {name: self._array(group, index, f"label/{name}", f"label.{name}", steps) for name in self.labels}
            action = self._array(group, index, "action", "action", steps - 1)
            final = None
            if "final_action" in facts["crc32"]:
                final = self._array(group, index, "final_action", "final_action")
        return Episode(
            observation=observation,
            action=action.astype(np.float32),
            terminated=bool(facts["terminated"]),
            final_action=None if final is None else final.astype(np.float32),
            labels=labels,
            index=index,
            seed=facts["seed"],
            task=str(facts["task"]),
            group=self.groups[index],
        )

    def _array(self, group: h5py.Group, index: int, name: str, field: str, length: int | None = None) -> Array:
        """One array; its length is compared before memory is taken for it, then its checksum."""
        with _reading(self.path, index, field):
            if name not in group:
                raise Defect(self.path, index, field, "it is missing.")
            data = group[name]
            if length is not None and (not data.shape or data.shape[0] != length):
                raise Defect(self.path, index, field, f"expected {length} rows; got shape {data.shape}.")
            values: Array = data[()]
            if _crc(values) != self._facts[index]["crc32"][name]:
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
    """Turn what h5py raises for a damaged file into a Defect."""
    try:
        yield
    except DataError:
        raise
    except (OSError, KeyError, RuntimeError, ValueError, ConfigError) as error:
        raise Defect(path, index, field, f"cannot be read ({error}); the file is truncated or damaged.") from error


def _library() -> Any:
    try:
        import h5py
    except ImportError as error:
        raise MissingExtra("h5py", "hdf5", "The HDF5 format") from error
    return h5py
