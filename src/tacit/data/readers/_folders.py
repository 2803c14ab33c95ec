"""Videos that are stored as folders of numbered frames."""

from __future__ import annotations

import re
import warnings
from collections.abc import Collection, Sequence
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from tacit._resize import wanted_size
from tacit.data.readers._files import (
    ADVICE,
    NAMED,
    FileSet,
    FileStorage,
    find,
    listed,
    option,
    readable,
    regular,
)
from tacit.data.readers.images import SUFFIXES, decode
from tacit.data.storage import Storage
from tacit.data.validation import Defect
from tacit.errors import ConfigError, DataError
from tacit.types import Episode, Modality, Spec

if TYPE_CHECKING:
    from tacit.data.readers.videos import Videos

__all__ = ["frame_folders", "open_folders"]

NUMBER = re.compile(r"(\d+)")


def frame_folders(path: Path) -> list[Path]:
    """Return the folders at or under ``path`` that contain images, ordered by the numbers in their names."""
    if not path.is_dir():
        return []
    folders = {file.parent for file in listed(path, SUFFIXES)}
    return sorted(folders, key=lambda folder: [_natural(part) for part in folder.relative_to(path).parts])


def open_folders(path: Path, options: Videos) -> Storage:
    """Return the videos in folders of frames of ``1 / fps`` seconds each.

    Raises:
        ConfigError: without ``fps``, which no folder stores.
        DataError: if the frames of a folder have no order, or are of two kinds.
    """
    folders = frame_folders(path)
    if options.fps is None:
        raise ConfigError(
            f"{path} contains folders of frames, which do not store a frame rate. Give it, for example "
            f"{option('fps', 30.0)}."
        )
    if path in folders and len(folders) > 1:
        raise DataError(
            f"{path} contains both frames and folders of frames. Move the frames of each video into its own folder."
        )
    found = FileSet(path, (path,), (), np.full(1, -1))
    if path not in folders:
        found = find(path, folders, SUFFIXES, "folders of frames", options.classes)
    frames = {folder: _frames(folder) for folder in found.files}
    size, channels = wanted_size(options.size), options.channels
    if options.on_error == "skip":
        found = readable(found, "folders of frames", lambda f: [decode(frame, size, channels) for frame in frames[f]])
    _warn_of_missing(path, {folder: frames[folder] for folder in found.files})
    if size is None:
        first = frames[found.files[0]][0]
        try:
            size = decode(first, None, channels).shape[1:]
        except ValueError as error:
            raise Defect(first, 0, "pixels", f"{error} {ADVICE}") from error
    spec = Spec({"pixels": Modality("pixels", (channels, *size))}, fps=options.fps)
    return _Folders(found, options, spec, [frames[folder] for folder in found.files])


class _Folders(FileStorage):
    """Videos in folders, decoded when they are read."""

    parallel = True

    def __init__(self, found: FileSet, options: Videos, spec: Spec, frames: Sequence[Sequence[Path]]) -> None:
        super().__init__(found, options, spec, np.array([len(each) for each in frames], dtype=np.int64))
        self._size, self._channels = wanted_size(options.size), options.channels
        self._frames = dict(zip(found.files, frames, strict=True))

    def parts(self, file: Path) -> Sequence[Path]:
        """Return the frames of a folder."""
        return self._frames[file]

    def read(self, index: int, modalities: Collection[str]) -> Episode:
        """Return the video at ``index``."""
        frames, shape = self._frames[self.found.files[index]], self.spec.modalities["pixels"].shape
        pixels = np.empty((len(frames), *shape), np.uint8)
        for place, file in zip(pixels, frames, strict=True):
            try:
                image = decode(file, self._size, self._channels)
            except ValueError as error:
                raise Defect(file, index, "pixels", f"{error} {ADVICE}") from error
            if image.shape != shape:
                raise Defect(
                    file,
                    index,
                    "pixels",
                    f"expected frames of {shape[2]} x {shape[1]}, like the first one; got {image.shape[2]} x "
                    f"{image.shape[1]}. Give one size for all, for example {option('size', 64)}.",
                )
            place[:] = image
        return self.episode_of(index, modalities, pixels)


def _natural(name: str) -> tuple[list[tuple[str, int]], str]:
    """Return a sort key that puts ``frame_2`` before ``frame_10``."""
    texts, numbers = NUMBER.split(name)[::2], NUMBER.findall(name)
    return [(text, int(number)) for text, number in zip(texts, [*numbers, "0"], strict=True)], name


def _frames(folder: Path) -> list[Path]:
    """Return the frames of a folder in the order of the numbers in their names.

    Raises:
        DataError: if a name has no number, or differs from the others in more than its numbers.
    """
    files = sorted((file for file in listed(folder, SUFFIXES) if file.parent == folder), key=lambda f: _natural(f.name))
    for file in files:
        regular(file)
    kinds = {NUMBER.sub("#", file.name.lower()): file for file in reversed(files)}
    if len(kinds) > 1:
        one, other = sorted(file.name for file in kinds.values())[:2]
        raise Defect(
            folder,
            None,
            "pixels",
            f"expected frames of one video, whose names differ in their numbers alone; got {one} and {other}. Move "
            "all other files into other folders.",
        )
    if len(files) > 1 and "#" not in next(iter(kinds)):
        message = f"expected numbers in the names of frames, for their order; got {files[0].name}. Number them."
        raise Defect(folder, None, "pixels", message)
    return files


def _warn_of_missing(path: Path, frames: dict[Path, list[Path]]) -> None:
    """Warn of folders whose frames are not numbered evenly, because some may be missing."""
    uneven = []
    for files in frames.values():
        numbers = [int((NUMBER.findall(file.stem) or ["0"])[-1]) for file in files]
        steps = [after - before for before, after in pairwise(numbers)]
        if len(set(steps)) > 1:
            usual = max(set(steps), key=steps.count)
            place = next(place for place, step in enumerate(steps) if step != usual)
            uneven.append(f"{files[place + 1]} follows {files[place].name}")
    if uneven:
        named = "; ".join(uneven[:NAMED]) + ("; ..." if len(uneven) > NAMED else "")
        warnings.warn(
            f"the frames of {len(uneven)} of {len(frames)} folders in {path} are not numbered evenly, and are read as "
            f"consecutive frames: {named}.",
            stacklevel=5,
        )
