"""Atomic writing of episodes: a dataset that can be read is complete."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

from tacit._config import to_json
from tacit._files import check_file, read_json, resolve, sync, write_atomically
from tacit._progress import track
from tacit.data import formats
from tacit.data.episodes import Episodes
from tacit.data.memory import require
from tacit.data.reading import reader_of, staged_name, unfinished, waiting
from tacit.data.storage import Format, Reader
from tacit.data.validation import Labels, label_schema
from tacit.errors import DataError, SpecError, TacitError
from tacit.types import Episode, Spec

__all__ = ["Writer", "convert", "save"]

ABOUT, SIZES = "about.json", "sizes.json"
ABOUT_SHOWN = 500
"""Characters of another spec that an error shows."""
GROUP, GROUP_BYTES = 256, 2**18


class Writer:
    """Writer that adds episodes to a new or existing dataset, atomically when it is closed.

    ::

        with tc.data.Writer("data/run", spec) as writer:
            for seed in range(len(writer), 100):  # a killed recording continues where it stopped
                writer.add(record(seed))

    Until then the dataset at ``path`` is as it was, and each added episode is in a folder
    ``.<name>.unfinished`` next to it, from which another writer of the same spec resumes. Leaving
    the ``with`` block by an error keeps them there too. One writer at a time.

    Args:
        path: The path of the dataset.
        spec: The spec of the episodes.
        format: A name of ``tacit.data.formats``, or a format with its options.

    Raises:
        SpecError: if a dataset or an unfinished one of another spec is there.
        DataError: if nothing can be added to the dataset that is there.
    """

    def __init__(self, path: str | os.PathLike[str], spec: Spec, format: str | Format = "lerobot") -> None:
        self.path, self.spec = resolve(path), spec
        self._format = _chosen(format)
        self._staging = unfinished(self.path)
        self._recover()
        self._labels: Labels | None = None
        self._staged: list[Path] = []
        self._published = self._existing() if self.path.exists() else 0
        self._count = self._resume() if self._staging.exists() else self._published

    def __len__(self) -> int:
        """Return the number of episodes so far, including the ones of earlier writers."""
        return self._count

    def __enter__(self) -> Writer:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            self.close()

    def add(self, episode: Episode) -> None:
        """Add one episode; after the return, it survives a kill of this process.

        Raises:
            SpecError: naming the episode and field that break the spec; nothing is written then.
        """
        self._add([episode])

    def extend(self, episodes: Iterable[Episode]) -> None:
        """Add many episodes; small ones are stored in groups, far faster than one at a time.

        A kill or an error keeps the complete groups before it, of at most 256 episodes and about 256 kB.

        Raises:
            SpecError: naming the episode and field that break the spec.
        """
        group: list[Episode] = []
        size = 0
        for episode in episodes:
            group.append(episode)
            size += sum(value.nbytes for value in episode.observation.values())
            if size >= GROUP_BYTES or len(group) == GROUP:
                self._add(group)
                group, size = [], 0
        if group:
            self._add(group)

    def _add(self, group: Sequence[Episode]) -> None:
        """Store a group of episodes atomically."""
        labels = label_schema(group[0]) if self._labels is None else self._labels
        for index, episode in enumerate(group, self._count):
            require(episode, self.spec, labels, str(self.path), index)
        if not self._staging.exists():
            self._format.prepare(self.spec, labels, self.path if self._published else None)
            self._staging.mkdir(parents=True)
            write_atomically(self._staging / ABOUT, json.dumps(self._about(labels)))
        self._labels = labels
        draft = self._staging / "draft"
        shutil.rmtree(draft, ignore_errors=True)
        draft.mkdir()
        self._format.stage(draft, group, self.spec, labels)
        (draft / SIZES).write_text(json.dumps({path.name: path.stat().st_size for path in draft.iterdir()}))
        place = self._staging / staged_name(self._count, len(group))
        draft.rename(place)
        self._staged.append(place)
        self._count += len(group)

    def close(self) -> None:
        """Replace the dataset atomically with one that has the added episodes.

        Raises:
            DataError: if there is no episode at all, or the stored episodes of an earlier writer are damaged.
        """
        if self._count == self._published:
            if not self._count:
                raise DataError(f"no episode was added to {self.path}; nothing is written.")
            return
        if self._labels is None:
            raise DataError(f"{self._staging} was changed by someone else. Delete it and write again.")
        new, old = self._staging / "new", self._staging / "old"
        base = self.path if self._published else None
        try:
            self._format.build(new, self.spec, self._labels, self._staged, base)
        except TacitError:
            raise
        except (OSError, RuntimeError, ValueError, TypeError, LookupError, AttributeError, ArithmeticError) as error:
            raise DataError(
                f"{self.path} cannot be put together from the episodes in {self._staging}: {error!r}. Make room if the "
                "disk is full; else those episodes, or the dataset they are added to, are damaged: look with tacit "
                "data check, or delete the folder and record them again."
            ) from error
        sync(new)
        if self.path.is_dir():
            self.path.rename(old)
        new.replace(self.path)
        shutil.rmtree(self._staging)
        self._published, self._staged = self._count, []

    def _about(self, labels: Labels) -> dict[str, Any]:
        options = {"name": type(self._format).__name__, "options": to_json(self._format)}
        return {"spec": to_json(self.spec), "labels": to_json(labels), "format": options}

    def _recover(self) -> None:
        """Undo or finish the :meth:`close` of a killed writer."""
        old = self._staging / "old"
        if old.exists() and not self.path.exists():
            old.rename(self.path)
        for leftover in (old, self._staging / "new"):
            if leftover.is_dir():
                shutil.rmtree(leftover)
            else:
                leftover.unlink(missing_ok=True)

    def _existing(self) -> int:
        """Return the number of episodes of the existing dataset."""
        name, reader = reader_of(self.path)
        storage = reader.open(self.path)
        if storage.spec != self.spec or type(reader) is not type(self._format).reader:
            raise SpecError(
                f"{self.path} holds episodes in format {name} of {storage.spec}; "
                f"expected {type(self._format).__name__} of {self.spec}. Choose another path."
            )
        self._format.prepare(self.spec, storage.labels, self.path)
        self._labels = storage.labels
        return len(storage.lengths)

    def _resume(self) -> int:
        """Resume with the complete episodes of an earlier writer and delete the rest of its files."""
        try:
            about = read_json(self._staging / ABOUT)
            labels = {name: (dtype, tuple(shape)) for name, (dtype, shape) in about["labels"].items()}
        except (OSError, ValueError, LookupError, TypeError, AttributeError):
            shutil.rmtree(self._staging)
            return self._published
        if about != self._about(labels):
            raise SpecError(
                f"{self._staging} keeps episodes of another spec or format: {str(about)[:ABOUT_SHOWN]}. "
                "Open the writer with those, or delete that folder."
            )
        count, there = self._published, waiting(self._staging)
        while count in there and self._whole(there[count][0]):
            self._staged.append(there[count][0])
            count += there[count][1]
        for item in self._staging.iterdir():
            if item.name != ABOUT and item not in self._staged:
                shutil.rmtree(item) if item.is_dir() else item.unlink()
        self._labels = labels
        return count

    def _whole(self, folder: Path) -> bool:
        try:
            sizes = read_json(folder / SIZES)
            return all(check_file(folder / name) == size for name, size in sizes.items())
        except (OSError, ValueError, AttributeError):
            return False


def save(
    episodes: Episodes, path: str | os.PathLike[str], format: str | Format = "lerobot", *, progress: bool | None = None
) -> None:
    """Write episodes atomically to a new dataset.

    An interrupted or killed call continues where it stopped if it is repeated with the same episodes. Until then its
    work is hidden next to ``path``, in ``.NAME.saving`` and ``..NAME.saving.unfinished``; delete these to abandon it.

    Args:
        episodes: The episodes to write.
        path: The path of the new dataset; it must not exist.
        format: A name of ``tacit.data.formats``, or a format with its options, such as
            ``tacit.data.formats.LeRobot(lossless=False)``.
        progress: Show a progress bar; None: on a terminal and in a notebook.

    Raises:
        DataError: if ``path`` exists, or there is no episode.
        SpecError: if the format cannot hold the spec.
    """
    place = resolve(path)
    for taken in (place, unfinished(place)):
        if taken.exists():
            raise DataError(f"{taken} exists already. Choose another path, or delete it first.")
    form = _chosen(format)
    draft = place.parent / f".{place.name}.saving"
    note = place.parent / f".{place.name}.saving.json"
    asked = json.dumps({"episodes": episodes.hash(), "format": [type(form).__name__, to_json(form)]})
    if not note.is_file() or note.read_bytes() != asked.encode():
        _discard(draft, note)
        note.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(note, asked)
    try:
        with Writer(draft, episodes.spec, form) as writer:
            rest = episodes[len(writer) :]
            writer.extend(track(rest, len(rest), "episodes", show=progress))
        draft.rename(place)
    except Exception:  # a draft that cannot be written is deleted; an interrupted one is kept
        _discard(draft, note)
        raise
    _discard(draft, note)


def _chosen(format: str | Format) -> Format:
    chosen: Format = formats.load(format)() if isinstance(format, str) else format
    return chosen


def _discard(draft: Path, note: Path) -> None:
    """Remove the files of an attempt to save."""
    for leftover in (draft, unfinished(draft), note):
        if leftover.is_dir():
            shutil.rmtree(leftover, ignore_errors=True)
        else:
            leftover.unlink(missing_ok=True)


def convert(
    source: str | os.PathLike[str],
    target: str | os.PathLike[str],
    format: str | Format,
    reader: str | Reader | None = None,
    *,
    progress: bool | None = None,
    **options: Any,
) -> None:
    """Write the data at ``source`` to ``target`` as a dataset; see :func:`tacit.data.open` and :func:`save`."""
    place = resolve(source)
    save(Episodes(reader_of(place, reader, options)[1].open(place)), target, format, progress=progress)
