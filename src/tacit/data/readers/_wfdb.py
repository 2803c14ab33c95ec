"""Records of the WaveForm DataBase: a header and files of samples in format 16 or 212.

Source: the manual pages header(5) and signal(5) of the WFDB Applications Guide (Moody, 2022).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

__all__ = ["Record", "read_wfdb", "wfdb_files"]

FORMATS = ("16", "212")
NOTHING = {"16": -(2**15), "212": -(2**11)}  # the sample that stands for none
GAIN, RATE = 200.0, 250.0  # where the header says none
LINE = re.compile(r"(?P<format>\d+)(?:x(?P<each>\d+))?(?::(?P<skew>\d+))?(?:\+(?P<offset>\d+))?$")
UNITS = re.compile(r"(?P<gain>[-+.\deE]+)(?:\((?P<baseline>-?\d+)\))?(?:/(?P<units>\S+))?$")


@dataclass(frozen=True)
class Record:
    """What a record holds.

    Attributes:
        names: Of the signals; ``signal 0`` and so on where they have none.
        values: ``[N, C]`` in physical units, NaN where nothing was recorded.
        rate: Samples a second.
    """

    names: tuple[str, ...]
    values: npt.NDArray[np.float64]
    rate: float


@dataclass(frozen=True)
class _Signal:
    file: Path
    format: str
    offset: int
    gain: float
    baseline: int
    checksum: int | None
    name: str


@dataclass(frozen=True)
class _Header:
    rate: float
    length: int
    signals: tuple[_Signal, ...]


def read_wfdb(header: Path) -> Record:
    """The record of a ``.hea`` file.

    Raises:
        ValueError: if the header or a file is damaged, or says what this does not read.
    """
    found = _header(header)
    columns: dict[int, npt.NDArray[np.float64]] = {}
    for file in dict.fromkeys(signal.file for signal in found.signals):
        group = [number for number, signal in enumerate(found.signals) if signal.file == file]
        samples = _samples(found.signals[group[0]], len(group), found.length)
        columns |= {number: _physical(found.signals[number], samples[:, place]) for place, number in enumerate(group)}
    if len({len(column) for column in columns.values()}) > 1:
        raise ValueError("its signals have different lengths.")
    values = np.stack([columns[number] for number in range(len(columns))], axis=1)
    return Record(tuple(signal.name for signal in found.signals), values, found.rate)


def wfdb_files(header: Path) -> list[Path]:
    """The files of samples of the record of a ``.hea`` file."""
    return list(dict.fromkeys(signal.file for signal in _header(header).signals))


def _header(header: Path) -> _Header:
    lines = [line.strip() for line in header.read_text("utf-8", "replace").splitlines()]
    lines = [line for line in lines if line and not line.startswith("#")]  # further on, # is part of a name
    first = lines[0].split() if lines else []
    if len(first) < 2 or not first[1].isdigit():
        raise ValueError("expected a WFDB header that begins with a name and the number of signals.")
    if "/" in first[0]:
        raise ValueError("the record has several segments; give the headers of the segments instead.")
    count = int(first[1])
    rate = float(first[2].split("/")[0]) if len(first) > 2 else RATE
    length = int(first[3]) if len(first) > 3 else 0
    if not count or len(lines) <= count or rate <= 0:
        raise ValueError(f"expected a rate and {count} lines of signals; got {rate} Hz and {len(lines) - 1} lines.")
    return _Header(rate, length, tuple(_signal(header.parent, n, line) for n, line in enumerate(lines[1 : count + 1])))


def _signal(folder: Path, number: int, line: str) -> _Signal:
    parts = line.split(None, 8)
    stored = LINE.match(parts[1]) if len(parts) > 1 else None
    scale = UNITS.match(parts[2]) if len(parts) > 2 else None
    if stored is None or (len(parts) > 2 and scale is None):
        raise ValueError(f"the line of signal {number} cannot be read: {line!r}.")
    if stored["format"] not in FORMATS or int(stored["each"] or 1) > 1 or int(stored["skew"] or 0):
        raise ValueError(
            f"signal {number} is stored as {parts[1]!r}; expected format {' or '.join(FORMATS)}, one sample a frame. "
            "Write the record as CSV instead, for example with rdsamp -c."
        )
    if Path(parts[0]).name != parts[0]:
        raise ValueError(f"signal {number} is in the file {parts[0]!r}; expected one beside the header.")
    gain = float(scale["gain"]) if scale else 0.0
    zero = int(parts[4]) if len(parts) > 4 else 0
    return _Signal(
        file=folder / parts[0],
        format=stored["format"],
        offset=int(stored["offset"] or 0),
        gain=gain or GAIN,
        baseline=int(scale["baseline"]) if scale and scale["baseline"] else zero,
        checksum=int(parts[6]) if len(parts) > 6 else None,
        name=parts[8].strip() if len(parts) > 8 else f"signal {number}",
    )


def _samples(signal: _Signal, channels: int, length: int) -> npt.NDArray[np.int64]:
    """The numbers ``[N, channels]`` in a file."""
    data = np.frombuffer(signal.file.read_bytes(), np.uint8, offset=signal.offset)
    if signal.format == "16":
        flat = data[: len(data) // 2 * 2].view("<i2").astype(np.int64)
    else:
        whole = np.concatenate([data, np.zeros(-len(data) % 3, np.uint8)]).reshape(-1, 3).astype(np.int64)
        pairs = np.stack([whole[:, 0] | (whole[:, 1] & 15) << 8, whole[:, 2] | (whole[:, 1] >> 4) << 8], axis=1)
        flat = (pairs.ravel()[: len(data) * 2 // 3] ^ 2048) - 2048  # the twelfth bit is the sign
    have = len(flat) // channels
    if have < max(length, 1):
        raise ValueError(f"expected {length} samples in {signal.file.name}; it ends after {have}, so it is cut short.")
    length = length or have
    return flat[: length * channels].reshape(length, channels)


def _physical(signal: _Signal, numbers: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
    if signal.checksum is not None and (int(numbers.sum()) - signal.checksum) % 2**16:
        raise ValueError(
            f"the samples of {signal.name!r} do not add up to the checksum: {signal.file.name} is damaged."
        )
    values = (numbers - signal.baseline) / signal.gain
    return np.where(numbers == NOTHING[signal.format], np.nan, values)
