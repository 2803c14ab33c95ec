"""Storage of the unbroken stretches of signal files."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from tacit.data.readers._actions import actions_between
from tacit.data.readers._files import FileSet, FileStorage, no_actions
from tacit.data.readers._roles import stale
from tacit.data.readers._sheets import Sheet
from tacit.data.readers._units import named
from tacit.data.readers._wfdb import wfdb_files
from tacit.data.validation import Labels
from tacit.errors import ConfigError
from tacit.types import Box, Episode, Modality, Spec

if TYPE_CHECKING:
    from tacit.data.readers.signals import Signals

__all__ = ["Part", "Recordings", "Stretches", "cut", "spec_of"]


@dataclass(frozen=True)
class Recordings:
    """Recordings in files, by the number of the file and their number in it.

    Attributes:
        names: The name of each.
        origins: The time of the first row of each in seconds since 1970; None where it is unknown.
    """

    names: Mapping[tuple[int, int], str]
    origins: Mapping[tuple[int, int], float | None]


Part = tuple[int, int, int, int]
"""Number of a file, number of a recording in it, first and end row of a stretch of the recording."""


class Stretches(FileStorage):
    """Storage of unbroken stretches of signals; keeps the last file in memory.

    Args:
        found: The files.
        options: The reader with its options.
        spec: The spec of the episodes.
        parts: ``[episodes, 4]``; see :data:`Part`.
        labels: The labels from columns.
        recordings: The recordings in the files.
        last: The content of the last file.
    """

    def __init__(
        self,
        found: FileSet,
        options: Signals,
        spec: Spec,
        parts: npt.NDArray[np.int64],
        labels: Labels,
        recordings: Recordings,
        last: list[Sheet],
    ) -> None:
        self._reader, self._parts, self._recordings = options, parts, recordings.names
        self._origins = recordings.origins
        rate = spec.modalities["signal"].rate or 1.0
        lengths = np.floor((parts[:, 3] - parts[:, 2] + 1e-9) * spec.fps / rate + 1e-12).astype(np.int64)
        labels = {**labels, **{f"stale.{name}": ("bool", ()) for name in options.period if name in labels}}
        super().__init__(found, options, spec, lengths, parts[:, 0], labels)
        self._last = len(found.files) - 1, last

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

    @cached_property
    def times(self) -> npt.NDArray[np.float64] | None:
        """Return ``[episodes, 2]`` the times of the first and last row in seconds since 1970, where they are known."""
        if any(origin is None for origin in self._origins.values()):
            return None
        found = np.empty((len(self._parts), 2))
        for index, (number, place, start, stop) in enumerate(self._parts.tolist()):
            seconds = self._sheets(number)[place].seconds
            assert seconds is not None
            found[index] = np.array([seconds[start], seconds[stop - 1]]) + (self._origins[number, place] or 0.0)
        return found

    def parts(self, file: Path) -> Sequence[Path]:
        """Return the file, with the files of samples where it is the header of a record."""
        return (file, *wfdb_files(file)) if file.suffix.lower() == ".hea" else (file,)

    def read(self, index: int, modalities: Collection[str]) -> Episode:
        """Return the stretch at ``index``."""
        number, place, start, _ = (int(value) for value in self._parts[index])
        file = self.found.files[number]
        sheet, steps = self._sheets(number)[place], int(self.lengths[index])
        stop = start + self.spec.samples("signal", steps)
        samples = sheet.values[start:stop].astype(np.float32)
        rate = self.spec.modalities["signal"].rate or 1.0
        rows = start + np.floor(np.arange(steps) * rate / self.spec.fps + 1e-9).astype(np.int64)
        action, final = no_actions(steps), None
        if self._reader.actions:
            action, final = actions_between(file, sheet, rows, self._reader.between)
        channels = self.spec.modalities["signal"].shape[0]
        series = {"signal": samples[:, :channels], "exogenous": samples[:, channels:]}
        labels = {**self.found.label(number, steps), **{name: values[rows] for name, values in sheet.labels.items()}}
        if period := self._reader.period:
            old = stale(sheet, period, self._reader.stale_after, rate)
            read = [place for place, name in enumerate(period) if name not in sheet.labels]
            series["stale"] = old[start:stop, read].astype(np.float32)
            labels |= {f"stale.{name}": old[rows, place] for place, name in enumerate(period) if name in sheet.labels}
        return Episode(
            observation={name: np.ascontiguousarray(series[name]) for name in modalities},
            action=action,
            final_action=final,
            labels=labels,
            index=index,
            task=self.found.task(number),
            group=self.groups[index],
        )

    def _sheets(self, number: int) -> list[Sheet]:
        """Return the recordings in a file."""
        if self._last[0] != number:
            self._last = number, self._reader.read(self.found.files[number])
        return self._last[1]


def spec_of(options: Signals, sheet: Sheet, rate: float, action: Box) -> Spec:
    """Return the spec of a dataset from its first sheet; components have the names of their columns.

    Raises:
        ConfigError: if there are more observations a second than samples.
    """
    fps = options.fps or rate
    if fps > rate:
        raise ConfigError(f"fps is at most the rate of the signal, {rate:g}; got {fps:g}.")
    exogenous = len(options.exogenous)
    channels = len(sheet.names) - exogenous
    names = {
        "signal": sheet.names[:channels],
        "exogenous": sheet.names[channels:],
        "stale": tuple(name for name in options.period if name not in sheet.labels),
    }
    modalities = {
        modality: Modality("series", (len(columns),), rate, names=tuple(named(name, sheet.units) for name in columns))
        for modality, columns in names.items()
        if columns
    }
    return Spec(modalities, replace(action, names=tuple(named(name, sheet.units) for name in sheet.commands)), fps=fps)


def cut(parts: Sequence[Part], spec: Spec, longest: float | None) -> list[Part]:
    """Return the parts, the ones of more than ``longest`` seconds cut into pieces.

    Raises:
        ConfigError: if a piece would be shorter than two observations.
    """
    if longest is None:
        return list(parts)
    steps = int(longest * spec.fps + 1e-9)
    if steps < 2:
        raise ConfigError(f"longest is at least two observations, {2 / spec.fps:g} seconds; got {longest:g}.")
    samples = spec.samples("signal", steps)
    return [
        (number, place, first, min(first + samples, stop))
        for number, place, start, stop in parts
        for first in range(start, stop, samples)
    ]
