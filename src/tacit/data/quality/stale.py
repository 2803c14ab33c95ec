"""Columns of a log that were not updated in time."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from tacit.data.quality._check import Note, QualityCheck, component, runs
from tacit.types import Episode, Spec

__all__ = ["Stale"]


class Stale(QualityCheck):
    """Check for stale columns, as the reader of logs marks them in the modality ``stale`` and in labels."""

    def check(self, episode: Episode, spec: Spec) -> Iterator[Note]:
        """Yield a note for each stale column."""
        marks = {}
        if "stale" in episode.observation:
            for index, column in enumerate(episode.observation["stale"].T):
                marks["stale", component(spec, "stale", index)] = column > 0
        for name, values in episode.labels.items():
            if name.startswith("stale.") and values.ndim == 1:
                marks[f"label.{name}", name.removeprefix("stale.")] = values.astype(np.bool_)
        for (field, column), mask in marks.items():
            if mask.any():
                start, stop = max(runs(np.asarray(mask, np.bool_)), key=lambda run: run[1] - run[0])
                yield Note(
                    field,
                    f"{column} is stale in {mask.mean():.0%} of {len(mask)} samples, {stop - start} in a row at most.",
                    "Correct its period, or leave these steps out.",
                    (start, stop - 1),
                )
