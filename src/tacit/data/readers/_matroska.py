"""What Matroska and WebM files say of how long they are."""

from __future__ import annotations

from pathlib import Path

import av

__all__ = ["lacking_bytes", "said_end"]

SEGMENT = 0x18538067
"""The element of a Matroska file that holds all but a short header."""


def said_end(container: av.container.InputContainer, stream: av.VideoStream) -> float:
    """When the pictures of a Matroska or WebM file end, in seconds, as far as it says; else 0."""
    if "matroska" not in container.format.name:
        return 0.0
    try:
        hours, minutes, seconds = map(float, stream.metadata.get("DURATION", "").split(":"))
        return 3600 * hours + 60 * minutes + seconds
    except ValueError:  # only the end of all streams is said, and if not that, ffmpeg guesses one for the stream
        alone = len(container.streams) == 1 and stream.duration is None
        return (container.duration or 0) / av.time_base if alone else 0.0


def lacking_bytes(file: Path) -> int:
    """How many bytes are missing at the end of a Matroska or WebM file, as far as it says how many there are."""
    with file.open("rb") as data:
        head, place = data.read(4096), 0
    while place + 12 <= len(head) and head[place]:  # a number that begins with 0 is none that is in use
        name, place = _number(head, place)
        if not head[place]:
            break
        size, begin = _number(head, place)
        mark = 1 << 7 * (begin - place)  # the bit that ends those leading zeros is no part of a size
        place = begin + size - mark
        if name == SEGMENT:
            return 0 if size == 2 * mark - 1 else max(0, place - file.stat().st_size)  # all ones: it does not say
    return 0


def _number(head: bytes, place: int) -> tuple[int, int]:
    """A number of EBML and where it ends; its first byte says by leading zeros how many bytes it has."""
    end = place + 9 - head[place].bit_length()
    return int.from_bytes(head[place:end]), end
