"""Columns of a file as numbers and labels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from tacit.data.readers._csv import Content, is_number, shown
from tacit.data.readers._files import option
from tacit.data.readers._text import line_at
from tacit.data.validation import Defect
from tacit.types import Array

__all__ = ["Columns", "row_name"]


def row_name(lines: int | npt.NDArray[np.int64] | None, row: int) -> str:
    """Return the name of a row for messages."""
    line = "" if lines is None else f"line {line_at(lines, row)}, "
    return f"{line}row {row} (from 0)"


class Columns:
    """Columns of a file as numbers, with missing ones filled in.

    Attributes:
        filled: The number of filled values of each column.
    """

    def __init__(self, file: Path, content: Content, fill: Mapping[str, float]) -> None:
        self._file, self._content, self._fill = file, content, fill
        self.filled: dict[str, int] = {}

    def where(self, row: int) -> str:
        """Return the name of a row for messages."""
        return row_name(self._content.lines, row)

    def numbers(self, name: str, *, guessed: bool = False) -> npt.NDArray[np.float64]:
        """Return a column as numbers, NaN where a cell is empty and not filled in."""
        values = self._numbers(name, self._content.table[name], guessed)
        if name in self._fill:
            missing = ~np.isfinite(values)
            values = np.where(missing, self._fill[name], values)
            self.filled[name] = int(missing.sum())
        return values

    def matrix(self, names: Sequence[str], *, guessed: bool = False) -> npt.NDArray[np.float64]:
        """Return columns as numbers ``[N, names]``, read one at a time; a column is contiguous."""
        values = np.empty((len(names), len(self._content.table))).T
        for place, name in enumerate(names):
            values[:, place] = self.numbers(name, guessed=guessed)
        return values

    def label(self, name: str) -> Array:
        """Return a label column, as integers or booleans if none is missing, else as numbers."""
        column = self._content.table[name]
        if name in self._fill and column.null_count and float(self._fill[name]).is_integer():
            self.filled[name] = column.null_count
            column = pc.fill_null(column, pa.scalar(int(self._fill[name])).cast(column.type))
        if pa.types.is_boolean(column.type) and not column.null_count:
            return np.asarray(column.to_numpy())
        if pa.types.is_integer(column.type) and not column.null_count:
            try:
                return np.asarray(pc.cast(column, pa.int64()).to_numpy(), np.int64)
            except pa.ArrowInvalid as error:
                message = f"expected whole numbers below 2^63 ({error}). Write smaller ones."
                raise Defect(self._file, None, name, message) from error
        return self.numbers(name)

    def _numbers(self, name: str, column: pa.ChunkedArray, guessed: bool) -> npt.NDArray[np.float64]:
        kind = column.type
        if pa.types.is_null(kind):
            return np.full(len(column), np.nan)
        if pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_boolean(kind):
            try:
                return np.asarray(pc.cast(column, pa.float64()).to_numpy(), np.float64)
            except pa.ArrowInvalid as error:
                large = np.asarray(pc.greater(pc.abs(pc.cast(column, pa.decimal256(76))), 2**53).fill_null(False))
                row = int(np.argmax(large))
                raise Defect(
                    self._file,
                    None,
                    name,
                    f"expected numbers that a float holds, up to 2^53; {self.where(row)} holds {column[row].as_py()}. "
                    f"If it is the time, say {option('time', name)}. Else write smaller numbers, or say which columns "
                    "are the signal: columns=('a', 'b').",
                ) from error
        row, cell = next(
            ((row, cell.as_py()) for row, cell in enumerate(column) if cell.is_valid and not _plain(cell)), (0, None)
        )
        advice = ""
        if isinstance(cell, str) and is_number(cell):
            advice = f" If the comma is the decimal sign, say {option('decimal', ',')}."
        elif guessed:
            advice = " If it is no part of the signal, say which columns are: columns=('a', 'b')."
        message = f"expected numbers; {self.where(row)} holds {shown(cell)}.{advice}"
        raise Defect(self._file, None, name, message)


def _plain(cell: Any) -> bool:
    """Return whether a cell is a number in Python's notation."""
    try:
        float(cell.as_py())
    except (TypeError, ValueError):
        return False
    return True
