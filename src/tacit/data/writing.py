"""Write episodes so that what can be read is complete, whenever the writing stopped."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from types import TracebackType
from typing import Any

from tacit._config import to_json
from tacit.data import formats
from tacit.data.episodes import Episodes
from tacit.data.files import sync, write_atomically
from tacit.data.findings import Labels, label_schema
from tacit.data.memory import require
from tacit.data.reading import format_of, unfinished
from tacit.data.storage import Format
from tacit.errors import DataError, SpecError
from tacit.types import Episode, Spec

__all__ = ["Writer", "convert", "save"]

ABOUT, SIZES = "about.json", "sizes.json"


class Writer:
    """Adds episodes to a dataset, new or not, that appears whole when the writer is closed.

    ::

        with tc.data.Writer("data/run", spec) as writer:
            for seed in range(len(writer), 100):  # a killed recording goes on where it stopped
                writer.add(record(seed))

    Until then the dataset at ``path`` is as it was, and each added episode is in a folder
    ``.<name>.unfinished`` beside it, from where another writer of the same spec takes them up. Leaving
    the ``with`` block by an error keeps them there too. One writer at a time.

    Args:
        path: Where the dataset is to be.
        spec: What the episodes hold.
        format: A name of ``tacit.data.formats``, or a format with its options.

    Raises:
        SpecError: if a dataset or an unfinished one of another spec is there.
        DataError: if nothing can be added to the dataset that is there.
    """

    def __init__(self, path: str | os.PathLike[str], spec: Spec, format: str | Format = "lerobot") -> None:
        self.path, self.spec = Path(path), spec
        self._format: Format = formats.load(format)() if isinstance(format, str) else format
        self._staging = unfinished(self.path)
        self._recover()
        self._labels: Labels | None = None
        self._published = self._existing() if self.path.exists() else 0
        self._count = self._resume() if self._staging.exists() else self._published

    def __len__(self) -> int:
        """Episodes so far, those of earlier writers included."""
        return self._count

    def __enter__(self) -> Writer:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            self.close()

    def add(self, episode: Episode) -> None:
        """Add one episode; once this returns, a later writer finds it even if this process is killed.

        Raises:
            SpecError: naming the episode and field that break the spec; nothing is written then.
        """
        labels = label_schema(episode) if self._labels is None else self._labels
        require(episode, self.spec, labels, str(self.path), self._count)
        if not self._staging.exists():
            self._format.prepare(self.spec, labels, self.path if self._published else None)
            self._staging.mkdir(parents=True)
            write_atomically(self._staging / ABOUT, json.dumps(self._about(labels)))
        self._labels = labels
        draft = self._staging / "draft"
        shutil.rmtree(draft, ignore_errors=True)
        draft.mkdir()
        self._format.stage(draft, episode, self.spec, labels)
        (draft / SIZES).write_text(json.dumps({path.name: path.stat().st_size for path in draft.iterdir()}))
        draft.rename(self._folder(self._count))
        self._count += 1

    def close(self) -> None:
        """Put the dataset with the added episodes in the place of the one before, at once.

        Raises:
            DataError: if there is no episode at all, or what was kept of an earlier writer is damaged.
        """
        if self._count == self._published:
            if not self._count:
                raise DataError(f"no episode was added to {self.path}; nothing is written.")
            return
        if self._labels is None:
            raise DataError(f"{self._staging} was changed by someone else. Delete it and write again.")
        new, old = self._staging / "new", self._staging / "old"
        staged = [self._folder(index) for index in range(self._published, self._count)]
        base = self.path if self._published else None
        self._format.build(new, self.spec, self._labels, staged, base)
        sync(new)
        if self.path.is_dir():
            self.path.rename(old)
        new.replace(self.path)
        shutil.rmtree(self._staging)
        self._published = self._count

    def _folder(self, index: int) -> Path:
        return self._staging / f"episode-{index:06d}"

    def _about(self, labels: Labels) -> dict[str, Any]:
        options = {"name": type(self._format).__name__, "options": to_json(self._format)}
        return {"spec": to_json(self.spec), "labels": to_json(labels), "format": options}

    def _recover(self) -> None:
        """Undo or finish what a writer that was killed in :meth:`close` left behind."""
        old = self._staging / "old"
        if old.exists() and not self.path.exists():
            old.rename(self.path)
        for leftover in (old, self._staging / "new"):
            if leftover.is_dir():
                shutil.rmtree(leftover)
            else:
                leftover.unlink(missing_ok=True)

    def _existing(self) -> int:
        """The episodes of the dataset that is there."""
        form = format_of(self.path)[1]
        storage = form.open(self.path)
        if storage.spec != self.spec or type(form) is not type(self._format):
            raise SpecError(
                f"{self.path} holds episodes in format {type(form).__name__} of {storage.spec}; "
                f"expected {type(self._format).__name__} of {self.spec}. Choose another path."
            )
        self._format.prepare(self.spec, storage.labels, self.path)
        self._labels = storage.labels
        return len(storage.lengths)

    def _resume(self) -> int:
        """Take up the complete episodes of an earlier writer and drop the rest of its files."""
        try:
            about = json.loads((self._staging / ABOUT).read_bytes())
        except (OSError, ValueError):
            shutil.rmtree(self._staging)
            return self._published
        labels = {name: (dtype, tuple(shape)) for name, (dtype, shape) in about["labels"].items()}
        if about != self._about(labels):
            raise SpecError(
                f"{self._staging} keeps episodes of another spec or format: {about}. "
                "Open the writer with those, or delete that folder."
            )
        count = self._published
        while self._whole(self._folder(count)):
            count += 1
        keep = {ABOUT, *(self._folder(index).name for index in range(self._published, count))}
        for item in self._staging.iterdir():
            if item.name not in keep:
                shutil.rmtree(item) if item.is_dir() else item.unlink()
        self._labels = labels
        return count

    def _whole(self, folder: Path) -> bool:
        try:
            sizes = json.loads((folder / SIZES).read_bytes())
            return all((folder / name).stat().st_size == size for name, size in sizes.items())
        except (OSError, ValueError):
            return False


def save(episodes: Episodes, path: str | os.PathLike[str], format: str | Format = "lerobot") -> None:
    """Write episodes to a new dataset, whole or not at all.

    Args:
        episodes: What to write.
        path: Where; nothing may be there.
        format: A name of ``tacit.data.formats``, or a format with its options, such as
            ``tacit.data.formats.LeRobot(lossless=False)``.

    Raises:
        DataError: if something is there already, or there is no episode.
        SpecError: if the format cannot hold the spec.
    """
    place = Path(path)
    for taken in (place, unfinished(place)):
        if taken.exists():
            raise DataError(f"{taken} exists already. Choose another path, or delete it first.")
    draft = place.parent / f".{place.name}.saving"
    leftovers = (draft, unfinished(draft))
    for leftover in leftovers:
        shutil.rmtree(leftover, ignore_errors=True)
    try:
        with Writer(draft, episodes.spec, format) as writer:
            for episode in episodes:
                writer.add(episode)
        draft.rename(place)
    finally:
        for leftover in leftovers:
            shutil.rmtree(leftover, ignore_errors=True)


def convert(source: str | os.PathLike[str], target: str | os.PathLike[str], format: str | Format) -> None:
    """Write the dataset at ``source`` to ``target`` in another format; see :func:`save`."""
    save(Episodes(format_of(Path(source))[1].open(Path(source))), target, format)
