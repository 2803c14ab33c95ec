"""Repeated times of several rows, due to rounding or to writing in packets."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from tacit.data.readers._files import option
from tacit.data.readers._sheets import Sheet
from tacit.data.validation import Defect

__all__ = ["spread"]

GAP = 1.5  # steps of the rounded clock from one time to the next that mean a missing one
COARSE = 0.95  # part of a step of the rounded clock that a period may take, for repeated times to be no repeated rows
ALIKE = 0.01  # largest relative error of the found rate
FEWEST = 4  # distinct times that are needed to find a rate

Floats = npt.NDArray[np.float64]


def spread(file: Path, sheet: Sheet, rate: float | None) -> Sheet:
    """Return a sheet with rows of equal times spread evenly; unchanged without repeated times.

    Args:
        file: The file, for messages.
        sheet: A sheet with times.
        rate: Samples a second, where it is known; else the one that fits all times.

    Raises:
        DataError: naming the row, if no even clock fits or several do.
    """
    times = sheet.seconds
    if times is None or len(times) < 2 or not np.isfinite(times).all():
        return sheet
    steps = np.diff(times)
    if (steps < 0).any() or (steps > 0).all():
        return sheet
    row = int(np.argmin(steps > 0)) + 1
    unlike = _Unlike(file, sheet, row)
    positive = steps[steps > 0]
    if rate is None and len(positive) < FEWEST - 1:
        raise unlike("too few times differ to find the rate.")
    if not len(positive):
        raise Defect(
            file,
            None,
            sheet.time,
            f"every row has the same time. Read the file without it: {option('time', '')}, with rate=...",
        )
    clock = _Clock(times, float(np.median(positive)))
    period = 1.0 / rate if rate is not None else _found(clock, unlike)
    if rate is not None and not clock.fits(period, slack=period):
        raise unlike(f"{rate:g} samples a second do not fit.")
    even = clock.even(period)
    if (np.diff(even) <= 0).any():
        raise unlike("no even clock fits.")
    return replace(sheet, seconds=even)


def _found(clock: _Clock, unlike: _Unlike) -> float:
    """Return the period of the times: with rounding only, else also half a period off."""
    for slack in (0.0, 1.0):
        period = next((period for period in clock.periods() if clock.fits(period, slack * period)), None)
        if period is not None and period > COARSE * clock.step:
            raise unlike(f"they may also be {1 / clock.step:g} samples a second with repeated rows.")
        if period is not None:
            others = (period * factor for factor in (1 + ALIKE, 1 - ALIKE))
            if any(clock.fits(other, slack * other) for other in others):
                raise unlike(f"about {1 / period:g} samples a second fit, but others do too.")
            return period
    raise unlike("no even clock fits.")


class _Unlike:
    """Factory of the error of a repeated time."""

    def __init__(self, file: Path, sheet: Sheet, row: int) -> None:
        self._file, self._sheet, self._row = file, sheet, row

    def __call__(self, why: str) -> Defect:
        return Defect(
            self._file,
            None,
            self._sheet.time,
            f"{self._sheet.where(self._row)} has the same time as the row before. If the times are rounded, say how "
            f"many samples a second there are, rate=...: {why} If rows are repeated, remove them.",
        )


class _Clock:
    """Rounded times, in runs without a gap.

    Args:
        times: ``[N]``, ascending or equal.
        step: The step of the rounded clock.
    """

    def __init__(self, times: Floats, step: float) -> None:
        self._times, self.step = times, step
        self._starts = np.concatenate([[0], np.flatnonzero(np.diff(times) > GAP * step) + 1])
        sizes = np.diff(np.append(self._starts, len(times)))
        self._first = np.repeat(self._starts, sizes)
        self._index = np.arange(len(times)) - self._first

    def periods(self) -> Iterator[float]:
        """Yield candidate periods of the times, with rates of few digits first."""
        index, times = (
            values - (np.add.reduceat(values, self._starts) / np.add.reduceat(np.ones_like(values), self._starts))[run]
            for run in [np.searchsorted(self._starts, self._first)]
            for values in (self._index.astype(np.float64), self._times - self._times[self._first])
        )
        slope = float((index * times).sum() / max((index * index).sum(), 1e-300))
        if slope <= 0:
            return
        yield from (1.0 / float(f"{1 / slope:.{digits}g}") for digits in range(1, 7))
        yield slope

    def fits(self, period: float, slack: float) -> bool:
        """Return whether all times are rounded from a uniform clock of this period, within ``slack``."""
        off = self._times - self._times[self._first] - period * self._index
        spread = np.maximum.reduceat(off, self._starts) - np.minimum.reduceat(off, self._starts)
        return bool((spread <= (self.step + slack) * (1 + 1e-6)).all())

    def even(self, period: float) -> Floats:
        """Return uniform times that begin with the first one of each run."""
        return np.asarray(self._times[self._first] + period * self._index, np.float64)
