"""Records of a store: fixed sizes, a checksum each, behind a header with the sizes and the model."""

from __future__ import annotations

import json
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import numpy.typing as npt

from tacit._config import from_json, to_json
from tacit._files import check_file, parse_json
from tacit.errors import ConfigError, DataError, SpecError
from tacit.types import Entries

__all__ = [
    "HEADER",
    "LARGEST_VALUE",
    "VERSION",
    "Header",
    "Records",
    "checked",
    "entries_of",
    "intact",
    "records_of",
    "sealed",
]

Records = npt.NDArray[np.void]
"""Records ``[n]`` of one type; see :attr:`Header.dtype`."""
MAGIC = b"TACITMEM"
VERSION = 1
HEADER = 1024
"""The number of bytes before the first record of a segment."""
LARGEST = 2**20
"""The largest number of values of a latent or of the blocks of an entry."""
LARGEST_VALUE = 1e15
"""The largest value of a latent, whose square is a number of float32 even when many are added."""
SCALARS = {
    "sum": "<u4",  # CRC-32 of the bytes behind it
    "source": "<i4",
    "number": "<i8",
    "durable": "<i8",  # entries that were on the disk when this one was written
    "time": "<f8",
    "episode": "<i8",
    "step": "<i8",
    "outcome": "<f4",
    "surprise": "<f4",
}
COLUMNS = {
    "latents": "latent",
    "blocks": "block",
    "outcomes": "outcome",
    "surprises": "surprise",
    "times": "time",
    "episodes": "episode",
    "steps": "step",
    "sources": "source",
}
"""The fields of :class:`tacit.types.Entries` and those of a record."""


@dataclass(frozen=True)
class Header:
    """The sizes of the entries of a store, and the model that they belong to.

    Attributes:
        store: The id of the store.
        model: The digest of the model.
        latent_size: The size ``D`` of a latent.
        blocks: The number ``H`` of blocks of an entry.
        block_size: The number ``A'`` of raw actions of a block.
        version: The version of the format.

    Raises:
        ConfigError: if a size is out of range.
    """

    store: str
    model: str
    latent_size: int
    blocks: int
    block_size: int
    version: int = VERSION

    def __post_init__(self) -> None:
        sizes = (self.latent_size, self.blocks * self.block_size)
        if min(self.latent_size, self.blocks, self.block_size) < 1 or max(sizes) > LARGEST or len(self.model) > 128:
            raise ConfigError(
                f"a store needs sizes of at least 1, at most {LARGEST} values in a latent and in the blocks of an "
                f"entry, and the digest of a model; got latents of size {self.latent_size}, {self.blocks} blocks of "
                f"size {self.block_size} and {self.model!r}."
            )

    @cached_property
    def dtype(self) -> np.dtype[np.void]:
        """Return the type of a record, without bytes between its fields."""
        shapes = {"latent": (self.latent_size,), "block": (self.blocks, self.block_size)}
        return np.dtype([*SCALARS.items(), *((name, "<f4", shape) for name, shape in shapes.items())])

    def to_bytes(self) -> bytes:
        """Return the header of a segment."""
        content = MAGIC + json.dumps(to_json(self)).encode()
        padded = content.ljust(HEADER - 4, b"\0")
        return padded + zlib.crc32(padded).to_bytes(4, "little")

    def check(self, path: Path) -> int:
        """Return the number of whole records of a segment, if its header is this one.

        Raises:
            DataError: if the file is missing, damaged, or of another store or version.
        """
        try:
            size = check_file(path)
            with path.open("rb") as file:
                content = file.read(HEADER)
        except (OSError, ValueError) as error:
            raise DataError(f"{path} is not a readable segment: {error}.") from error
        found = header_of(content, path)
        if found != self:
            raise DataError(f"{path} belongs to another store or model: {found}; expected {self}.")
        return (size - HEADER) // self.dtype.itemsize


def header_of(content: bytes, path: Path) -> Header:
    """Return the header of a segment from its first bytes.

    Raises:
        DataError: if it is damaged or of another version.
    """
    if len(content) != HEADER or not content.startswith(MAGIC):
        raise DataError(f"{path} is no segment of a memory store.")
    if zlib.crc32(content[:-4]).to_bytes(4, "little") != content[-4:]:
        raise DataError(f"the header of {path} is damaged: its checksum is another.")
    try:
        values = parse_json(content[len(MAGIC) : -4].rstrip(b"\0"))
        if isinstance(values, Mapping) and values.get("version") != VERSION:
            raise DataError(f"{path} has the format {values.get('version')}; this version of Tacit reads {VERSION}.")
        return from_json(Header, values, "header")
    except (ConfigError, ValueError) as error:
        raise DataError(f"the header of {path} cannot be read: {error}") from error


def checked(entries: Entries, header: Header, sources: int) -> None:
    """Refuse entries that do not fit a store.

    Raises:
        SpecError: if a shape differs, a latent or an action is not finite, or a source is unknown.
    """
    count = len(entries)
    shapes = {"latents": (count, header.latent_size), "blocks": (count, header.blocks, header.block_size)}
    for name in COLUMNS:
        found, expected = np.shape(vars(entries)[name]), shapes.get(name, (count,))
        if found != expected:
            raise SpecError(f"entries of this store have {name} {list(expected)}; got {list(found)}.")
    for name in ("latents", "blocks", "times"):
        if not (finite := np.isfinite(vars(entries)[name])).all():
            first = int(np.argmin(finite.reshape(count, -1).all(axis=1)))
            raise SpecError(f"entries need finite {name}; those of entry {first} are not. Leave this entry out.")
    if count and np.abs(entries.latents).max() > LARGEST_VALUE:
        raise SpecError(f"entries need latents of values up to {LARGEST_VALUE:g}; got {np.abs(entries.latents).max()}.")
    if count and not (entries.sources.min() >= -1 and entries.sources.max() < sources):
        raise SpecError(
            f"the sources of entries are numbers from -1, for none, up to {sources - 1} here; got "
            f"{entries.sources.min()} to {entries.sources.max()}. Register each with store.source(name)."
        )


def records_of(entries: Entries, header: Header, first: int) -> Records:
    """Return the records of entries, without checksums.

    Args:
        entries: The entries.
        header: The sizes of the store.
        first: The number of the first one.
    """
    records = np.zeros(len(entries), header.dtype)
    for column, name in COLUMNS.items():
        records[name] = vars(entries)[column]
    records["number"] = first + np.arange(len(entries))
    return records


def entries_of(records: Records) -> Entries:
    """Return the entries of records, as copies."""
    return Entries(**{column: np.array(records[name]) for column, name in COLUMNS.items()})


def sealed(records: Records, durable: int) -> bytes:
    """Return the bytes of records with their checksums.

    Args:
        records: The records.
        durable: The number of the first entry that is not known to be on the disk.
    """
    records["durable"] = durable
    records["sum"] = sums(records)
    return records.tobytes()


def intact(records: Records) -> npt.NDArray[np.bool_]:
    """Return whether the checksum of each record ``[n]`` is right."""
    return np.asarray(records["sum"] == sums(records))


def sums(records: Records) -> npt.NDArray[np.uint32]:
    """Return the checksum of each record."""
    content, size = memoryview(records.tobytes()), records.dtype.itemsize
    found = (zlib.crc32(content[start + 4 : start + size]) for start in range(0, len(content), size))
    return np.fromiter(found, np.uint32, len(records))
