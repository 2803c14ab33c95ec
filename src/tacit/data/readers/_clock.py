"""Sampling clock of a signal, and the stretches without gaps."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from tacit.data.readers._files import option
from tacit.data.readers._sheets import Sheet
from tacit.data.validation import Defect
from tacit.types import Array

__all__ = ["GAP", "Clock", "pooled", "stretches"]

Clock = tuple[float, int]
"""Seconds, and the number of sample periods in them; both zero if the file has no rate."""
GAP = 1.5  # smallest step between samples, in periods, that means a missing sample
OFF = 0.5  # largest deviation of a sample from a uniform clock, in periods
ALIKE = 0.01  # largest relative difference of rates


def stretches(
    file: Path, sheet: Sheet, rate: float | None, split: bool, backwards: bool = False
) -> tuple[list[tuple[int, int]], Clock]:
    """Return first and end row of each unbroken stretch of a signal, and its clock.

    Args:
        file: The file, for messages.
        sheet: The content of the file.
        rate: The required rate, if it is known.
        split: Break the signal where a sample or a number is missing, instead of raising.
        backwards: Break it also where the time runs backwards.

    Raises:
        DataError: naming the column and row of a gap, or of a sample that is off the clock.
    """
    length = len(sheet.values)
    if not length:
        raise Defect(file, None, "rows", "expected samples; there are none.")
    good = _good(file, sheet, split)
    gap = np.zeros(length - 1, np.bool_)
    if sheet.seconds is not None:
        gap = _gaps(file, sheet, sheet.seconds, split, backwards)
    elif sheet.rate is None and rate is None:
        raise Defect(
            file,
            None,
            "time",
            f"expected a column of times; there are {', '.join(sheet.names)}. Name the column with time=..., or "
            "give the samples per second with rate=...",
        )
    begins = good & np.concatenate([[True], ~good[:-1] | gap])
    ends = good & np.concatenate([~good[1:] | gap, [True]])
    found = list(zip(np.flatnonzero(begins).tolist(), (np.flatnonzero(ends) + 1).tolist(), strict=True))
    clock = (1.0 / sheet.rate, 1) if sheet.rate else (0.0, 0)
    if sheet.seconds is not None:
        clock = _clock(file, sheet, sheet.seconds, found)
    if rate is not None and clock[1] and abs(clock[1] / clock[0] - rate) > ALIKE * rate:
        raise Defect(
            file, None, sheet.time or "rate", f"expected {rate:g} samples a second; got {clock[1] / clock[0]:g}."
        )
    return found, clock


def pooled(recordings: Sequence[tuple[Path, str]], clocks: Sequence[Clock]) -> float:
    """Return the common rate of all recordings, as a whole number where it fits.

    Args:
        recordings: The file of each, and the name of the recording in it.
        clocks: The clock of each.

    Raises:
        DataError: naming a recording that has another rate, or if none has a rate.
    """
    known = [
        (recording, seconds / periods)
        for recording, (seconds, periods) in zip(recordings, clocks, strict=True)
        if periods
    ]
    if not known:
        raise Defect(
            recordings[0][0], None, "time", "expected two consecutive samples, to find the rate. Give it: rate=..."
        )
    (first, called), usual = known[0]
    for (file, name), period in known:
        if abs(period - usual) > ALIKE * usual:
            raise Defect(
                file,
                None,
                "rate",
                f"expected {1 / usual:g} samples a second, like {called or first.name}; got {1 / period:g}"
                f"{f' in {name}' if name else ''}. Resample it, or open files of different rates as separate datasets.",
            )
    rate = sum(periods for _, periods in clocks) / sum(seconds for seconds, _ in clocks)
    return float(round(rate)) if abs(rate - round(rate)) < 1e-4 * rate else rate


def _good(file: Path, sheet: Sheet, split: bool) -> npt.NDArray[np.bool_]:
    """Return ``[N]`` a mask of the rows that have every number."""
    channels: list[tuple[str, Array]] = list(zip(sheet.names, sheet.values.T, strict=True))  # two may have one name
    channels += zip(sheet.commands, sheet.actions.T, strict=True)
    good = np.ones(len(sheet.values), np.bool_)
    for place, (name, values) in enumerate((*channels, *sheet.labels.items())):
        with np.errstate(over="ignore"):  # a number too large for float32 is infinite, and so is refused below
            finite = np.isfinite(values.astype(np.float32) if place < len(channels) else values)
        if not (split or finite.all()):
            raise Defect(
                file,
                None,
                name,
                f"{sheet.where(int(np.argmin(finite)))} has no finite number. Use the number before it, or split "
                f"the signal where numbers are missing: {option('gaps', 'previous')}, or gaps='split'.",
                code="T03",
            )
        good &= finite
    return good


def _gaps(
    file: Path, sheet: Sheet, seconds: npt.NDArray[np.float64], split: bool, backwards: bool
) -> npt.NDArray[np.bool_]:
    """Return ``[N - 1]`` a mask of the rows after which a sample is missing."""
    steps = np.diff(seconds)
    back = steps < 0
    wrong = ~(steps > 0) & ~(back & backwards)
    if not np.isfinite(seconds).all() or wrong.any():
        row = int(np.argmax(wrong)) + 1
        advice = "Sort the rows."
        if back.any():
            advice += (
                f" If a clock was set back, name its time zone, {option('time_zone', 'Europe/Berlin')}, or split the "
                "signal there: gaps='split'."
            )
        raise Defect(file, None, sheet.time, f"{sheet.where(row)} is not later than the row before. {advice}", "T03")
    gap = (steps > GAP * np.median(steps[~back])) | back if (~back).any() else back
    if gap.any() and not split:
        row = int(np.argmax(gap))
        raise Defect(
            file,
            None,
            sheet.time,
            f"expected a sample every {np.median(steps):g} s; {steps[row]:g} s pass after {sheet.where(row)}. Fill the "
            f"gap, or split the signal there: {option('gaps', 'interpolate')}, or gaps='split'. If it was not sampled "
            "evenly, resample it, for example with numpy.interp.",
            code="T03",
        )
    return gap


def _clock(file: Path, sheet: Sheet, seconds: npt.NDArray[np.float64], found: Sequence[tuple[int, int]]) -> Clock:
    """Return the total seconds and periods of all stretches, if they are uniform."""
    span = float(sum(seconds[stop - 1] - seconds[start] for start, stop in found))
    periods = sum(stop - start - 1 for start, stop in found)
    if not periods:
        return 0.0, 0
    each = span / periods
    for start, stop in found:
        off = np.abs(seconds[start:stop] - seconds[start] - each * np.arange(stop - start)) / each
        if off.max() > OFF:
            row = start + int(np.argmax(off > OFF))
            raise Defect(
                file,
                None,
                sheet.time,
                f"samples are not evenly spaced: {sheet.where(row)} is more than half a period of {each:g} s away from "
                "an even clock. Resample the signal first, for example with numpy.interp.",
            )
    return span, periods
