"""Segments of a store as memory-mapped records."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path

import numpy as np
import numpy.typing as npt

from tacit.errors import DataError
from tacit.memory._records import HEADER, Header, Records, intact

__all__ = ["Part", "Segment", "mapped", "valid_prefix"]


def mapped(path: Path, header: Header, count: int) -> Records:
    """Return the first records of a segment, mapped from its file.

    Raises:
        DataError: if the file is damaged, of another store, or holds fewer.
    """
    there = header.check(path)
    if there < count:
        raise DataError(
            f"{path} holds {there} whole entries; the manifest of the store says {count}. The file was cut: restore it "
            "from a copy."
        )
    if count == 0:
        return np.zeros(0, header.dtype)
    return np.memmap(path, header.dtype, "r", HEADER, (count,))


def valid_prefix(records: Records, first: int) -> int:
    """Return the number of leading records that are whole; the others were being written.

    Args:
        records: The records of a segment that grows, from some entry on.
        first: The number that the first of them should have.

    Raises:
        DataError: if one is damaged that was on the disk before a later one was written.
    """
    numbers = first + np.arange(len(records))
    good = intact(records) & (records["number"] == numbers)
    if good.all():
        return len(records)
    end = int(np.argmin(good))
    later = records["durable"][end:][good[end:]]
    if later.size and later.max() > first + end:
        raise DataError(
            f"entry {first + end} of the store is damaged, though it was written whole: a later entry says so. Restore "
            "the folder from a copy."
        )
    return end


class Segment:
    """A segment that is read, and the squared norms of its latents.

    Args:
        path: Its file.
        header: The sizes of its entries.
        count: The number of its entries.
        capacity: The number of entries that it can grow to.
    """

    def __init__(self, path: Path, header: Header, count: int, capacity: int) -> None:
        self.path, self.header = path, header
        self.records = mapped(path, header, count)
        self._norms = np.empty(capacity, np.float32)
        self._known = 0

    def grow(self, count: int) -> None:
        """Map more of its records."""
        if count > len(self.records):
            self.records = mapped(self.path, self.header, count)

    def norms(self, count: int) -> npt.NDArray[np.float32]:
        """Return the squared norm of each of the first latents ``[count]``."""
        if self._known < count:
            latents = self.records["latent"][self._known : count]
            self._norms[self._known : count] = np.einsum("nd,nd->n", latents, latents)
            self._known = count
        return self._norms[:count]


class Part:
    """The first entries of a segment.

    Args:
        segment: The segment.
        count: Their number.
    """

    def __init__(self, segment: Segment, count: int) -> None:
        self.segment, self.records = segment, segment.records[:count]

    def __len__(self) -> int:
        return len(self.records)

    @property
    def first(self) -> int:
        """Return the number of the first entry."""
        return int(self.records["number"][0])

    @property
    def latents(self) -> npt.NDArray[np.float32]:
        """Return the latents ``[n, D]``, mapped."""
        return np.asarray(self.records["latent"])

    @cached_property
    def numbers(self) -> npt.NDArray[np.int64]:
        """Return the numbers ``[n]``."""
        return np.array(self.records["number"])

    def norms(self) -> npt.NDArray[np.float32]:
        """Return the squared norms ``[n]`` of the latents."""
        return self.segment.norms(len(self.records))
