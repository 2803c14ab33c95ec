"""Warnings of a reader of signals: filled values, guesses, and rows that are in no episode."""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from tacit.data.readers._files import NAMED, FileSet
from tacit.data.readers._sheets import Sheet
from tacit.data.readers._signal_storage import Part

__all__ = ["Seen", "warn_of_the_rest"]


class Seen:
    """Counter of filled and guessed values in the files."""

    def __init__(self, found: FileSet, gaps: str) -> None:
        self._path, self._gaps = found.path, gaps
        self.rows = 0
        self._filled: Counter[str] = Counter()
        self._bridged: Counter[str] = Counter()
        self._notes: dict[str, int] = {}
        self._longest = 0.0
        self._back: list[str] = []

    def see(self, file: Path, sheet: Sheet) -> None:
        """Count the values of a sheet."""
        self.rows += len(sheet.values)
        self._filled.update(sheet.filled)
        self._bridged.update(sheet.bridged)
        self._longest = max(self._longest, sheet.longest)
        if sheet.seconds is not None:
            back = np.flatnonzero(np.diff(sheet.seconds) < 0) + 1
            self._back += [f"{file.name}, {sheet.where(int(row))}" for row in back]
        for note in sheet.notes:
            self._notes[note] = self._notes.get(note, 0) + 1

    def warn(self) -> None:
        """Warn once of each kind of count."""
        summary = []
        for counts, how in (
            (self._bridged, f"gaps={self._gaps!r}, the longest gap {self._longest:g} s"),
            (self._filled, "fill"),
        ):
            columns = ", ".join(f"{name} {count}" for name, count in counts.items() if count)
            summary += [f"{columns} ({how})"] if columns else []
        if summary:
            warnings.warn(f"filled in missing numbers in {self._path}: {'; '.join(summary)}.", stacklevel=5)
        if self._back:
            more = ", ..." if len(self._back) > NAMED else ""
            warnings.warn(
                f"the time runs backwards {len(self._back)} times in {self._path}, and the signal is split there: "
                f"{'; '.join(self._back[:NAMED])}{more}.",
                stacklevel=5,
            )
        for note, count in self._notes.items():
            warnings.warn(f"{count} of the files in {self._path}: text {note}.", stacklevel=5)


def warn_of_the_rest(found: FileSet, rows: int, parts: Sequence[Part], kept: Sequence[Part], fps: float) -> None:
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
