"""Online probe: nearest-neighbour accuracy on the classes of images while the model trains."""

from __future__ import annotations

from typing import Any

import numpy as np

from tacit.data import Episodes
from tacit.data.groups import units
from tacit.errors import DataError
from tacit.probing.encoder import Encoder, windows
from tacit.probing.features import features
from tacit.probing.probes import KNN
from tacit.training import EvalHook
from tacit.types import REWARD, SUCCESS, Array

__all__ = ["online_probe"]

NEIGHBOURS, BANK, ASKED = 20, 2_000, 500
FEWEST = 20
"""Episodes, pieces of one recording counted once, below which there is no probe: four would be asked about."""
SHARE = 8
"""Rows of the bank for each neighbour, so that small banks do not vote with all that they know."""


def online_probe(model: Encoder, episodes: Episodes, every: int) -> EvalHook | None:
    """Return a hook with the nearest-neighbour accuracy on the classes of episodes. None where they have no classes.

    A class is a label of one whole number that takes several values; others are left out. The images are those that
    the model trains on, without their classes: this shows how a training goes, and is no result. There are 20
    neighbours, fewer where rows are few.

    Args:
        model: The one that trains, for the windows that it sees.
        episodes: With labels of whole numbers.
        every: Steps from one probe to the next; 0: never.
    """
    if not every or len(np.unique(units(episodes.groups))) < FEWEST or not episodes.labels:
        return None
    first = episodes[0]
    recorded = {name: np.asarray(value) for name, value in first.labels.items() if name not in (REWARD, SUCCESS)}
    classes = [name for name, value in recorded.items() if _one_whole_number(value)]
    if not classes:
        return None
    bank, asked = episodes.split(0.8, seed=0)
    try:
        for part in (bank, asked):
            windows(model, part)
    except DataError:  # no episode of the part is as long as a window
        return None

    def accuracy(model: Any) -> dict[str, float]:
        known, unknown = (
            features(model, part, frames=most, progress=False) for part, most in ((bank, BANK), (asked, ASKED))
        )
        varied = [name for name in classes if len(np.unique(known.target(name))) > 1]
        if not varied or len(unknown.shared(known)) == len(np.unique(unknown.episode)):
            return {}
        unknown, probe = unknown.without(known), KNN(k=(min(NEIGHBOURS, max(1, len(known) // SHARE)),))
        return {f"knn_{name}": probe(known, unknown, name).score for name in varied}

    return EvalHook(accuracy, every=every, name="probe")


def _one_whole_number(label: Array) -> bool:
    """Return True if a label ``[T, ...]`` is one whole number a step."""
    return label.dtype.kind in "iu" and label.size == len(label)
