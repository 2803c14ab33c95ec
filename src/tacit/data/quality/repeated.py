"""Episodes that are in the dataset twice."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

import numpy as np

from tacit.data.quality._check import Note, QualityCheck
from tacit.types import Episode, Spec

__all__ = ["Repeated"]


class Repeated(QualityCheck):
    """Check for episodes with equal observations and actions; keeps a hash of each."""

    def __init__(self) -> None:
        self._known: dict[bytes, int] = {}

    def check(self, episode: Episode, spec: Spec) -> Iterator[Note]:
        """Yield a note for an episode that an earlier one equals."""
        total = hashlib.sha256()
        for name in sorted(spec.modalities):
            if name in episode.observation:
                total.update(np.ascontiguousarray(episode.observation[name]).data)
        total.update(np.ascontiguousarray(episode.action).data)
        first = self._known.setdefault(total.digest(), episode.index)
        if first != episode.index:
            yield Note(
                "episode",
                f"it equals episode {first}.",
                "Leave the copy out: a split may hold out one of the two, and its score is then too good.",
                (0, len(episode) - 1),
            )
