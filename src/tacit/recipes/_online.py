"""An online probe: what the neighbours of a picture's latent tell of its class, while the model trains."""

from __future__ import annotations

from typing import Any

import numpy as np

from tacit.data import Episodes
from tacit.evaluation import features
from tacit.evaluation.probes import KNN
from tacit.training import Watch

__all__ = ["online_probe"]

NEIGHBOURS, BANK, ASKED = 20, 2_000, 500


def online_probe(episodes: Episodes, every: int) -> Watch | None:
    """Watches how well 20 nearest neighbours tell the classes of episodes apart; None where they have no classes.

    The pictures are those that the model trains on, without their classes: this shows how a training goes, and is no
    result.

    Args:
        episodes: With labels of whole numbers.
        every: Steps from one look to the next; 0: never.
    """
    first = episodes[0].labels
    classes = [name for name, value in first.items() if np.asarray(value).dtype.kind in "iu"]
    if not (every and classes and len(episodes) >= 10 * NEIGHBOURS):
        return None
    bank, asked = episodes.split(0.8, seed=0)

    def look(model: Any) -> dict[str, float]:
        known, unknown = features(model, bank, frames=BANK), features(model, asked, frames=ASKED)
        probe = KNN(k=(NEIGHBOURS,))
        return {f"knn_{name}": probe(known, unknown.without(known), name).score for name in classes}

    return Watch(look, every=every)
