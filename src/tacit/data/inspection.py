"""Look at a dataset on disk: what is in it, and what is wrong with it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from tacit.data.episodes import Episodes
from tacit.data.findings import Defect, Finding, Labels, problems
from tacit.data.reading import reader_of
from tacit.data.storage import Audited, ByFile, Reader, Storage
from tacit.errors import DataError
from tacit.types import Spec

__all__ = ["Info", "check", "info"]


@dataclass(frozen=True)
class Info:
    """What a dataset holds.

    Attributes:
        path: Where it is.
        format: Its format, or what reads it.
        episodes: The number of episodes.
        observations: The number of observations.
        shortest: Observations of the shortest episode.
        longest: Observations of the longest episode.
        seconds: Recorded time.
        bytes: Size on disk, caches not counted.
        spec: What the episodes hold.
        labels: Dtype and shape of one step of each label.
        hash: Of the content.
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


def info(path: str | os.PathLike[str], reader: str | Reader | None = None, **options: Any) -> Info:
    """What the dataset at ``path`` holds, from its index alone; of other files, what :func:`tacit.data.open` makes.

    Raises:
        DataError: if there is none, or its index is damaged.
    """
    place = Path(path)
    name, form = reader_of(place, reader, options)
    storage = form.open(place)
    files = [place] if place.is_file() else [item for item in place.rglob("*") if ".cache" not in item.parts]
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
    )


def check(path: str | os.PathLike[str], reader: str | Reader | None = None, **options: Any) -> list[Finding]:
    """Everything that is wrong with the dataset at ``path``: every byte is read and every episode checked.

    Statistics that are kept beside the episodes are compared with them.

    Returns:
        The findings, none for a sound dataset.

    Raises:
        ConfigError: if the reader has no such option; see :func:`tacit.data.open`.
    """
    place = Path(path)
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
    return list(findings)


def _others(form: Reader, place: Path, found: Finding) -> Iterator[Finding]:
    """What is wrong with the other files, each by itself, where one of them kept all from being opened."""
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
    """What is wrong with one episode, one modality at a time so that one does not hide another."""
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
