"""Videos: one file for each episode when it is recorded, joined without decoding, read back by time."""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import numpy.typing as npt

from tacit._files import check_file
from tacit.data.formats._images import LAYOUTS, check_bits

__all__ = ["encode_video", "join_videos", "same_stream", "video_frames"]


def encode_video(path: Path, frames: npt.NDArray[np.uint8], fps: float, crf: int) -> None:
    """Write ``[T, C, H, W]`` as H.264; every second frame is a keyframe, for fast access to windows."""
    rate = Fraction(fps).limit_denominator(1001)
    even = frames.shape[2] % 2 == 0 and frames.shape[3] % 2 == 0
    images = np.moveaxis(frames, 1, -1)
    if frames.shape[1] == 1:
        images = np.repeat(images, 3, axis=-1)
    with av.open(str(path), "w", format="mp4") as container:
        stream = container.add_stream("libx264", rate=rate, options={"crf": str(crf), "g": "2", "bf": "0"})
        stream.height, stream.width = frames.shape[2:]
        stream.pix_fmt = "yuv420p" if even else "yuv444p"
        stream.codec_context.thread_count = 1
        for image in np.ascontiguousarray(images):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
        container.mux(stream.encode(None))


def same_stream(first: Path, second: Path) -> bool:
    """Return whether the two videos can be joined without decoding."""
    with av.open(str(first)) as one, av.open(str(second)) as two:
        return one.streams.video[0].codec_context.extradata == two.streams.video[0].codec_context.extradata


def join_videos(sources: Sequence[Path], target: Path, lengths: Sequence[int], fps: float) -> list[int]:
    """Append videos of ``lengths`` frames one after the other.

    Returns:
        The CRC-32 of the packets of each source, as :func:`video_frames` will see them.
    """
    sums, before = [], 0
    rate = Fraction(fps).limit_denominator(1001)
    with av.open(str(sources[0])) as container, av.open(str(target), "w", format="mp4") as out:
        stream = out.add_stream_from_template(container.streams.video[0])
        for path, length in zip(sources, lengths, strict=True):
            total = 0
            with av.open(str(path)) as source:
                for packet in source.demux(video=0):
                    if packet.dts is None or packet.pts is None:
                        continue
                    shift = round(before / rate / packet.time_base)
                    total = zlib.crc32(bytes(packet), total)
                    packet.pts, packet.dts, packet.stream = packet.pts + shift, packet.dts + shift, stream
                    out.mux(packet)
            sums.append(total)
            before += length
    return sums


def video_frames(
    path: Path, shape: Sequence[int], start: float, fps: float, crc: int | None
) -> Iterator[npt.NDArray[np.uint8]]:
    """Yield the decoded frames ``shape = [T, C, H, W]`` of the video at ``path`` from ``start`` seconds.

    Raises:
        ValueError: if the file is damaged, of another size or lacks a frame, or its packets have another CRC-32, which
            is known at the end only.
    """
    length, _, height, width = shape
    try:
        check_file(path)
        with av.open(str(path)) as container:
            if not container.streams.video:
                raise ValueError("expected a video stream; the file has none.")
            stream = container.streams.video[0]
            if stream.codec_context is None:
                raise ValueError("expected a video; its codec is not known.")
            if (stream.height, stream.width) != (height, width):
                raise ValueError(f"expected frames of {width} x {height}; got {stream.width} x {stream.height}.")
            if stream.frames and stream.frames < length:
                raise ValueError(f"expected {length} frames; the file has {stream.frames}.")
            yield from _decode(container, stream, shape, start, fps, crc)
    except (av.FFmpegError, OSError) as error:
        raise ValueError(f"cannot be decoded ({error.strerror}); the file is truncated or damaged.") from error


def _decode(
    container: av.container.InputContainer,
    stream: av.VideoStream,
    shape: Sequence[int],
    start: float,
    fps: float,
    crc: int | None,
) -> Iterator[npt.NDArray[np.uint8]]:
    length, channels = shape[:2]
    base = stream.time_base or Fraction(1, 90_000)
    held: av.VideoFrame | None = None  # the latest frame, of number done; another of the same number replaces it
    done, total = -1, 0
    container.seek(max(round(start / base), 0), stream=stream, backward=True)
    for packet in container.demux(stream):
        late = packet.dts is None or round((float(packet.dts * base) - start) * fps) >= length
        if not late and packet.pts is not None and round((float(packet.pts * base) - start) * fps) >= 0:
            total = zlib.crc32(bytes(packet), total)
        for frame in stream.decode(None if late else packet):
            index = round((float((frame.pts or 0) * base) - start) * fps)
            if not 0 <= index < length:
                continue
            if frame.is_corrupt:
                raise ValueError(f"frame {index} is damaged.")
            if index != done:
                if held is not None:
                    yield _image(held, channels)
                if index != done + 1:
                    raise ValueError(f"expected {length} frames; number {done + 1} is missing.")
            held, done = frame, index
        if late:
            break
    if crc is not None and total != crc:
        raise ValueError("its bytes are not those that were written (CRC-32); restore the file.")
    if done != length - 1 or held is None:
        raise ValueError(f"expected {length} frames; number {done + 1} is missing.")
    yield _image(held, channels)


def _image(frame: av.VideoFrame, channels: int) -> npt.NDArray[np.uint8]:
    """Return a frame as ``[C, H, W]``."""
    check_bits(frame, channels)
    image = np.asarray(frame.to_ndarray(format=LAYOUTS[channels]), np.uint8)
    return image[None] if channels == 1 else np.moveaxis(image, -1, 0)
