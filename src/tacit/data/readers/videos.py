"""Reader of video folders: each video is an episode on a uniform clock, each subfolder a class."""

from __future__ import annotations

import warnings
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Literal

import numpy as np

from tacit._limits import is_positive
from tacit._resize import wanted_size
from tacit.data.readers._files import ADVICE, NAMED, FileSet, FileStorage, find, listed, option, readable
from tacit.data.readers._folders import frame_folders, open_folders
from tacit.data.readers._frames import check_frames, grey
from tacit.data.readers._video_frames import Timed, shown, timed
from tacit.data.storage import Storage
from tacit.data.validation import Defect
from tacit.errors import ConfigError
from tacit.types import Episode, Modality, Spec

__all__ = ["Videos"]

SUFFIXES = frozenset({".mp4", ".m4v", ".mov", ".avi", ".mkv", ".webm", ".mpg", ".mpeg", ".ts", ".ogv", ".wmv", ".flv"})
ALIKE = 1e-3  # largest relative difference of the rates of videos


@dataclass(frozen=True)
class Videos:
    """Reader of videos as ``pixels``, one episode each, without sound.

    Observation ``k`` is the frame that is shown ``k / fps`` seconds after the first one: the latest at that time or
    before. So a video of constant rate is read frame by frame at its own ``fps``; at another one, or where the rate
    varies, frames are left out or repeated. A video in a subfolder has the label ``class``, the number of that
    subfolder among all, in the order of their names, and the name as its ``task``.

    A video that cannot be decoded is refused, and a truncated one where its file records the length, as mp4, mkv and
    webm do; a warning names mkv and webm videos that have all their bytes but end before their recorded length. Damage
    inside a frame is found only where the decoder reports it. Where the decoder gives no image for a frame and reports
    nothing, for up to one frame in ten, the frame before replaces it, or at the start the first one; a warning counts
    them at the first such video that is read.

    Where there are no video files, each folder of numbered images is a video, in the order of the numbers
    (``frame_2`` before ``frame_10``), with ``fps`` frames a second. Images are read in this way only with
    ``reader="videos"``; the classes are then the parent folders of the folders of frames.

    Args:
        size: Height and width, or one number for both: each frame is cropped to the largest centred area of that
            shape and resized (bicubic, antialiased). None: all videos already have the same size.
        fps: Observations a second, at any rate of the videos. None: the average rate of all of them. Folders of
            frames need it, and their frames are neither left out nor repeated.
        channels: 3 for colour, 1 for grey (ITU-R 601 luma).
        on_error: ``raise`` a DataError at a video that cannot be read, or ``skip`` such videos with a warning that
            counts and names them; then every video is decoded once when the folder is opened.
        classes: The names of the classes, by number; a video in another subfolder is refused. None: the subfolders.
    """

    size: int | tuple[int, int] | None = None
    fps: float | None = None
    channels: int = 3
    on_error: Literal["raise", "skip"] = "raise"
    classes: tuple[str, ...] | None = None

    added: ClassVar = frozenset(("classes",))
    """Options that enter hashes only where they are given, for compatibility with older datasets."""

    def __post_init__(self) -> None:
        check_frames(self.size, self.channels, self.on_error)
        if self.fps is not None and not is_positive(self.fps):
            raise ConfigError(f"fps is a positive number of observations a second; got {self.fps!r}.")

    def files(self, path: Path) -> list[Path]:
        """Return the videos at or under ``path``, or the folders of frames where there are none."""
        return listed(path, SUFFIXES) or frame_folders(path)

    def recognises(self, path: Path) -> bool:
        """Return whether there are videos at or under ``path``."""
        return bool(listed(path, SUFFIXES))

    def open(self, path: Path) -> Storage:
        """Find the videos and read the times of their frames. Raises DataError naming one that has no frames."""
        files = listed(path, SUFFIXES)
        if not files and frame_folders(path):
            return open_folders(path, self)
        found = find(path, files, SUFFIXES, "videos", self.classes)
        if self.on_error == "skip":
            found = readable(found, "videos", self._decode)
        videos = []
        for index, file in enumerate(found.files):
            try:
                videos.append(timed(file))
            except ValueError as error:
                raise Defect(file, index, "pixels", f"{error} {ADVICE}") from error
        early = [(str(file), video.early) for file, video in zip(found.files, videos, strict=True) if video.early]
        if early:
            named = ", ".join(file for file, _ in early[:NAMED]) + (", ..." if len(early) > NAMED else "")
            warnings.warn(
                f"{len(early)} of {len(videos)} videos in {path} end before their files say, by up to "
                f"{max(seconds for _, seconds in early):.2f} s: frames are missing, or the last one is shown "
                f"for that long ({named}).",
                stacklevel=3,
            )
        fps = self.fps or self._rate(found, videos)
        size = wanted_size(self.size)
        if size is None:
            try:
                size = next(shown(found.files[0], videos[0], fps, None))[1].shape[:2]
            except ValueError as error:
                raise Defect(found.files[0], 0, "pixels", f"{error} {ADVICE}") from error
        spec = Spec({"pixels": Modality("pixels", (self.channels, *size))}, fps=fps)
        return _VideoStorage(found, self, spec, videos)

    def _decode(self, file: Path) -> None:
        """Decode a video to its end."""
        video = timed(file)
        for _ in shown(file, video, self.fps or video.rate, None):
            pass

    def _rate(self, found: FileSet, videos: list[Timed]) -> float:
        """Return the rate of all videos."""
        for index, video in enumerate(videos):
            if abs(video.rate - videos[0].rate) > ALIKE * videos[0].rate:
                least = min(video.rate, videos[0].rate)
                raise Defect(
                    found.files[index],
                    index,
                    "fps",
                    f"expected {videos[0].rate:g} frames a second, like {found.files[0].name}; got {video.rate:g}. "
                    f"Say how many there are to be, for example {option('fps', float(f'{least:g}'))}.",
                )
        return videos[0].rate


class _VideoStorage(FileStorage):
    """Storage of videos, decoded when they are read."""

    def __init__(self, found: FileSet, options: Videos, spec: Spec, videos: list[Timed]) -> None:
        lengths = np.array([len(video.chosen(spec.fps)) for video in videos], dtype=np.int64)
        super().__init__(found, options, spec, lengths)
        self._size, self._videos, self._told = wanted_size(options.size), videos, False

    def read(self, index: int, modalities: Collection[str]) -> Episode:
        """Return the video at ``index``."""
        file, video = self.found.files[index], self._videos[index]
        channels, height, width = self.spec.modalities["pixels"].shape
        pixels = np.empty((int(self.lengths[index]), channels, height, width), np.uint8)
        wanted, replaced = video.times[video.chosen(self.spec.fps)], 0
        try:
            frames = shown(file, video, self.spec.fps, self._size)
            for place, right, (time, image) in zip(pixels, wanted, frames, strict=True):
                if image.shape[:2] != (height, width):
                    raise Defect(
                        file,
                        index,
                        "pixels",
                        f"expected frames of {width} x {height}, like the first video; got {image.shape[1]} x "
                        f"{image.shape[0]}. Give one size for all, for example {option('size', 64)}.",
                    )
                place[:] = grey(image) if channels == 1 else np.moveaxis(image, -1, 0)
                replaced += time != right
        except Defect:
            raise
        except ValueError as error:
            raise Defect(file, index, "pixels", f"{error} {ADVICE}") from error
        if replaced and not self._told:
            self._told = True
            warnings.warn(
                f"{replaced} of {len(pixels)} observations in {file} show the frame before or after theirs, because "
                "theirs cannot be decoded. Other videos may have such frames too.",
                stacklevel=3,
            )
        return self.episode_of(index, modalities, pixels)
