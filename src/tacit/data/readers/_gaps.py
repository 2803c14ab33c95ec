"""Missing samples and numbers, filled in over gaps of bounded length."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt

from tacit.data.readers._clock import GAP
from tacit.data.readers._files import option
from tacit.data.readers._sheets import Sheet, Wanted
from tacit.data.validation import Defect
from tacit.types import Array

__all__ = ["bridged"]

Floats = npt.NDArray[np.float64]


def bridged(
    file: Path,
    sheet: Sheet,
    wanted: Wanted,
    how: Literal["previous", "interpolate"],
    max_gap: float | None,
    rate: float | None,
) -> Sheet:
    """Return a sheet with its gaps of up to ``max_gap`` seconds filled in.

    A gap is measured from the sample before to the sample after. Channels are held or interpolated linearly, labels and
    actions always held. Samples before the first one, or for interpolation after the last one, stay missing.

    Args:
        file: The file, for messages.
        sheet: A sheet with times or a rate; any other is returned unchanged.
        wanted: The selection that was read; a number of ``fill`` replaces a missing sample as well.
        how: The source of the filled numbers.
        max_gap: The limit in seconds; None for no limit.
        rate: Samples a second, where the file has no rate.

    Raises:
        DataError: if there is no limit and more samples are missing than exist.
    """
    rate = sheet.rate or rate
    if sheet.seconds is not None and len(sheet.seconds) > 1:
        sheet = _inserted(file, sheet, wanted, max_gap)
    elif rate is None:
        return sheet
    times = np.arange(len(sheet.values)) / (rate or 1.0) if sheet.seconds is None else sheet.seconds
    bridge = _Bridge(times, np.inf if max_gap is None else max_gap)
    values = sheet.values.copy()
    for place, name in enumerate(sheet.names):
        values[:, place] = bridge.fill(name, values[:, place], held=how == "previous")
    actions = sheet.actions.copy()
    for place, name in enumerate(sheet.commands):
        actions[:, place] = bridge.fill(name, actions[:, place], held=True)
    labels: dict[str, Array] = {
        name: bridge.fill(name, label, held=True) if label.dtype.kind == "f" else label  # type: ignore[arg-type]
        for name, label in sheet.labels.items()
    }
    counts = {name: count for name, count in bridge.counts.items() if count}
    return replace(sheet, values=values, actions=actions, labels=labels, bridged=counts, longest=bridge.longest)


class _Bridge:
    """Filling of columns over gaps.

    Attributes:
        counts: The count of filled numbers of each column.
        longest: The longest gap that was filled, in seconds.
    """

    def __init__(self, times: Floats, limit: float) -> None:
        self._times, self._limit = times, limit * (1 + 1e-9)
        self.counts: Counter[str] = Counter()
        self.longest = 0.0

    def fill(self, name: str, values: Floats, *, held: bool) -> Floats:
        """Return a column with its gaps filled by the previous number or by linear interpolation."""
        with np.errstate(over="ignore"):
            good = np.isfinite(values.astype(np.float32))
        if good.all() or not good.any():
            return values
        count = len(values)
        before = np.maximum.accumulate(np.where(good, np.arange(count), -1))
        after = np.minimum.accumulate(np.where(good, np.arange(count), count)[::-1])[::-1]
        inner = (before >= 0) & ((after < count) | held)
        start = self._times[before.clip(min=0)]
        stop = self._times[after.clip(max=count - 1)]
        filled = ~good & inner & (stop - start <= self._limit)
        if not filled.any():
            return values
        self.counts[name] += int(filled.sum())
        self.longest = max(self.longest, float((stop - start)[filled].max()))
        if held:
            return np.where(filled, values[before.clip(min=0)], values)
        return np.where(filled, np.interp(self._times, self._times[good], values[good]), values)


def _inserted(file: Path, sheet: Sheet, wanted: Wanted, max_gap: float | None) -> Sheet:
    """Return a sheet with an empty row for each missing sample of the gaps that are filled."""
    assert sheet.seconds is not None
    steps = np.diff(sheet.seconds)
    if not (steps > 0).all():  # refused later, with the row
        return sheet
    period = float(np.median(steps))
    short = (steps > GAP * period) & (steps <= (np.inf if max_gap is None else max_gap * (1 + 1e-9)))
    missing = np.where(short, np.round(steps / period) - 1, 0)
    if not missing.any():
        return sheet
    if max_gap is None and missing.sum() > len(sheet.values):
        row = int(np.argmax(missing))
        raise Defect(
            file,
            None,
            sheet.time,
            f"{missing.sum():.0f} samples are missing and {len(sheet.values)} are there; the longest gap, of "
            f"{steps[row]:g} s, follows {sheet.where(row)}. Say up to how many seconds to fill, for example "
            f"{option('max_gap', float(f'{10 * period:.2g}'))}.",
        )
    repeats = np.append(missing, 0).astype(np.int64) + 1
    origin = np.repeat(np.arange(len(repeats)), repeats)
    after = np.arange(len(origin)) - np.repeat(np.cumsum(repeats) - repeats, repeats)  # rows since the recorded one
    new = after > 0
    seconds = sheet.seconds[origin] + after * np.append(steps, 0.0)[origin] / repeats[origin]
    values, actions = sheet.values[origin], sheet.actions[origin]
    for names, columns in ((sheet.names, values), (sheet.commands, actions)):
        columns[new] = [wanted.fill.get(name, np.nan) for name in names]
    labels = {name: label[origin] for name, label in sheet.labels.items()}
    counts = {name: sheet.filled.get(name, 0) + int(new.sum()) for name in wanted.fill if name not in labels}
    longest = float(steps[short].max())
    return replace(
        sheet,
        values=values,
        actions=actions,
        labels=labels,
        seconds=seconds,
        updated=None if sheet.updated is None else sheet.updated[origin],
        rows=origin if sheet.rows is None else sheet.rows[origin],
        filled={**sheet.filled, **counts},
        longest=longest,
    )
