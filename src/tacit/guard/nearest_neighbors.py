"""Distance to the nearest recorded latents."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tacit._arrays import Numbers
from tacit.errors import ConfigError
from tacit.guard._measure import part_slices
from tacit.guard._score import CalibratedScore
from tacit.types import Sensed, Store

__all__ = ["NearestNeighbors"]

Floats = npt.NDArray[np.float32]

CHUNK = 2**24
"""The largest number of distances that are in memory at a time."""
SMALLEST = 1e-9
"""The smallest variance of an offset in any direction, as a share of the mean variance."""


@dataclass(frozen=True, eq=False)
class NearestNeighbors(CalibratedScore):
    """The distance of a latent to the mean of its nearest recorded latents, per latent part.

    The distance is that of Mahalanobis, in the covariance of such offsets among the recorded latents. Latents lie near
    a curved surface of few dimensions: along it the recorded ones are far apart, and across it a small offset is
    unusual. The search of an array is exact, that of a memory as :meth:`tacit.types.Store.nearest` says.

    Args:
        recorded: ``[n, D]`` latents of training episodes; or a memory, of which the entries of now count.
        whitening: ``[D, D]`` maps offsets to the identity covariance.
        neighbors: The number of nearest latents.

    Raises:
        ConfigError: unless the arrays are finite and fit, and there are as many latents as neighbors.
    """

    recorded: Numbers | Store
    whitening: Numbers
    neighbors: int = 3

    def __post_init__(self) -> None:
        object.__setattr__(self, "whitening", _constant(self.whitening))
        if isinstance(self.recorded, Store):
            object.__setattr__(self, "recorded", self.recorded.at(self.recorded.snapshot))
            shape, finite = (len(self.recorded), self.recorded.latent_size), True
        else:
            object.__setattr__(self, "recorded", _constant(self.recorded))
            shape, finite = self.recorded.shape, bool(np.isfinite(self.recorded).all())
        fits = len(shape) == 2 and self.whitening.shape == (shape[1],) * 2 and 1 <= self.neighbors <= shape[0]
        if not (fits and finite and np.isfinite(self.whitening).all()):
            raise ConfigError(
                "NearestNeighbors needs finite arrays [n, D] and [D, D] and 1 <= neighbors <= n; got shapes "
                f"{list(shape)} and {list(self.whitening.shape)} and neighbors={self.neighbors}."
            )

    @classmethod
    def fit(
        cls, latents: Floats | Store, parts: Mapping[str, slice], neighbors: int = 3, most: int = 10_000, seed: int = 0
    ) -> NearestNeighbors:
        """Return the score with at most ``most`` of the latents of training episodes, drawn at random.

        Args:
            latents: ``[n, D]`` finite latents, episode by episode; or a memory, of which the score keeps all.
            parts: The latent parts of the model.
            neighbors: The number of nearest latents.
            most: The largest number of latents to keep.
            seed: The seed of the draw.

        Raises:
            ConfigError: if there are fewer than two times as many latents as neighbors.
        """
        stored, latents = (latents, latents.entries().latents) if isinstance(latents, Store) else (None, latents)
        half = len(latents) // 2
        if half < neighbors:
            raise ConfigError(f"{neighbors} neighbors need {2 * neighbors} latents or more; got {len(latents)}.")
        draw = np.random.default_rng(seed)
        # Offsets between the halves: the neighbors of a latent in its own episode are closer than those of a new one.
        known, queries = _some(latents[:half], most, draw), _some(latents[half:], most, draw)
        whitening = np.zeros((latents.shape[1],) * 2)
        for part in part_slices(parts):
            whitening[part, part] = _whitening(_offsets(queries[:, part], known[:, part], neighbors))
        return cls(_some(latents, most, draw) if stored is None else stored, whitening, neighbors)

    @property
    def name(self) -> str:
        """Return the name of the score."""
        return "distance to recorded latents"

    def __call__(self, sensed: Sensed, /) -> npt.NDArray[np.float64]:
        """Return scores; see :class:`tacit.types.GuardScore`."""
        if sensed.latents.shape[1] != len(self.whitening):
            raise ConfigError(
                f"{self.name} was fitted to latents of size {len(self.whitening)}; got {sensed.latents.shape[1]}."
            )
        distances = np.full((sensed.batch, max(len(sensed.parts), 1)), np.nan)
        for index, part in enumerate(part_slices(sensed.parts)):
            rows = np.flatnonzero(np.isfinite(sensed.latents[:, part]).all(axis=1))
            queries = sensed.latents[rows, part]
            if isinstance(self.recorded, Store):
                offsets = _stored_offsets(queries, self.recorded, part if sensed.parts else None, self.neighbors)
            else:
                offsets = _offsets(queries, self.recorded[:, part], self.neighbors)
            distances[rows, index] = np.linalg.norm(offsets @ self.whitening[part, part].astype(np.float64), axis=1)
        return distances if sensed.parts else distances[:, 0]


def _constant(values: Numbers) -> Floats:
    """Return a copy of an array that cannot be written."""
    array = np.array(values, np.float32)
    array.flags.writeable = False
    return array


def _offsets(queries: Floats, known: Floats, neighbors: int) -> npt.NDArray[np.float64]:
    """Return queries ``[n, D]`` less the mean of the nearest of ``known [m, D]``."""
    found, size, squares = [], max(CHUNK // len(known), 1), (known * known).sum(axis=1)
    for some in np.split(queries, range(size, len(queries), size)):
        # The square of a query is the same for all candidates, and does not change their order.
        ranked = squares - 2 * (some @ known.T)
        nearest = np.argpartition(ranked, neighbors - 1, axis=1)[:, :neighbors]
        found.append(some - known[nearest].mean(axis=1, dtype=np.float64))
    return np.concatenate(found)


def _stored_offsets(queries: Floats, store: Store, part: slice | None, neighbors: int) -> npt.NDArray[np.float64]:
    """Return queries ``[n, d]`` less the mean of the nearest entries of a memory, in the components of a part."""
    if not len(queries):
        return queries.astype(np.float64)
    numbers = store.nearest(queries, neighbors, part=part).numbers
    near = store.entries(numbers.reshape(-1)).latents.reshape(len(queries), neighbors, -1)
    means = near[..., slice(None) if part is None else part].mean(axis=1, dtype=np.float64)
    return np.asarray(queries - means)


def _whitening(offsets: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Return the matrix ``[D, D]`` that maps offsets ``[n, D]`` to the identity covariance.

    The covariance is shrunk towards its diagonal, the more the fewer offsets there are.
    """
    count, size = offsets.shape
    covariance = offsets.T @ offsets / count
    share = min(1.0, size / count)
    covariance = (1 - share) * covariance + share * np.diag(np.diag(covariance))
    covariance += max(SMALLEST * float(np.trace(covariance)) / size, np.finfo(np.float32).tiny) * np.eye(size)
    return np.asarray(np.linalg.cholesky(np.linalg.inv(covariance)))


def _some(latents: Floats, most: int, draw: np.random.Generator) -> Floats:
    """Return at most so many of the latents, drawn at random."""
    return latents[np.sort(draw.permutation(len(latents))[:most])] if len(latents) > most else latents
