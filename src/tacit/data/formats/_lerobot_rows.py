"""Rows of one data file of a LeRobot dataset, a few row groups at a time."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from tacit.data.tables import check_names, open_parquet
from tacit.types import Array

__all__ = ["DataFile", "Group", "Rows", "flat", "plain"]


@dataclass(frozen=True)
class Group:
    """Loaded row groups with their columns of numbers, which many episodes may share."""

    table: pa.Table
    taken: dict[tuple[str, str, int], Array | None]

    def numbers(self, key: str, dtype: str, width: int) -> Array | None:
        """Return a column as ``[rows, width]``; None where it must be read row by row."""
        if (key, dtype, width) not in self.taken:
            values = self.table[key].combine_chunks()
            try:
                regular = not values.null_count and _width(values.type) == width
                self.taken[key, dtype, width] = plain(flat(values), dtype, width) if regular else None
            except (ValueError, TypeError, pa.ArrowException):
                self.taken[key, dtype, width] = None
        return self.taken[key, dtype, width]


@dataclass(frozen=True)
class Rows:
    """Rows of one episode in a group."""

    group: Group
    start: int
    length: int

    def column(self, key: str) -> pa.Array:
        """Return the column ``key`` of these rows."""
        return self.group.table[key].slice(self.start, self.length).combine_chunks()


def _width(kind: pa.DataType) -> int | None:
    """Return the count of numbers in every row of a column, where its type fixes it."""
    if pa.types.is_fixed_size_list(kind) and not pa.types.is_nested(kind.value_type):
        return int(kind.list_size)
    return None if pa.types.is_nested(kind) else 1


def flat(values: pa.Array) -> pa.Array:
    """Return the numbers of lists of numbers."""
    while pa.types.is_nested(values.type):
        values = values.flatten()
    return values


def plain(values: pa.Array, dtype: str, width: int) -> Array:
    return np.asarray(values.to_numpy(zero_copy_only=False)).reshape(-1, width).astype(dtype)


@dataclass(frozen=True)
class DataFile:
    """Data file with its columns and the end row of each of its row groups."""

    path: Path
    file: pq.ParquetFile
    names: frozenset[str]
    ends: npt.NDArray[np.int64]

    @classmethod
    def at(cls, path: Path) -> DataFile:
        file = open_parquet(path)
        check_names(file)
        sizes = [file.metadata.row_group(number).num_rows for number in range(file.num_row_groups)]
        return cls(path, file, frozenset(file.schema_arrow.names), np.cumsum(sizes, dtype=np.int64))
