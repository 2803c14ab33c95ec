"""Reader of signal files: each file has one or more episodes, each subfolder is a class."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar, Literal

import numpy as np
import numpy.typing as npt

from tacit.data.readers import _units as units
from tacit.data.readers._actions import Between, Bounds, bound
from tacit.data.readers._clock import pooled, stretches
from tacit.data.readers._even import spread
from tacit.data.readers._files import FileSet, find, listed
from tacit.data.readers._gaps import bridged
from tacit.data.readers._roles import held
from tacit.data.readers._seen import Seen, warn_of_the_rest
from tacit.data.readers._sheets import SUFFIXES, Sheet, Wanted, read_sheets
from tacit.data.readers._signal_options import check_options
from tacit.data.readers._signal_storage import Part, Recordings, Stretches, cut, spec_of
from tacit.data.readers._wfdb import segment_headers
from tacit.data.storage import Storage
from tacit.data.validation import Defect, Labels
from tacit.errors import DataError
from tacit.types import Spec

__all__ = ["Signals"]


@dataclass(frozen=True)
class Signals:
    """Reader of CSV, TSV, Parquet, WFDB (``.hea``) and EDF files as the series ``signal``, one episode each.

    A WFDB record and an EDF or BDF file store their rate; they need the extras ``wfdb`` and ``edf``. Other files need a
    column of times (seconds or dates) or ``rate``. Times may be rounded, so that rows share a time, but no sample may
    be half a period away from a uniform clock. Times are in the unit in the name of their column, such as ``time
    [ms]``, or in a line of units below the names; without one, times from 1e11, 1e14 or 1e17 on are milli-, micro- or
    nanoseconds since 1970. Numbers are stored as float32; rows in messages count from 0, without the line of names. A
    file in a subfolder has the label ``class``, the number of that subfolder among all, in the order of their names,
    and the name as its ``task``.

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
        exogenous: Columns that are measured inputs which nobody chooses, such as the weather or the feed: the series
            ``exogenous``, which a model reads like any observation and no plan changes.
        targets: Columns that are labels for probes to predict, as numbers; no model reads them.
        period: Seconds from one update to the next, for columns that are slower than the rows. Their empty cells
            repeat the last number. Where the last update, a number that is new or follows an empty cell, is more than
            ``stale_after`` periods ago, the column is stale: the series ``stale`` is 1, with a channel for each
            channel, exogenous input and action in ``period``, and so is the label ``stale.NAME`` of a target or label.
        stale_after: The number of update periods after which a column is stale.
        time_zone: The time zone of times without an offset, such as ``Europe/Berlin``. None: their clock is never
            set back or forward.
        longest: The longest episode in seconds; longer stretches are cut into pieces of one group.
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
    exogenous: tuple[str, ...] = ()
    targets: tuple[str, ...] = ()
    period: Mapping[str, float] = field(default_factory=dict)
    stale_after: float = 3.0
    time_zone: str | None = None
    longest: float | None = None

    added: ClassVar = frozenset(
        {"fill", "max_gap", "actions", "low", "high", "between", "decimal", "encoding", "classes", "episode"}
        | {"exogenous", "targets", "period", "stale_after", "time_zone", "longest"}
    )
    """Options that enter hashes only where they are given, for compatibility with older datasets."""

    def __post_init__(self) -> None:
        check_options(self)

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
        parts, names, clocks, sheets = [], [], [], Seen(found, self.gaps)
        recordings: dict[tuple[int, int], str] = {}
        origins: dict[tuple[int, int], float | None] = {}
        bounds = Bounds(path, self.actions, *(bound(n, getattr(self, n), self.actions) for n in ("low", "high")))
        first: Sheet | None = None
        last: list[Sheet] = []
        for number, file in enumerate(found.files):
            last.clear()  # one file is in memory at a time
            last += self.read(file)
            for place, sheet in enumerate(last):
                first = first or sheet
                _check_alike(file, sheet, found.files[0], first)
                found_here, clock = stretches(
                    file, sheet, self.rate, split=self.gaps != "refuse", backwards=self.gaps == "split"
                )
                parts += [(number, place, start, stop) for start, stop in found_here]
                recordings[number, place], origins[number, place] = sheet.recording, sheet.origin
                names.append((file, sheet.recording and f"{self.episode} {sheet.recording}"))
                clocks.append(clock)
                bounds.see(file, sheet)
                sheets.see(file, sheet)
        assert first is not None
        spec = spec_of(self, first, self.rate or pooled(names, clocks), bounds.box())
        kept = self._long_enough(found, sheets.rows, cut(parts, spec, self.longest), spec)
        sheets.warn()
        return Stretches(found, self, spec, kept, _schema(first), Recordings(recordings, origins), last)

    def read(self, file: Path) -> list[Sheet]:
        """Return the recordings in one file, with their gaps filled."""
        wanted = Wanted(
            time=self.time,
            columns=self.columns,
            labels=self.labels,
            actions=self.actions,
            fill=dict(self.fill),
            decimal=self.decimal,
            encoding=self.encoding,
            episode=self.episode,
            exogenous=self.exogenous,
            targets=self.targets,
            zone=self.time_zone,
        )
        sheets = [spread(file, sheet, self.rate) for sheet in read_sheets(file, wanted)]
        sheets = [held(file, sheet, self.period, self.rate) for sheet in sheets]
        if self.gaps == "previous" or self.gaps == "interpolate":
            return [bridged(file, sheet, wanted, self.gaps, self.max_gap, self.rate) for sheet in sheets]
        return sheets

    def _long_enough(self, found: FileSet, rows: int, parts: Sequence[Part], spec: Spec) -> npt.NDArray[np.int64]:
        """Return ``[episodes, 4]`` the stretches that have enough observations; see :data:`Part`."""
        least = 2 if self.actions else 1  # an action lies between two observations
        kept = [part for part in parts if part[3] - part[2] >= spec.samples("signal", least)]
        if not kept:
            long = "one observation" if least == 1 else "two observations and the action between them"
            raise DataError(f"no signal in {found.path} is as long as {long} at fps={spec.fps:g}.")
        warn_of_the_rest(found, rows, parts, kept, spec.fps)
        return np.array(kept, dtype=np.int64)


def _check_alike(file: Path, sheet: Sheet, other: Path, first: Sheet) -> None:
    """Raise DataError unless a sheet has the columns of the first one, in the same units."""
    units.check_alike(file, sheet.units, other, first.units)
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
