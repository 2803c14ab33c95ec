"""Parquet files of others: read as pyarrow reads them, and refused where a few bytes stand for gigabytes."""

import os
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tacit.data.tables import check_unpacked, open_parquet, read_parquet


def of_one(size: int, rows: int) -> pa.Array:
    """One text, which every row holds."""
    return pa.DictionaryArray.from_arrays(pa.array(np.zeros(rows, np.int32)), pa.array(["x" * size]))


def test_a_table_is_read_as_it_is(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    table = pa.table({"a": rng.normal(size=200_000), "b": [f"row {n}" for n in range(200_000)]})
    table = table.append_column("c", pa.array([[n, n + 1] for n in range(200_000)])).replace_schema_metadata({"k": "v"})
    pq.write_table(table, tmp_path / "x.parquet", row_group_size=70_000)
    read = read_parquet(tmp_path / "x.parquet")
    assert read.equals(table) and read.schema.metadata == table.schema.metadata
    assert read_parquet(tmp_path / "x.parquet", ["c", "a"]).column_names == ["c", "a"]


@pytest.mark.parametrize("columns", [None, ["a"]])
def test_a_table_without_rows(tmp_path: Path, columns: list[str] | None) -> None:
    pq.write_table(pa.table({"a": pa.array([], pa.float64())}), tmp_path / "x.parquet")
    assert read_parquet(tmp_path / "x.parquet", columns).column_names == ["a"]


def test_rows_that_the_size_does_not_explain_are_refused(tmp_path: Path) -> None:
    pq.write_table(pa.table({"a": np.zeros(35_000_000, np.int8)}), tmp_path / "x.parquet", compression="zstd")
    with pytest.raises(ValueError, match=r"35000000 rows .* more than 64 times as much"):
        open_parquet(tmp_path / "x.parquet")


def test_texts_that_are_stored_once_and_repeated_are_refused(tmp_path: Path) -> None:
    for name, column in (
        ("x", of_one(2**20, 1000)),
        ("y", pa.ListArray.from_arrays([0, 500, 1000], of_one(2**20, 1000))),
    ):
        pq.write_table(pa.table({"text": column}), tmp_path / name, compression="zstd")
        with pytest.raises(ValueError, match="texts of the first rows need"):
            read_parquet(tmp_path / name)


def test_texts_of_an_ordinary_table_are_read(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    column = pa.array([rng.bytes(30_000).hex() for _ in range(1000)])
    pq.write_table(pa.table({"text": column}), tmp_path / "x.parquet")
    assert read_parquet(tmp_path / "x.parquet")["text"].combine_chunks().equals(column)


def test_what_is_no_file_is_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "x.parquet")
    with pytest.raises(ValueError, match="regular file"):
        open_parquet(tmp_path / "x.parquet")


def test_two_columns_of_one_name_are_refused(tmp_path: Path) -> None:
    pq.write_table(pa.Table.from_arrays([pa.array([1]), pa.array([2])], ["a", "a"]), tmp_path / "x.parquet")
    with pytest.raises(ValueError, match="several are called 'a'"):
        read_parquet(tmp_path / "x.parquet", ["a"])


def test_what_little_takes_is_never_refused() -> None:
    check_unpacked(2**28, 1, "numbers")
    with pytest.raises(ValueError, match="numbers need"):
        check_unpacked(2**28 + 1, 1, "numbers")
