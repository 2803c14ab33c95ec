"""Arrays of recordings: their description as features, and their rows as images ``[C, H, W]``."""

from __future__ import annotations

import io
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from tacit._resize import resized
from tacit.data.formats._features import Feature, image_shape
from tacit.data.formats._images import CODECS, decode_image, resolved_depth
from tacit.types import Array

__all__ = ["Rows", "Stored", "feature", "frames", "is_coded"]

PIECE = 2**22
"""Bytes of images that are read at a time."""
LEAST = 8
"""Least height and width of an image of floats or of two axes; smaller arrays are numbers."""
IMAGE_BYTES = 2**26
"""Largest size of an image file."""


class Stored(Protocol):
    """Array in a file: of h5py or of zarr."""

    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    chunks: tuple[int, ...] | None

    def __getitem__(self, rows: slice, /) -> Any:
        """Return some rows."""


@dataclass(frozen=True)
class Rows:
    """Rows of one episode in an array.

    Args:
        data: The array.
        start: The first row.
        length: The number of rows.
    """

    data: Stored
    start: int
    length: int

    def __getitem__(self, rows: slice) -> Array:
        start, stop, _ = rows.indices(self.length)
        return np.asarray(self.data[self.start + start : self.start + stop])

    def pieces(self) -> Iterator[Array]:
        """Yield all rows, some megabytes at a time, whole chunks where possible."""
        chunk = self.data.chunks[0] if self.data.chunks else 1
        each = max(1, math.prod(self.data.shape[1:]) * self.data.dtype.itemsize)
        rows = max(1, PIECE // each // chunk) * chunk
        first = self.start - self.start % rows
        for start in range(first, self.start + self.length, rows):
            begin, stop = max(start, self.start), min(start + rows, self.start + self.length)
            yield np.asarray(self.data[begin:stop])


def feature(key: str, rows: Rows, role: str, *, coded: bool = False) -> Feature:
    """Return the feature of an array.

    Args:
        key: Its name.
        rows: Its rows in some episode, of which the first one may be read.
        role: Its role, or empty.
        coded: Whether each row is a PNG or JPEG file.

    Raises:
        ValueError: if a coded image cannot be read.
    """
    shape, dtype = tuple(rows.data.shape[1:]), rows.data.dtype
    if coded:
        return Feature(key, "image", shape, _coded_shape(rows), role=role)
    if dtype.kind not in "biuf":
        return Feature(key, "text" if dtype.kind in "OSUT" else str(dtype), shape)
    image = image_shape(shape, None)
    large = image is not None and min(image[1:]) >= LEAST
    colour = image is not None and image[0] == 3
    if role in ("", "observation") and image is not None:
        if dtype == np.uint8 and (len(shape) == 3 or large):
            return Feature(key, "image", shape, image, role=role)
        if large and colour and dtype.kind == "f":
            return Feature(key, "image", shape, image, role=role)
        if large and not colour and (dtype == np.uint16 or dtype.kind == "f"):
            return Feature(key, "image", shape, image, depth=True, role=role)
    return Feature(key, str(dtype), shape, role=role)


def is_coded(row: Any) -> bool:
    """Return whether a row of an array begins like a PNG or JPEG file."""
    return _coded_bytes(row).startswith(tuple(CODECS))


def _coded_shape(rows: Rows) -> tuple[int, int, int]:
    """Return channels, height and width of the first coded image, from its header."""
    from PIL import Image

    with Image.open(io.BytesIO(_coded_bytes(rows[0:1][0]))) as image:
        return (1 if image.mode in ("1", "L") else 3), image.height, image.width


def _coded_bytes(row: Any) -> bytes:
    """Return the bytes of an image file, which may be padded with zeros."""
    data = row if isinstance(row, bytes) else np.asarray(row).tobytes()
    if len(data) > IMAGE_BYTES:
        raise ValueError(f"expected an image file of at most {IMAGE_BYTES} bytes; got {len(data)}.")
    return data.rstrip(b"\0")


def frames(
    rows: Rows, about: Feature, size: Sequence[int], depth: tuple[float, float] | None = None
) -> Iterator[npt.NDArray[np.uint8]]:
    """Yield the images ``[C, H, W]`` of an array.

    Args:
        rows: The rows of an episode.
        about: The feature of the array.
        size: Height and width to which they are resized.
        depth: The range in metres that becomes the grey levels 1 to 255, for a depth camera.

    Raises:
        ValueError: if a row is no image.
    """
    assert about.image is not None
    coded = len(about.shape) < 2
    unit = None if coded or about.depth or rows.data.dtype == np.uint8 else _unit(rows)
    step = 0
    for piece in rows.pieces():
        images: Any = piece
        if coded:
            images = np.stack([decode_image(_coded_bytes(row), about.image) for row in piece])
        else:
            images = _first_axes(piece, about.image)
            if about.depth and depth is not None:
                images = resolved_depth(images, depth)
            elif unit is not None:
                images = _bytes(images, unit, step)
        step += len(piece)
        yield from images if tuple(size) == about.image[1:] else resized(images, tuple(size))


def _first_axes(values: Array, image: tuple[int, int, int]) -> Array:
    """Return images ``[N, ...]`` in any order of their axes as ``[N, C, H, W]``."""
    if values.ndim == 3:
        return values[:, None]
    first = values.shape[1] in (1, 3) and values.shape[3] not in (1, 3)
    ordered = values if first else np.moveaxis(values, -1, 1)
    if ordered.shape[1:] != image:
        raise ValueError(f"expected images of shape {image}; got {ordered.shape[1:]}.")
    return ordered


def _unit(rows: Rows) -> float:
    """Return the value of white in images of floats: 1 or 255, by the first image that is not black."""
    for piece in rows.pieces():
        highest = float(np.max(piece, initial=0.0))
        if highest > 0:
            return 1.0 if highest <= 1 else 255.0
    return 255.0


def _bytes(images: Array, unit: float, step: int) -> npt.NDArray[np.uint8]:
    """Return images of floats as bytes.

    Raises:
        ValueError: naming the row with a value out of range.
    """
    values = images.astype(np.float64) * (255.0 / unit)
    good = ((values >= 0) & (values <= 255)).reshape(len(values), -1).all(axis=1)
    if not good.all():
        row = int(np.argmin(good))
        raise ValueError(f"expected colours from 0 to {unit:g}; row {step + row} has others, or no number.")
    return np.rint(values).astype(np.uint8)
