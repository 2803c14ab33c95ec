"""Every score of the registry keeps the promises of the protocol, and the suite notices those that do not."""

from dataclasses import dataclass

import numpy as np
import pytest

from tacit import guard
from tacit.guard import Age, Ensemble, LatentNorm, NearestNeighbors, PredictionEnergy
from tacit.testing.guard import check_guard_score

RNG = np.random.default_rng(0)
PARTS = {"pixels": slice(0, 4), "pose": slice(4, 6)}
RECORDED = RNG.normal(size=(50, 6)).astype(np.float32)


def ensemble():
    shapes = [(10,), (10,), (3, 10, 8), (3, 8), (3, 8, 6), (3, 6)]
    return Ensemble(*(RNG.uniform(0.5, 1, shape) for shape in shapes))


BUILT = {
    "age": lambda parts: [Age(0.1, 0.2)],
    "ensemble": lambda parts: [ensemble()],
    "latent_norm": lambda parts: [LatentNorm.fit(RECORDED, parts)],
    "nearest_neighbors": lambda parts: [
        NearestNeighbors.fit(RECORDED, parts),
        NearestNeighbors.fit(RECORDED, parts, 1),
    ],
    "prediction_energy": lambda parts: [PredictionEnergy(), PredictionEnergy(4)],
}


@pytest.mark.parametrize("parts", [{}, PARTS])
@pytest.mark.parametrize("name", guard.names())
def test_scores_conform(name, parts):
    for score in BUILT[name](parts):
        check_guard_score(score, parts=parts)


@dataclass(frozen=True)
class Broken:
    call: object
    name: str = "broken"
    steps: int = 1
    limits: None = None

    def __call__(self, sensed):
        return self.call(sensed)


def energy(sensed):
    return PredictionEnergy()(sensed)


def writes(sensed):
    sensed.latents[:] = 0.0
    return energy(sensed)


def infinite(sensed):
    return np.nan_to_num(energy(sensed), nan=np.inf)


@pytest.mark.parametrize(
    ("call", "promise"),
    [
        (lambda sensed: energy(sensed)[:, None], r"\[B, M\]"),
        (lambda sensed: energy(sensed) / np.nanmax(energy(sensed)), "depend on the others"),
        (writes, "must not write"),
        (infinite, "must be NaN"),
        (lambda sensed: energy(sensed) * np.nan, "must be finite"),
    ],
)
def test_a_broken_score_is_noticed(call, promise):
    with pytest.raises(AssertionError, match=promise):
        check_guard_score(Broken(call))
