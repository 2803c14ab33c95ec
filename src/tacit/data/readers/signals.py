"""Reader of signal files: each file has one or more episodes, each subfolder is a class."""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import ClassVar, Literal

import numpy as np
import numpy.typing as npt

from tacit._limits import is_positive
from tacit.data.readers._actions import Between, Bounds, actions_between, bound
from tacit.data.readers._clock import pooled, stretches
from tacit.data.readers._even import spread
from tacit.data.readers._files import NAMED, FileSet, FileStorage, find, listed, no_actions
from tacit.data.readers._gaps import bridged
from tacit.data.readers._sheets import SUFFIXES, Sheet, Wanted, read_sheets
from tacit.data.readers._text import check_encoding
from tacit.data.readers._wfdb import segment_headers, wfdb_files
from tacit.data.storage import Storage
from tacit.data.validation import Defect, Labels
from tacit.errors import ConfigError, DataError
from tacit.types import Box, Episode, Modality, Spec

__all__ = ["Signals"]

Part = tuple[int, int, int, int]
"""Number of a file, number of a recording in it, first and end row of a stretch of the recording."""
GAPS = ("refuse", "split", "previous", "interpolate")


@dataclass(frozen=True)
class Signals:
    """Reader of CSV, TSV, Parquet and WFDB (``.hea``) files as the series ``signal``, one episode each.

    A WFDB record stores its rate; reading it needs the extra ``wfdb``. Other files need a column of times (seconds or
    dates) or ``rate``. Times may be rounded, so that rows share a time, but no sample may be half a period away
    from a uniform clock. Times are in the unit in the name of their column, such as ``time [ms]``, or in a line of
    units below the names; without one, times from 1e11, 1e14 or 1e17 on are milli-, micro- or nanoseconds since 1970.
    Numbers are stored as float32; rows in messages count from 0, without the line of names. A file in a subfolder
    has the label ``class``, the number of that subfolder among all, in the order of their names, and the name as its
    ``task``.

    Args:
        rate: Samples a second, for files without times; with times, they must match it within one per cent.
        fps: Observations a second, at most ``rate``; each has the samples since the one before. None: one
            observation for each sample. Samples after the last whole observation are left out.
        time: The column of the times; by default the one named ``time``, ``t``, ``timestamp``, ``date`` or similar, or
            the one of dates. Empty: no column.
        columns: The channels, in this order; by default every other column, but not the index that pandas wrote to
            Parquet.
        labels: Columns that are labels, not part of the signal; an observation has the label of its latest sample.
        gaps: ``refuse`` a missing sample or number with a DataError, or ``split`` the signal there: each unbroken
            stretch is an episode, the stretches of a file are one group, and a warning counts the rows that are left
            out and names the files that gave no episode. Or take missing values from the ``previous`` sample, or
            ``interpolate`` them linearly between the previous and the next one; labels and actions always come from
            the previous one. A warning counts the filled values.
        fill: Replacements for missing numbers, by column, for gaps of any length.
        max_gap: The longest gap that is filled, in seconds from the sample before to the sample after; longer gaps
            split the signal. None: no limit.
        actions: Columns that are actions, not part of the signal: each applies from its row to the next one, and
            ``action[t]`` from ``observation[t]`` to ``observation[t + 1]``.
        low: The lower bound of each action, or of all. None: the smallest recorded, with a warning.
        high: The upper bound, in the same way.
        between: The rule for several samples between two observations: ``refuse`` actions that change there, or
            take their ``mean`` or the ``last`` one.
        decimal: The decimal sign in CSV files, ``.`` or ``,``. None: a comma is found where it cannot separate
            thousands. The other sign, spaces and apostrophes may separate thousands.
        encoding: The text encoding of CSV files, such as ``cp1252``. None: UTF-8 and UTF-16 are found; else it is
            cp1252, with a warning where characters depend on it.
        classes: The names of the classes, by number; a file in another subfolder is refused. None: the subfolders.
        episode: The column that distinguishes the recordings in a file, such as ``run_id``; not part of the signal. The
            rows of each of its values, in order and at any position, are a recording with its own times,
            and the value is the ``group`` of its episodes, after a hash of the file where there are several files.
    """

    rate: float | None = None
    fps: float | None = None
    time: str | None = None
    columns: tuple[str, ...] | None = None
    labels: tuple[str, ...] = ()
    gaps: Literal["refuse", "split", "previous", "interpolate"] = "refuse"
    fill: Mapping[str, float] = field(default_factory=dict)
    max_gap: float | None = None
    actions: tuple[str, ...] = ()
    low: float | tuple[float, ...] | None = None
    high: float | tuple[float, ...] | None = None
    between: Between = "refuse"
    decimal: Literal[".", ","] | None = None
    encoding: str | None = None
    classes: tuple[str, ...] | None = None
    episode: str | None = None

    added: ClassVar = frozenset(
        ("fill", "max_gap", "actions", "low", "high", "between", "decimal", "encoding", "classes", "episode")
    )
    """Options that enter hashes only where they are given, for compatibility with older datasets."""

    def __post_init__(self) -> None:
        for name, value in (("rate", self.rate), ("fps", self.fps), ("max_gap", self.max_gap)):
            if value is not None and not is_positive(value):
                per = "in seconds" if name == "max_gap" else "a second"
                raise ConfigError(f"{name} is a positive number {per}; got {value!r}.")
        for name, names in (("columns", self.columns), ("labels", self.labels), ("actions", self.actions)):
            if isinstance(names, str):
                raise ConfigError(f"{name} is a sequence of names such as ({names!r},); got {names!r}.")
        if self.episode is not None and self.episode in (self.time, *(self.columns or ()), *self.actions):
            raise ConfigError(f"column {self.episode!r} tells episodes apart; it cannot be a time, channel or action.")
        if self.gaps not in GAPS:
            raise ConfigError(f"gaps is {', '.join(map(repr, GAPS))}; got {self.gaps!r}.")
        if self.max_gap is not None and self.gaps not in ("previous", "interpolate"):
            raise ConfigError(f"max_gap needs gaps='previous' or 'interpolate'; got gaps={self.gaps!r}.")
        if wrong := [name for name, value in self.fill.items() if not np.isfinite(np.float32(value))]:
            raise ConfigError(f"fill needs finite numbers; got {self.fill[wrong[0]]} for {wrong[0]!r}.")
        if self.between not in ("refuse", "mean", "last"):
            raise ConfigError(f"between is 'refuse', 'mean' or 'last'; got {self.between!r}.")
        if self.decimal not in (None, ".", ","):
            raise ConfigError(f"decimal is '.' or ','; got {self.decimal!r}.")
        if self.encoding is not None:
            check_encoding(self.encoding)
        if not self.actions and (self.low is not None or self.high is not None):
            raise ConfigError("low and high are bounds of actions; name the columns of actions: actions=('a', 'b').")
        bound("low", self.low, self.actions)
        bound("high", self.high, self.actions)

    def files(self, path: Path) -> list[Path]:
        """Return the signals at or under ``path``; segments of a WFDB record are part of it."""
        files = listed(path, SUFFIXES)
        headers = [file for file in files if file.suffix.lower() == ".hea"]
        parts = segment_headers(headers) if len(headers) > 1 else set()
        return [file for file in files if file not in parts]

    def recognises(self, path: Path) -> bool:
        """Return whether there are such files at or under ``path``."""
        return bool(listed(path, SUFFIXES))

    def open(self, path: Path) -> Storage:
        """Read all files to find their rate and gaps. Raises DataError naming file, column and row of a defect."""
        found = find(path, self.files(path), SUFFIXES, "signals", self.classes)
        parts, names, clocks, sheets = [], [], [], _Seen(found, self.gaps)
        recordings: dict[tuple[int, int], str] = {}
        bounds = Bounds(path, self.actions, *(bound(n, getattr(self, n), self.actions) for n in ("low", "high")))
        first: Sheet | None = None
        for number, file in enumerate(found.files):
            for place, sheet in enumerate(self.read(file)):
                first = first or sheet
                _check_alike(file, sheet, found.files[0], first)
                found_here, clock = stretches(file, sheet, self.rate, self.gaps != "refuse")
                parts += [(number, place, start, stop) for start, stop in found_here]
                recordings[number, place] = sheet.recording
                names.append((file, sheet.recording and f"{self.episode} {sheet.recording}"))
                clocks.append(clock)
                bounds.see(file, sheet)
                sheets.see(sheet)
        assert first is not None
        spec = self._spec(len(first.names), self.rate or pooled(names, clocks), bounds.box())
        kept = self._long_enough(found, sheets.rows, parts, spec)
        sheets.warn()
        return _Stretches(found, self, spec, kept, _schema(first), recordings)

    def read(self, file: Path) -> list[Sheet]:
        """Return the recordings in one file, with their gaps filled."""
        wanted = Wanted(
            self.time,
            self.columns,
            self.labels,
            self.actions,
            dict(self.fill),
            self.decimal,
            self.encoding,
            self.episode,
        )
        sheets = [spread(file, sheet, self.rate) for sheet in read_sheets(file, wanted)]
        if self.gaps == "previous" or self.gaps == "interpolate":
            return [bridged(file, sheet, wanted, self.gaps, self.max_gap, self.rate) for sheet in sheets]
        return sheets

    def _spec(self, channels: int, rate: float, action: Box) -> Spec:
        fps = self.fps or rate
        if fps > rate:
            raise ConfigError(f"fps is at most the rate of the signal, {rate:g}; got {fps:g}.")
        return Spec({"signal": Modality("series", (channels,), rate)}, action, fps=fps)

    def _long_enough(self, found: FileSet, rows: int, parts: Sequence[Part], spec: Spec) -> npt.NDArray[np.int64]:
        """Return ``[episodes, 4]`` the stretches that have enough observations; see :data:`Part`."""
        least = 2 if self.actions else 1  # an action lies between two observations
        kept = [part for part in parts if part[3] - part[2] >= spec.samples("signal", least)]
        if not kept:
            long = "one observation" if least == 1 else "two observations and the action between them"
            raise DataError(f"no signal in {found.path} is as long as {long} at fps={spec.fps:g}.")
        _warn_of_the_rest(found, rows, parts, kept, spec.fps)
        return np.array(kept, dtype=np.int64)


class _Seen:
    """Counter of filled and guessed values in the files."""

    def __init__(self, found: FileSet, gaps: str) -> None:
        self._path, self._gaps = found.path, gaps
        self.rows = 0
        self._filled: Counter[str] = Counter()
        self._bridged: Counter[str] = Counter()
        self._notes: dict[str, int] = {}
        self._longest = 0.0

    def see(self, sheet: Sheet) -> None:
        self.rows += len(sheet.values)
        self._filled.update(sheet.filled)
        self._bridged.update(sheet.bridged)
        self._longest = max(self._longest, sheet.longest)
        for note in sheet.notes:
            self._notes[note] = self._notes.get(note, 0) + 1

    def warn(self) -> None:
        summary = []
        for counts, how in (
            (self._bridged, f"gaps={self._gaps!r}, the longest gap {self._longest:g} s"),
            (self._filled, "fill"),
        ):
            columns = ", ".join(f"{name} {count}" for name, count in counts.items() if count)
            summary += [f"{columns} ({how})"] if columns else []
        if summary:
            warnings.warn(f"filled in missing numbers in {self._path}: {'; '.join(summary)}.", stacklevel=5)
        for note, count in self._notes.items():
            warnings.warn(f"{count} of the files in {self._path}: text {note}.", stacklevel=5)


class _Stretches(FileStorage):
    """Storage of unbroken stretches of signals; keeps the last file in memory.

    Args:
        found: The files.
        options: The reader with its options.
        spec: The spec of the episodes.
        parts: ``[episodes, 4]``; see :data:`Part`.
        labels: The labels from columns.
        recordings: The name of each recording in its file, by the numbers of both.
    """

    def __init__(
        self,
        found: FileSet,
        options: Signals,
        spec: Spec,
        parts: npt.NDArray[np.int64],
        labels: Labels,
        recordings: Mapping[tuple[int, int], str],
    ) -> None:
        self._reader, self._parts, self._recordings = options, parts, recordings
        rate = spec.modalities["signal"].rate or 1.0
        lengths = np.floor((parts[:, 3] - parts[:, 2] + 1e-9) * spec.fps / rate + 1e-12).astype(np.int64)
        super().__init__(found, options, spec, lengths, parts[:, 0], labels)
        self._last: tuple[int, list[Sheet]] | None = None

    @cached_property
    def groups(self) -> Sequence[str]:
        """Return the group of each episode: its recording, where a file holds several."""
        if self._reader.episode is None:
            return super().groups
        several = len(self.found.files) > 1  # different files may use the same name for a recording
        return [
            f"{self._sum(number)[:16]} {self._recordings[number, place]}"
            if several
            else self._recordings[number, place]
            for number, place in self._parts[:, :2].tolist()
        ]

    def parts(self, file: Path) -> Sequence[Path]:
        """Return the file, with the files of samples where it is the header of a record."""
        return (file, *wfdb_files(file)) if file.suffix.lower() == ".hea" else (file,)

    def read(self, index: int, modalities: Collection[str]) -> Episode:
        """Return the stretch at ``index``."""
        number, place, start, _ = (int(value) for value in self._parts[index])
        file = self.found.files[number]
        sheet, steps = self._sheets(number)[place], int(self.lengths[index])
        samples = sheet.values[start : start + self.spec.samples("signal", steps)].astype(np.float32)
        rate = self.spec.modalities["signal"].rate or 1.0
        rows = start + np.floor(np.arange(steps) * rate / self.spec.fps + 1e-9).astype(np.int64)
        action, final = no_actions(steps), None
        if self._reader.actions:
            action, final = actions_between(file, sheet, rows, self._reader.between)
        return Episode(
            observation=dict.fromkeys(modalities, samples),
            action=action,
            final_action=final,
            labels={**self.found.label(number, steps), **{name: values[rows] for name, values in sheet.labels.items()}},
            index=index,
            task=self.found.task(number),
            group=self.groups[index],
        )

    def _sheets(self, number: int) -> list[Sheet]:
        """Return the recordings in a file."""
        if self._last is None or self._last[0] != number:
            self._last = number, self._reader.read(self.found.files[number])
        return self._last[1]


def _check_alike(file: Path, sheet: Sheet, other: Path, first: Sheet) -> None:
    """Raise DataError unless a sheet has the columns of the first one."""
    if sheet.names != first.names or _schema(sheet) != _schema(first):
        raise Defect(
            file,
            None,
            "columns",
            f"expected {', '.join(first.names)}, like {other.name}; got {', '.join(sheet.names)}. "
            "Name columns that all files have: columns=('a', 'b'), or on the command line: tacit data convert SOURCE "
            """DATASET --set 'columns=["a", "b"]'.""",
        )


def _schema(sheet: Sheet) -> Labels:
    return {name: (str(values.dtype), values.shape[1:]) for name, values in sheet.labels.items()}


def _warn_of_the_rest(found: FileSet, rows: int, parts: Sequence[Part], kept: Sequence[Part], fps: float) -> None:
    """Warn of rows that are in no episode, and of files without episodes."""
    whole, left = (sum(stop - start for _, _, start, stop in some) for some in (parts, kept))
    if left == rows:
        return
    why = [f"{rows - whole} lack a finite number"] if whole < rows else []
    if left < whole:
        short = f"{len(parts) - len(kept)} of {len(parts)} stretches"
        why.append(f"{whole - left} lie in stretches shorter than one observation at fps={fps:g} ({short})")
    used = {number for number, _, _, _ in kept}
    lost = [str(file) for number, file in enumerate(found.files) if number not in used]
    named = ", ".join(lost[:NAMED]) + (", ..." if len(lost) > NAMED else "")
    warnings.warn(
        f"left out {rows - left} of {rows} rows in {found.path}: {'; '.join(why)}. The other rows make "
        f"{len(kept)} episodes." + (f" Files that gave no episode: {len(lost)} ({named})." if lost else ""),
        stacklevel=5,
    )
