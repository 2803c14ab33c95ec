"""Records of the WaveForm DataBase, read by the ``wfdb`` package."""

from __future__ import annotations

import warnings
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from tacit._files import check_file, read_bytes
from tacit.errors import MissingExtra

__all__ = ["Record", "read_wfdb", "segment_headers", "wfdb_files"]

MAX_HEADER = 2**20
MAX_LINE = 1000
MAX_MISSING = 2**26
"""Largest count of numbers of a record that no file holds, because segments are empty."""
BITS = {"8": 8, "16": 16, "24": 24, "32": 32, "61": 16, "80": 8, "160": 16, "212": 12, "310": 10, "311": 10}
BITS |= {"508": 8, "516": 16, "524": 24}
"""Bits of a sample; the lowest number stands for a missing one."""
COMPRESSED = {"508": 1e-3, "516": 1e-3, "524": 1e-3}
"""Smallest number of bytes of a sample in a compressed file."""


@dataclass(frozen=True)
class Record:
    """Signals of a record.

    Attributes:
        names: The names of the signals; ``signal 0`` and so on where they have none.
        signals: ``[N]`` each in physical units, NaN where nothing was recorded.
        rates: Samples a second of each.
    """

    names: tuple[str, ...]
    signals: tuple[npt.NDArray[np.float64], ...]
    rates: tuple[float, ...]


def read_wfdb(header: Path) -> Record:
    """Return the record of a ``.hea`` file, of one segment or several.

    Raises:
        ValueError: if the header or a file is damaged.
        MissingExtra: if the package is not installed.
    """
    about = _header(header)
    multiple = _is_multiple(about)
    parts = [_header(part) for part in _segments(header, about)] if multiple else [about]
    _check_size(header, about, parts)
    with _foreign("cannot be read"):
        record = _package().rdrecord(str(header.with_suffix("")), m2s=False, smooth_frames=False)
        for part in record.segments if multiple else [record]:
            if part is not None and part.e_p_signal is not None:  # neither empty nor the header of a layout
                _check_sums(part)
        if multiple:
            record = record.multi_to_single(physical=True, expanded=True)
        signals = tuple(np.asarray(signal, np.float64) for signal in record.e_p_signal)
        names = tuple(name or f"signal {place}" for place, name in enumerate(record.sig_name))
        rates = tuple(float(about.fs) * int(each or 1) for each in record.samps_per_frame)
    if len({len(signal) / rate for signal, rate in zip(signals, rates, strict=True)}) > 1:
        raise ValueError("its signals have different lengths.")
    return Record(names, signals, rates)


def wfdb_files(header: Path) -> list[Path]:
    """Return the files of the record of a ``.hea`` file, without the header itself."""
    about = _header(header)
    if not _is_multiple(about):
        return _samples(header, about)
    files: list[Path] = []
    for part in _segments(header, about):
        files += [part, *_samples(part, _header(part))]
    return files


def segment_headers(headers: Collection[Path]) -> set[Path]:
    """Return the headers of segments of another record; a damaged header has none."""
    found: set[Path] = set()
    for header in headers:
        try:
            about = _header(header)
            found |= {header.parent / f"{name}.hea" for name in about.seg_name} if _is_multiple(about) else set()
        except ValueError:
            continue
    return found


def _header(header: Path) -> Any:
    """Return the content of a header."""
    try:
        lines = read_bytes(header, MAX_HEADER).splitlines()
    except OSError as error:
        raise ValueError(f"the header {header.name} cannot be read ({error}).") from error
    longest = max((len(line) for line in lines if not line.startswith(b"#")), default=0)
    if longest > MAX_LINE:  # the time of wfdb grows with its square
        raise ValueError(f"expected lines of at most {MAX_LINE} characters; {header.name} has one of {longest}.")
    with _foreign(f"expected a WFDB header; {header.name} cannot be read"):
        about = _package().rdheader(str(header.with_suffix("")))
        if not (about.fs and np.isfinite(about.fs) and about.fs > 0):
            raise ValueError(f"expected a rate above 0; got {about.fs}")
        names = about.seg_name if _is_multiple(about) else about.file_name
        count = about.n_seg if _is_multiple(about) else about.n_sig
        if not names or None in names or len(names) != count:
            raise ValueError(f"expected {count} signals or segments; it lists {len(names or ())}")
        if outside := [name for name in names if name in (".", "..") or "/" in name or "\\" in name or ":" in name]:
            raise ValueError(f"expected files next to the header; got {outside[0]!r}")
    return about


def _is_multiple(about: Any) -> bool:
    return hasattr(about, "seg_name")


def _segments(header: Path, about: Any) -> list[Path]:
    """Return the headers of the segments of a record; the empty ones, ``~``, have none."""
    names = dict.fromkeys(name for name in about.seg_name if name != "~")
    parts = [header.parent / f"{name}.hea" for name in names]
    if header in parts or not parts:
        raise ValueError("expected segments other than the record itself.")
    if about.layout == "fixed":
        first, *rest = [(_header(part), part) for part in parts]
        for other, part in rest:
            if other.sig_name != first[0].sig_name:
                raise ValueError(f"expected the signals {first[0].sig_name} in {part.name}; got {other.sig_name}.")
    return parts


def _samples(header: Path, about: Any) -> list[Path]:
    """Return the files of samples; a layout has none."""
    return [header.parent / name for name in dict.fromkeys(about.file_name or ()) if name != "~"]


def _check_size(header: Path, about: Any, parts: Collection[Any]) -> None:
    """Raise ValueError for files shorter than their headers state, before allocating memory for samples."""
    recorded = 0
    for part in parts:
        if _is_multiple(part):
            raise ValueError("expected segments of samples; one has segments itself.")
        length = int(part.sig_len or 0)
        for name in dict.fromkeys(part.file_name):
            if name == "~":
                continue
            places = [place for place, other in enumerate(part.file_name) if other == name]
            if part.fmt[places[0]] not in BITS:
                raise ValueError(
                    f"{name} has samples in format {part.fmt[places[0]]}, which the package does not read."
                )
            each = sum(int(part.samps_per_frame[place] or 1) for place in places)
            size = check_file(header.parent / name) - int(part.byte_offset[places[0]] or 0)
            bits = 8 * COMPRESSED.get(part.fmt[places[0]], BITS[part.fmt[places[0]]] / 8)
            if size * 8 < length * each * bits - 8:
                have = max(int(size * 8 / bits / each), 0)
                raise ValueError(f"expected {length} samples in {name}; it ends after {have}, so it is cut short.")
            recorded += length * each
    if len(parts) > 1 or _is_multiple(about):
        whole = int(about.sig_len or 0) * int(about.n_sig or 0)
        if whole > recorded * max(len(parts), 1) + MAX_MISSING or sum(about.seg_len) != about.sig_len:
            raise ValueError(f"expected {recorded} samples in all, as its segments have; the header counts {whole}.")


def _check_sums(record: Any) -> None:
    """Raise ValueError where samples do not match the checksum of their header."""
    for place, signal in enumerate(record.e_p_signal):
        expected, skew = record.checksum[place], record.skew[place]
        missing = -(2 ** (BITS[record.fmt[place]] - 1))
        samples = np.where(np.isnan(signal), missing, np.rint(signal * record.adc_gain[place] + record.baseline[place]))
        if expected is not None and not skew and (int(samples.astype(np.int64).sum()) - int(expected)) % 2**16:
            raise ValueError(
                f"the samples of {record.sig_name[place]!r} do not add up to the checksum: "
                f"{record.file_name[place]} is damaged"
            )


@contextmanager
def _foreign(what: str) -> Iterator[None]:
    """Convert the errors of the package for a damaged file to ValueError; ignore warnings of its use of pandas."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            warnings.simplefilter("ignore", FutureWarning)
            yield
    except MissingExtra:
        raise
    except Exception as error:
        raise ValueError(f"{what}: {str(error).rstrip('.') or type(error).__name__}.") from error


def _package() -> Any:
    try:
        import wfdb
    except ImportError as error:
        raise MissingExtra("wfdb", "wfdb", "Reading WFDB records") from error
    return wfdb
