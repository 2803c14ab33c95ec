"""Black or empty frames."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from tacit.data.quality._check import Note, QualityCheck, runs
from tacit.types import Episode, Spec

__all__ = ["Blank"]


class Blank(QualityCheck):
    """Check for frames of one colour: a covered lens, a lost signal, a dark start.

    Args:
        spread: The largest difference in grey levels within a frame that is empty.
        dark: The largest mean grey level of a frame that is black.
    """

    def __init__(self, spread: int = 8, dark: int = 16) -> None:
        self._spread, self._dark = spread, dark

    def check(self, episode: Episode, spec: Spec) -> Iterator[Note]:
        """Yield a note for each run of such frames."""
        for camera in spec.cameras:
            if camera not in episode.observation:
                continue
            frames = episode.observation[camera]
            flat = [(f.reshape(len(f), -1).max(axis=1).astype(int) - f.reshape(len(f), -1).min(axis=1)) for f in frames]
            empty = np.array([bool((one <= self._spread).all()) for one in flat], np.bool_)
            for start, stop in runs(empty):
                black = float(frames[start:stop].mean()) <= self._dark
                yield Note(
                    camera,
                    f"{stop - start} {'black' if black else 'empty'} frames.",
                    "Leave these steps out, or split the episode there.",
                    (start, stop - 1),
                )
