"""Frames of a video file: their times without decoding, and their images at an even rate."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import repeat
from pathlib import Path

import av
import numpy as np
import numpy.typing as npt
from PIL import Image

from tacit._resize import fitted
from tacit.data.readers._matroska import lacking_bytes, said_end

__all__ = ["Timed", "shown", "timed"]

REPEATED, LONG = 1000, 10**5
"""Largest average number of observations of one frame, and number that any video may have."""
PIXELS = 2**27
"""Largest number of pixels of a frame."""
LEAST = 0.9  # share of the frames that must decode; some codecs have a few that are never shown


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
