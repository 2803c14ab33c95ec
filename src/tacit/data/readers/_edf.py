"""European Data Format files and their 24-bit form BDF, read by the ``pyedflib`` package."""

from __future__ import annotations

import gc
from pathlib import Path
from typing import Any

import numpy as np

from tacit._files import check_file
from tacit.data.readers._wfdb import Record
from tacit.errors import MissingExtra

__all__ = ["read_edf"]

HEADER = 256
"""Bytes of the header of a file, and of that of each signal."""
COUNT, RECORDS = slice(252, 256), slice(236, 244)
"""Places of the number of signals and of the number of data records in the header."""
SIGNALS = 10_000


def read_edf(file: Path) -> Record:
    """Return the signals of an EDF, EDF+, BDF or BDF+ file in physical units, without its annotations.

    Raises:
        ValueError: if the file is damaged or interrupted (EDF+D).
        MissingExtra: if the package is not installed.
    """
    package = _package()
    _check_header(file)
    try:
        reader = package.EdfReader(str(file), package.DO_NOT_READ_ANNOTATIONS, package.CHECK_FILE_SIZE)
    except (OSError, ValueError, RuntimeError) as error:
        gc.collect()  # a reader that failed to open holds its file until then
        raise ValueError(f"cannot be read ({_plain(error, file)}); the file is truncated, damaged or EDF+D.") from error
    try:
        count = int(reader.signals_in_file)
        if not count:
            raise ValueError("expected signals; there are only annotations.")
        names = tuple(reader.getLabel(place).strip() or f"signal {place}" for place in range(count))
        rates = tuple(float(rate) for rate in reader.getSampleFrequencies())
        if not np.isfinite(rates).all() or min(rates) <= 0:
            raise ValueError(f"expected rates above 0; got {rates}.")
        signals = tuple(np.asarray(reader.readSignal(place), np.float64) for place in range(count))
        lengths = [int(length) for length in reader.getNSamples()]
    finally:
        reader.close()
    for name, signal, length in zip(names, signals, lengths, strict=True):
        if len(signal) != length:
            raise ValueError(f"expected {length} samples of {name!r}; got {len(signal)}.")
    return Record(names, signals, rates)


def _check_header(file: Path) -> None:
    """Raise ValueError unless the header counts signals and complete data records."""
    size = check_file(file)
    with file.open("rb") as content:
        head = content.read(HEADER)
    numbers = []
    for what, place in (("signals", COUNT), ("data records", RECORDS)):
        text = head[place].decode("latin-1").strip()
        if not text.lstrip("-").isdecimal():
            raise ValueError(f"expected a header with a number of {what}; got {text!r}.")
        numbers.append(int(text))
    count, records = numbers
    if not (1 <= count <= SIGNALS and size >= HEADER * (count + 1)):
        raise ValueError(f"expected the headers of {count} signals; the file has {size} bytes.")
    if records < 1:
        raise ValueError(f"expected data records; the header counts {records}, so its recorder did not close the file.")


def _plain(error: Exception, file: Path) -> str:
    return str(error).removeprefix(f"{file}: ").rstrip(".")


def _package() -> Any:
    try:
        import pyedflib
    except ImportError as error:
        raise MissingExtra("pyedflib", "edf", "Reading EDF files") from error
    return pyedflib
