"""Inspection of a dataset on disk: its content and its defects."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from tacit._files import resolve
from tacit._resources import amount
from tacit.data.cache import cached_bytes, damaged, home
from tacit.data.episodes import Episodes
from tacit.data.reading import reader_of
from tacit.data.storage import Audited, ByFile, Reader, Storage
from tacit.data.validation import Defect, Finding, Labels, problems
from tacit.errors import DataError
from tacit.types import ActionSpace, Discrete, Mixed, Modality, Spec

__all__ = ["Info", "check", "info"]


@dataclass(frozen=True)
class Info:
    """Summary of a dataset.

    Attributes:
        path: The path of the dataset.
        format: The name of its format, or of its reader.
        episodes: The number of episodes.
        observations: The number of observations.
        shortest: Observations of the shortest episode.
        longest: Observations of the longest episode.
        seconds: Recorded time.
        bytes: Size on disk, caches not counted.
        spec: The spec of the episodes.
        labels: Dtype and shape of one step of each label.
        hash: A hash of the content.
        cache: The folder of its decoded episodes, which may be deleted.
        cache_bytes: Size on disk of that folder.
    """

    path: str
    format: str
    episodes: int
    observations: int
    shortest: int
    longest: int
    seconds: float
    bytes: int
    spec: Spec
    labels: Labels
    hash: str
    cache: str = ""
    cache_bytes: int = 0

    def __str__(self) -> str:
        each = f"{self.shortest}" if self.shortest == self.longest else f"{self.shortest} to {self.longest}"
        time = f", {_duration(self.seconds)} at {self.spec.fps:g} a second" if self.longest > 1 else ""
        rows = [
            ("format", f"{self.format}, {amount(self.bytes)}"),
            ("episodes", f"{self.episodes}, of {each} observation{'s' * (self.longest > 1)}"),
            ("observations", f"{self.observations}{time}"),
            *((name, _modality(modality)) for name, modality in self.spec.modalities.items()),
            ("action", _action(self.spec.action)),
            ("labels", ", ".join(f"{name} ({_label(*label)})" for name, label in self.labels.items()) or "none"),
            ("hash", self.hash),
            *([("cache", f"{self.cache}, {amount(self.cache_bytes)}")] if self.cache_bytes else []),
        ]
        width = max(len(name) for name, _ in rows)
        return "\n".join([self.path, *(f"  {name:<{width}}  {said}" for name, said in rows)])


def info(
    path: str | os.PathLike[str],
    reader: str | Reader | None = None,
    *,
    cache: str | os.PathLike[str] | None = None,
    **options: Any,
) -> Info:
    """Describe the dataset at ``path`` from its index alone, or other files as :func:`tacit.data.open` reads them.

    Raises:
        DataError: if there is none, or its index is damaged.
    """
    place = resolve(path)
    name, form = reader_of(place, reader, options)
    storage = form.open(place)
    files = [place] if place.is_file() else [item for item in place.rglob("*") if ".cache" not in item.parts]
    decoded = None if cache is None else resolve(cache)
    return Info(
        path=str(place),
        format=name,
        episodes=len(storage.lengths),
        observations=int(storage.lengths.sum()),
        shortest=int(storage.lengths.min()),
        longest=int(storage.lengths.max()),
        seconds=float(storage.lengths.sum() / storage.spec.fps),
        bytes=sum(item.stat().st_size for item in files if item.is_file()),
        spec=storage.spec,
        labels=storage.labels,
        hash=Episodes(storage).hash(),
        cache=str(home(place, decoded)),
        cache_bytes=cached_bytes(place, decoded),
    )


def check(
    path: str | os.PathLike[str],
    reader: str | Reader | None = None,
    *,
    cache: str | os.PathLike[str] | None = None,
    **options: Any,
) -> list[Finding]:
    """Find all defects of the dataset at ``path``; read every byte and check every episode.

    Stored statistics are compared with the episodes, and decoded episodes in the cache with their checksums.

    Returns:
        The findings, none for a sound dataset.

    Raises:
        ConfigError: if the reader has no such option; see :func:`tacit.data.open`.
    """
    place = resolve(path)
    form = reader_of(place, reader, options)[1]
    try:
        storage = form.open(place)
    except Defect as defect:
        return [defect.finding, *_others(form, place, defect.finding)]
    except DataError as error:
        return [Finding(str(place), None, "dataset", str(error))]
    findings: dict[Finding, None] = {}
    for index in range(len(storage.lengths)):
        findings |= dict.fromkeys(_episode(storage, index))
    if isinstance(storage, Audited):
        findings |= dict.fromkeys(storage.audit())
    findings |= dict.fromkeys(damaged(place, None if cache is None else resolve(cache)))
    return list(findings)


def _others(form: Reader, place: Path, found: Finding) -> Iterator[Finding]:
    """Yield the defects of the other files, each read alone, where one file prevented opening all."""
    files = form.files(place) if isinstance(form, ByFile) and place.is_dir() else []
    for number, file in enumerate(files):
        if str(file) == found.file:
            continue
        try:
            form.open(file)
        except Defect as defect:
            yield replace(defect.finding, episode=None if defect.finding.episode is None else number)
        except DataError as error:
            yield Finding(str(file), number, "dataset", str(error))


def _episode(storage: Storage, index: int) -> list[Finding]:
    """Return the defects of one episode, one modality at a time so that none hides another."""
    findings = []
    for name in storage.spec.modalities:
        try:
            episode = storage.read(index, (name,))
        except Defect as defect:
            findings.append(defect.finding)
            continue
        for field, problem in problems(episode, storage.spec, storage.labels):
            findings.append(Finding(storage.file(index, field), index, field, problem))
    return findings


def _duration(seconds: float) -> str:
    for unit, length in (("h", 3600.0), ("min", 60.0)):
        if seconds >= 2 * length:
            return f"{seconds / length:.1f} {unit}"
    return f"{seconds:.1f} s"


def _modality(modality: Modality) -> str:
    if modality.rate is None:
        return f"{modality.kind}, {_shape(modality.shape)}"
    return f"{modality.kind}, {modality.shape[0]} at {modality.rate:g} samples a second"


def _action(space: ActionSpace) -> str:
    if isinstance(space, Mixed):
        return " and ".join(_action(part) for part in space.spaces)
    if isinstance(space, Discrete):
        return f"one of {space.n}"
    if not space.size:
        return "none"
    numbers = "1 number" if space.size == 1 else f"{space.size} numbers"
    return f"{numbers} from {_bounds(space.low)} to {_bounds(space.high)}"


def _bounds(values: tuple[float, ...]) -> str:
    same = len(set(values)) == 1
    return f"{values[0]:g}" if same else f"({', '.join(f'{value:g}' for value in values)})"


def _label(dtype: str, shape: tuple[int, ...]) -> str:
    return f"{dtype}, {_shape(shape)}" if shape else dtype


def _shape(shape: tuple[int, ...]) -> str:
    return " x ".join(map(str, shape))
