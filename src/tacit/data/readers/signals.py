"""Files of signals: each is an episode with one series, and subfolders are their classes."""

from __future__ import annotations

import warnings
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt

from tacit.data.findings import Defect, Labels
from tacit.data.readers._clock import pooled, stretches
from tacit.data.readers._files import NAMED, FileStorage, Found, find, listed, unacted
from tacit.data.readers._sheets import SUFFIXES, Sheet, read_sheet
from tacit.data.readers._wfdb import wfdb_files
from tacit.data.storage import Storage
from tacit.errors import ConfigError, DataError
from tacit.types import Episode, Modality, Spec

__all__ = ["Signals"]

Part = tuple[int, int, int]
"""The number of a file, first and end row of a stretch of it."""


@dataclass(frozen=True)
class Signals:
    """CSV, TSV and Parquet files and WFDB records (``.hea``) as the series ``signal``, one episode each.

    A WFDB record (formats 16 and 212) says its rate. In the other files a column of times does, seconds or dates:
    it may be rounded, but no sample may be half a period away from an even clock. Times from 1e11, 1e14 or 1e17 on
    are milli-, micro- or nanoseconds since 1970. Numbers are stored as float32;
    rows in messages count from 0, the line of names left out. A file in a subfolder has the label ``class``, the
    number of that subfolder among all, in the order of their names, and the name as its ``task``.

    Args:
        rate: Samples a second, for files without times; with times, what they must say within one per cent.
        fps: Observations a second, at most ``rate``; each comes with the samples since the one before. None: one
            observation for each sample. Samples after the last whole observation are left out.
        time: The column of the times; by default the one called ``time``, ``t``, ``timestamp``, ``date`` or alike, or
            the one of dates.
        columns: The channels, in this order; by default every other column, but not the index that pandas wrote to
            Parquet.
        labels: Columns that are labels, at each observation that of the latest sample; no part of the signal.
        gaps: ``refuse`` a missing sample or number with a DataError, or ``split`` the signal there: each unbroken
            stretch is an episode, and a warning counts the rows that are left out and names the files that gave no
            episode.
    """

    rate: float | None = None
    fps: float | None = None
    time: str | None = None
    columns: tuple[str, ...] | None = None
    labels: tuple[str, ...] = ()
    gaps: Literal["refuse", "split"] = "refuse"

    def __post_init__(self) -> None:
        for name, value in (("rate", self.rate), ("fps", self.fps)):
            if value is not None and not (np.isfinite(value) and value > 0):
                raise ConfigError(f"{name} is a positive number a second; got {value}.")
        for name, names in (("columns", self.columns), ("labels", self.labels)):
            if isinstance(names, str):
                raise ConfigError(f"{name} is a sequence of names such as ({names!r},); got {names!r}.")
        if self.gaps not in ("refuse", "split"):
            raise ConfigError(f"gaps is 'refuse' or 'split'; got {self.gaps!r}.")

    def files(self, path: Path) -> list[Path]:
        """The signals at or under ``path``."""
        return listed(path, SUFFIXES)

    def recognises(self, path: Path) -> bool:
        """Whether there are such files at or under ``path``."""
        return bool(listed(path, SUFFIXES))

    def open(self, path: Path) -> Storage:
        """Read all files to find their rate and gaps. Raises DataError naming file, column and row of what is wrong."""
        found = find(path, SUFFIXES, "signals")
        parts, clocks, rows = [], [], 0
        first: Sheet | None = None
        for number, file in enumerate(found.files):
            sheet = self.read(file)
            first = first or sheet
            if sheet.names != first.names or _schema(sheet) != _schema(first):
                raise Defect(
                    file,
                    None,
                    "columns",
                    f"expected {', '.join(first.names)}, like {found.files[0].name}; got {', '.join(sheet.names)}. "
                    "Say which all files have: columns=('a', 'b'), or on the command line: tacit data convert SOURCE "
                    """DATASET --set 'columns=["a", "b"]'.""",
                )
            found_here, clock = stretches(file, sheet, self.rate, self.gaps == "split")
            parts += [(number, start, stop) for start, stop in found_here]
            clocks.append(clock)
            rows += len(sheet.values)
        assert first is not None
        rate = self.rate or pooled(found.files, clocks)
        spec = self._spec(len(first.names), rate)
        return _Stretches(found, self, spec, self._long_enough(found, rows, parts, spec), _schema(first))

    def read(self, file: Path) -> Sheet:
        """One file."""
        return read_sheet(file, self.time, self.columns, self.labels)

    def _spec(self, channels: int, rate: float) -> Spec:
        fps = self.fps or rate
        if fps > rate:
            raise ConfigError(f"fps is at most the rate of the signal, {rate:g}; got {fps:g}.")
        return Spec({"signal": Modality("series", (channels,), rate)}, fps=fps)

    def _long_enough(self, found: Found, rows: int, parts: Sequence[Part], spec: Spec) -> npt.NDArray[np.int64]:
        """``[episodes, 3]`` file, first and end row of the stretches that have an observation."""
        kept = [part for part in parts if part[2] - part[1] >= spec.samples("signal", 1)]
        if not kept:
            raise DataError(f"no signal in {found.path} is as long as one observation at fps={spec.fps:g}.")
        _warn_of_the_rest(found, rows, parts, kept, spec.fps)
        return np.array(kept, dtype=np.int64)


class _Stretches(FileStorage):
    """Unbroken stretches of signals; the file that was read last is kept in memory."""

    def __init__(
        self, found: Found, options: Signals, spec: Spec, parts: npt.NDArray[np.int64], labels: Labels
    ) -> None:
        self._reader, self._parts = options, parts
        rate = spec.modalities["signal"].rate or 1.0
        lengths = np.floor((parts[:, 2] - parts[:, 1] + 1e-9) * spec.fps / rate + 1e-12).astype(np.int64)
        super().__init__(found, options, spec, lengths, parts[:, 0], labels)
        self._last: tuple[int, Sheet] | None = None

    def parts(self, file: Path) -> Sequence[Path]:
        """The file, and those of samples where it is the header of a record."""
        return (file, *wfdb_files(file)) if file.suffix.lower() == ".hea" else (file,)

    def read(self, index: int, modalities: Collection[str]) -> Episode:
        """The stretch at ``index``."""
        number, start, _ = (int(value) for value in self._parts[index])
        if self._last is None or self._last[0] != number:
            self._last = number, self._reader.read(self.found.files[number])
        sheet, steps = self._last[1], int(self.lengths[index])
        samples = sheet.values[start : start + self.spec.samples("signal", steps)].astype(np.float32)
        rate = self.spec.modalities["signal"].rate or 1.0
        rows = start + np.floor(np.arange(steps) * rate / self.spec.fps + 1e-9).astype(np.int64)
        labels = {name: values[rows] for name, values in sheet.labels.items()}
        return Episode(
            observation=dict.fromkeys(modalities, samples),
            action=unacted(steps),
            labels={**self.found.label(number, steps), **labels},
            index=index,
            task=self.found.task(number),
            group=self.groups[index],
        )


def _schema(sheet: Sheet) -> Labels:
    return {name: (str(values.dtype), values.shape[1:]) for name, values in sheet.labels.items()}


def _warn_of_the_rest(found: Found, rows: int, parts: Sequence[Part], kept: Sequence[Part], fps: float) -> None:
    """Count the rows that are in no episode and name the files that gave none."""
    whole, left = (sum(stop - start for _, start, stop in some) for some in (parts, kept))
    if left == rows:
        return
    why = [f"{rows - whole} lack a finite number"] if whole < rows else []
    if left < whole:
        short = f"{len(parts) - len(kept)} of {len(parts)} stretches"
        why.append(f"{whole - left} lie in stretches shorter than one observation at fps={fps:g} ({short})")
    used = {number for number, _, _ in kept}
    lost = [str(file) for number, file in enumerate(found.files) if number not in used]
    named = ", ".join(lost[:NAMED]) + (", ..." if len(lost) > NAMED else "")
    warnings.warn(
        f"left out {rows - left} of {rows} rows in {found.path}: {'; '.join(why)}. The other rows make "
        f"{len(kept)} episodes." + (f" Files that gave no episode: {len(lost)} ({named})." if lost else ""),
        stacklevel=5,
    )
