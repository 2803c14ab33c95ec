"""Tables of others, opened with limits: a few bytes of a file can stand for gigabytes of rows."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from tacit._files import check_file

__all__ = ["check_unpacked", "open_parquet", "read_parquet"]

FREE = 2**28
"""Bytes of a table that need no explanation by the size of its file."""
DENSER = 64
"""How many times larger than its file a larger table may be."""
COLUMNS = 10_000
BATCHES = {True: 1024, False: 2**16}
"""Rows that are decoded at once, where cells can be of any size and where they cannot."""


def open_parquet(path: Path) -> pq.ParquetFile:
    """Open a Parquet file, whose index is read and compared with the size of the file.

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
    """Return columns of a Parquet file, all by default; a file that unpacks to far more than it holds is not read on.

    Raises:
        OSError: if the file is missing or damaged.
        ValueError: as :func:`open_parquet`.
    """
    file = open_parquet(path)
    batches, held, size = [], 0, path.stat().st_size
    open_ended = any(file.schema.column(number).physical_type == "BYTE_ARRAY" for number in range(len(file.schema)))
    for batch in file.iter_batches(BATCHES[open_ended], columns=None if columns is None else list(columns)):
        held += batch.nbytes
        check_unpacked(held, size, f"{held} bytes of the first rows")
        batches.append(batch)
    schema = file.schema_arrow
    if columns is not None:
        schema = pa.schema([schema.field(name) for name in columns], metadata=schema.metadata)
    return pa.Table.from_batches(batches, batches[0].schema if batches else schema)


def check_unpacked(needed: int, size: int, what: str, denser: int = DENSER) -> None:
    """Refuse what takes far more memory than the bytes on disk explain.

    Args:
        needed: Bytes of memory.
        size: Bytes on disk.
        what: What needs them, in the plural.
        denser: How many times more are right.

    Raises:
        ValueError: saying so.
    """
    if needed > FREE and needed > denser * size:
        raise ValueError(
            f"{what} need {needed} bytes of memory, and the file has {size} for them: more than {denser} times as "
            "much. It is damaged or made to do harm; if it is sound, write it without compression"
        )
