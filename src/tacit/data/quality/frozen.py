"""Frames or numbers that stay the same while the rest of the recording goes on."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from tacit.data.quality._check import Note, QualityCheck, component, moving, numbers, runs, still
from tacit.types import Episode, Spec

__all__ = ["Frozen"]


class Frozen(QualityCheck):
    """Check for a camera or sensor that hangs: long runs of equal values while something else changes.

    Numbers at the least or greatest value of the episode are not counted, since positions rest at limits.

    Args:
        steps: The shortest run of equal frames.
        samples: The shortest run of equal numbers of a component that otherwise changes nearly always.
    """

    def __init__(self, steps: int = 8, samples: int = 30) -> None:
        self._steps, self._samples = steps, samples

    def check(self, episode: Episode, spec: Spec) -> Iterator[Note]:
        """Yield a note for each run."""
        for camera in spec.cameras:
            if camera in episode.observation and len(episode) > self._steps:
                yield from self._frames(episode, spec, camera)
        for name, values in numbers(episode, spec):
            yield from self._numbers(spec, name, values)

    def _frames(self, episode: Episode, spec: Spec, camera: str) -> Iterator[Note]:
        same, other = still(episode, spec, camera), moving(episode, spec, camera)
        least = self._steps if other is not None else 3 * self._steps
        if other is None:  # only the actions say that something should move
            other = np.asarray(np.diff(episode.action, axis=0, prepend=0).any(axis=1), np.bool_)
        for start, stop in runs(same):
            if stop - start >= least and other[start:stop].mean() >= 0.5:
                yield Note(
                    camera,
                    f"{stop - start + 1} equal frames while the rest of the recording changes.",
                    "The camera may have hung: leave these steps out, or split the episode there.",
                    (start, stop),
                )

    def _numbers(
        self, spec: Spec, name: str, values: np.ndarray[tuple[int, int], np.dtype[np.float64]]
    ) -> Iterator[Note]:
        for index, column in enumerate(values.T):
            if len(column) < 2 * self._samples:
                continue
            same = np.diff(column) == 0
            inner = (column[:-1] > column.min()) & (column[:-1] < column.max())
            long = [run for run in runs(same & inner) if run[1] - run[0] >= self._samples]
            rest = np.ones(len(same), np.bool_)
            for start, stop in long:
                rest[start:stop] = False
            if not rest.any() or same[rest].mean() > 0.1:  # it is held as a rule
                continue
            for start, stop in long:
                yield Note(
                    name,
                    f"{component(spec, name, index)} has one value for {stop - start + 1} samples and changes nearly "
                    "always elsewhere.",
                    "The sensor may have hung: leave these steps out, or split the episode there.",
                    (start, stop),
                )
