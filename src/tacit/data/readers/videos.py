"""Reader of video folders: each video is an episode on a uniform clock, each subfolder a class."""

from __future__ import annotations

import warnings
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import repeat
from pathlib import Path
from typing import ClassVar, Literal

import av
import numpy as np
import numpy.typing as npt
from PIL import Image

from tacit._limits import is_positive
from tacit._resize import fitted, wanted_size
from tacit.data.readers._files import ADVICE, NAMED, FileSet, FileStorage, find, listed, no_actions, option, readable
from tacit.data.readers._folders import frame_folders, open_folders
from tacit.data.readers._frames import check_frames, grey
from tacit.data.readers._matroska import lacking_bytes, said_end
from tacit.data.storage import Storage
from tacit.data.validation import Defect
from tacit.errors import ConfigError
from tacit.types import Episode, Modality, Spec

__all__ = ["Videos"]

SUFFIXES = frozenset({".mp4", ".m4v", ".mov", ".avi", ".mkv", ".webm", ".mpg", ".mpeg", ".ts", ".ogv", ".wmv", ".flv"})
ALIKE = 1e-3  # largest relative difference of the rates of videos
REPEATED, LONG = 1000, 10**5
"""Largest average number of observations of one frame, and number that any video may have."""
PIXELS = 2**27
"""Largest number of pixels of a frame."""
LEAST = 0.9  # share of the frames that must decode; some codecs have a few that are never shown


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
        check_frames(self.size, self.channels)
        if self.fps is not None and not is_positive(self.fps):
            raise ConfigError(f"fps is a positive number of observations a second; got {self.fps!r}.")
        if self.on_error not in ("raise", "skip"):
            raise ConfigError(f"on_error is 'raise' or 'skip'; got {self.on_error!r}.")

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


@dataclass(frozen=True)
class Timed:
    """Times of the frames of a video.

    Attributes:
        times: ``[frames]`` seconds, ascending.
        rate: Frames a second, on average.
        slack: The largest error of a stored time, in seconds.
        early: The seconds from the end of the last frame to the recorded end; 0 where they nearly agree.
    """

    times: npt.NDArray[np.float64]
    rate: float
    slack: float
    early: float = 0.0

    def chosen(self, fps: float) -> npt.NDArray[np.int64]:
        """Return ``[T]`` the frame of each observation.

        Raises:
            ValueError: if there are far more observations than frames.
        """
        count = (self.times[-1] - self.times[0]) * fps
        if not count <= max(REPEATED * len(self.times), LONG):
            raise ValueError(
                f"at {fps:g} a second its {len(self.times)} frames are shown in {count:.0f} observations, more than "
                f"{REPEATED} each: the times in the file are wrong, or fps= is to be smaller."
            )
        slack = min(self.slack, 0.1 / max(fps, self.rate))
        times = self.times - self.times[0]
        clock = np.arange(int((times[-1] + slack) * fps) + 1) / fps
        return np.searchsorted(times, clock + slack, side="right") - 1


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
        return Episode(
            observation=dict.fromkeys(modalities, pixels),
            action=no_actions(len(pixels)),
            labels=self.found.label(index, len(pixels)),
            index=index,
            task=self.found.task(index),
        )


def timed(file: Path) -> Timed:
    """Return the times of the frames of a video, without decoding them.

    Raises:
        ValueError: if there is none, or the file is damaged or cut short.
    """
    with _opened(file) as (container, stream):
        if "matroska" in container.format.name and (lacking := lacking_bytes(file)):
            raise ValueError(f"expected {lacking} bytes more; the file ends before them, so it is cut short.")
        base = float(stream.time_base or 1 / 90_000)
        count, partial, stamps, last = 0, False, [], 0.0
        for packet in container.demux(stream):
            if not packet.size:  # the packet that flushes the frames held by the decoder
                continue
            count, partial = count + 1, partial or packet.is_corrupt
            if not packet.is_discard:
                stamps.append(packet.dts if packet.pts is None else packet.pts)
                last = max(last, ((stamps[-1] or 0) + (packet.duration or 0)) * base)
        if "mp4" in container.format.name and count < stream.frames:
            raise ValueError(f"expected {stream.frames} frames; the file ends after {count}, so it is cut short.")
        if partial:
            raise ValueError("expected whole frames; the file ends in the middle of one, so it is cut short.")
        times = np.sort(np.array([stamp * base for stamp in stamps if stamp is not None]))
        if not len(times):
            raise ValueError("expected a video; it has no frames.")
        rate, even = float(stream.average_rate or stream.guessed_rate or 0), np.arange(len(times))
        if rate <= 0 or (abs(times - times[0] - even / rate) > base).any():  # a wrong or a missing recorded rate
            rate = (len(times) - 1) / (times[-1] - times[0]) if times[-1] > times[0] else 1.0
        early = said_end(container, stream) - max(last, times[-1] + 1 / rate)
        return Timed(times, rate, base, float(early) if early > 2 / rate else 0.0)


def shown(
    file: Path, video: Timed, fps: float, size: tuple[int, int] | None
) -> Iterator[tuple[float, npt.NDArray[np.uint8]]]:
    """Yield the time and the image ``[H, W, 3]`` of the frame of each observation.

    A frame that cannot be decoded is replaced by the one before, or at the start by the first decodable one.

    Raises:
        ValueError: if the video cannot be decoded.
    """
    wanted, given, decoded = video.chosen(fps), 0, 0
    held: av.VideoFrame | None = None
    time = 0.0  # of the held frame
    with _opened(file) as (container, stream):
        stream.thread_type = "AUTO"
        stream.codec_context.options = {"err_detect": "explode"}  # else some decoders skip damage
        for frame in container.decode(stream):
            if frame.is_corrupt:
                raise ValueError(f"the frame at {(frame.time or 0.0) - video.times[0]:.2f} s is damaged.")
            stamped = frame.time is not None and container.format.name != "avi"  # which has only their order
            number = int(np.searchsorted(video.times, frame.time - 1e-6)) if stamped else decoded
            until, now = int(np.searchsorted(wanted, number)), float(video.times[min(number, len(video.times) - 1)])
            held, time, decoded = held or frame, time if held else now, decoded + 1
            if until > given:
                yield from repeat((time, _image(held, size)), until - given)
                given = until
            held, time = frame, now
        if held is None or decoded < LEAST * len(video.times):
            raise ValueError(f"expected {len(video.times)} frames; only {decoded} can be decoded, so it is damaged.")
        yield from repeat((time, _image(held, size)), len(wanted) - given)


def _image(frame: av.VideoFrame, size: tuple[int, int] | None) -> npt.NDArray[np.uint8]:
    pixels = np.asarray(frame.to_ndarray(format="rgb24"), np.uint8)
    pixels = np.rot90(pixels, round(frame.rotation / 90))
    return pixels if size is None else np.asarray(fitted(Image.fromarray(pixels), size))


@contextmanager
def _opened(file: Path) -> Iterator[tuple[av.container.InputContainer, av.VideoStream]]:
    try:
        with av.open(str(file)) as container:
            if not container.streams.video:
                raise ValueError("expected a video; it has no images.")
            stream = container.streams.video[0]
            if stream.codec_context is None:
                raise ValueError("expected a video; its codec is not known.")
            if stream.codec_context.width * stream.codec_context.height > PIXELS:
                raise ValueError(f"expected at most {PIXELS} pixels a frame; it has {stream.width} x {stream.height}.")
            yield container, stream
    except (av.FFmpegError, OSError) as error:
        raise ValueError(f"expected a video; it cannot be decoded ({error.strerror}): damaged or cut short.") from error
