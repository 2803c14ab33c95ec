"""Untrusted tables, opened with limits: a few bytes of a file can expand to gigabytes of rows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from tacit._files import check_file

__all__ = ["COLUMNS", "check_names", "check_unpacked", "open_parquet", "read_parquet"]

FREE = 2**28
"""Size of a table in bytes that is accepted for a file of any size."""
DENSER = 64
"""Largest ratio of a larger table to its file."""
COLUMNS = 10_000
BATCH = 2**16
"""Rows that are decoded at once."""


def open_parquet(path: Path) -> pq.ParquetFile:
    """Open a Parquet file and compare its index with the size of the file.

    Raises:
        OSError: if the file is missing or damaged.
        ValueError: if it is no regular file, has too many columns, or far more numbers than its size explains.
    """
    size = check_file(path)
    file = pq.ParquetFile(path, page_checksum_verification=True)
    about = file.metadata
    if about.num_columns > COLUMNS:
        raise ValueError(f"expected at most {COLUMNS} columns; it has {about.num_columns}")
    groups = (about.row_group(number) for number in range(about.num_row_groups))
    numbers = sum(group.column(place).num_values for group in groups for place in range(group.num_columns))
    check_unpacked(8 * numbers, size, f"{about.num_rows} rows with {numbers} numbers and texts")
    return file


def read_parquet(path: Path, columns: Sequence[str] | None = None) -> pa.Table:
    """Return columns of a Parquet file, all by default.

    Reading stops at a file that unpacks to far more than its size.

    Raises:
        OSError: if the file is missing or damaged.
        ValueError: as :func:`open_parquet`.
    """
    file = open_parquet(path)
    if columns is not None:
        check_names(file)
    _check_texts(path, file)
    batches, held, size = [], 0, path.stat().st_size
    for batch in file.iter_batches(BATCH, columns=None if columns is None else list(columns)):
        held += batch.nbytes
        check_unpacked(held, size, f"{held} bytes of the first rows")
        batches.append(batch)
    return pa.Table.from_batches(batches) if batches else file.read(columns)


def check_names(file: pq.ParquetFile) -> None:
    """Raise ValueError where two columns have the same name."""
    double = [name for name, times in Counter(file.schema_arrow.names).items() if times > 1]
    if double:
        raise ValueError(f"expected columns of different names; several are called {double[0]!r}")


def _check_texts(path: Path, file: pq.ParquetFile) -> None:
    """Refuse texts that are stored once and repeated to far more than the size of the file.

    Only columns in which one text could be large, if it took most of the stored bytes, are inspected; they are decoded
    to numbers of texts.

    Raises:
        ValueError: as :func:`check_unpacked`.
    """
    about, size = file.metadata, path.stat().st_size
    chunks = [
        about.row_group(group).column(place)
        for group in range(about.num_row_groups)
        for place in range(about.num_columns)
    ]
    wide = {
        chunk.path_in_schema
        for chunk in chunks
        if chunk.physical_type == "BYTE_ARRAY" and chunk.num_values * chunk.total_uncompressed_size > FREE
    }
    if not wide:
        return
    numbered, held = pq.ParquetFile(path, read_dictionary=sorted(wide)), 0
    for batch in numbered.iter_batches(BATCH, columns=sorted(wide)):
        held += sum(_decoded(column) for column in batch.columns)
        check_unpacked(held, size, "the texts of the first rows")


def _decoded(column: pa.Array) -> int:
    """Return the decoded bytes of a column that stores each distinct text once."""
    if pa.types.is_struct(column.type):
        return sum(map(_decoded, column.flatten()))
    if pa.types.is_nested(column.type):
        return _decoded(column.flatten())
    if not pa.types.is_dictionary(column.type):
        return int(column.nbytes)
    lengths = pc.binary_length(column.dictionary)
    return int(pc.sum(pc.cast(lengths, pa.int64()).take(column.indices)).as_py() or 0)


def check_unpacked(needed: int, size: int, what: str, denser: int = DENSER) -> None:
    """Refuse data that takes far more memory than its bytes on disk explain.

    Args:
        needed: Bytes of memory.
        size: Bytes on disk.
        what: The name of the data, in the plural.
        denser: The largest accepted ratio of memory to disk.

    Raises:
        ValueError: if the ratio is larger.
    """
    if needed > FREE and needed > denser * size:
        raise ValueError(
            f"{what} need {needed} bytes of memory, and the file has {size} for them: more than {denser} times as "
            "much. It is damaged or made to do harm; if it is sound, write it without compression"
        )
