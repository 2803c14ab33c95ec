"""Duration and size in the headers of Matroska and WebM files."""

from __future__ import annotations

from pathlib import Path

import av

__all__ = ["lacking_bytes", "said_end"]

SEGMENT = 0x18538067
"""Element of a Matroska file that holds all but a short header."""


def said_end(container: av.container.InputContainer, stream: av.VideoStream) -> float:
    """Return the recorded end of the video of a Matroska or WebM file, in seconds; 0 if unknown."""
    if "matroska" not in container.format.name:
        return 0.0
    try:
        hours, minutes, seconds = map(float, stream.metadata.get("DURATION", "").split(":"))
        return 3600 * hours + 60 * minutes + seconds
    except ValueError:  # the file stores only the end of all streams; without it, ffmpeg guesses one for the stream
        alone = len(container.streams) == 1 and stream.duration is None
        return (container.duration or 0) / av.time_base if alone else 0.0


def lacking_bytes(file: Path) -> int:
    """Return the number of bytes that a Matroska or WebM file lacks, by its recorded size."""
    with file.open("rb") as data:
        head, place = data.read(4096), 0
    while place + 12 <= len(head) and head[place]:  # a number that begins with 0 is not in use
        name, place = _number(head, place)
        if not head[place]:
            break
        size, begin = _number(head, place)
        mark = 1 << 7 * (begin - place)  # the bit that ends those leading zeros is not part of a size
        place = begin + size - mark
        if name == SEGMENT:
            return 0 if size == 2 * mark - 1 else max(0, place - file.stat().st_size)  # all ones: unknown
    return 0


def _number(head: bytes, place: int) -> tuple[int, int]:
    """Return an EBML number and its end; the leading zeros of its first byte give its number of bytes."""
    end = place + 9 - head[place].bit_length()
    return int.from_bytes(head[place:end]), end
