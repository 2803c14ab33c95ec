"""Distance to the nearest recorded latents."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tacit._arrays import Numbers
from tacit.errors import ConfigError
from tacit.guard._measure import part_slices
from tacit.types import Sensed

__all__ = ["NearestNeighbors"]

CHUNK = 2**24
"""The largest number of distances that are in memory at a time."""


@dataclass(frozen=True, eq=False)
class NearestNeighbors:
    """The mean distance of a latent to its nearest recorded latents, per latent part.

    The search is exact.

    Args:
        recorded: ``[n, D]`` latents of training episodes.
        neighbors: The number of nearest latents.

    Raises:
        ConfigError: unless the latents are finite and there are as many as neighbors.
    """

    recorded: Numbers
    neighbors: int = 5

    def __post_init__(self) -> None:
        recorded = np.array(self.recorded, np.float32)
        if recorded.ndim != 2 or not 1 <= self.neighbors <= len(recorded) or not np.isfinite(recorded).all():
            raise ConfigError(
                "NearestNeighbors needs finite latents [n, D] and 1 <= neighbors <= n; got shape "
                f"{list(recorded.shape)} and neighbors={self.neighbors}."
            )
        recorded.flags.writeable = False
        object.__setattr__(self, "recorded", recorded)

    @classmethod
    def fit(
        cls, latents: npt.NDArray[np.float32], neighbors: int = 5, most: int = 10_000, seed: int = 0
    ) -> NearestNeighbors:
        """Return the score with at most ``most`` of the latents ``[n, D]`` of training episodes, drawn at random."""
        if len(latents) > most:
            latents = latents[np.random.default_rng(seed).permutation(len(latents))[:most]]
        return cls(latents, neighbors)

    @property
    def name(self) -> str:
        """Return the name of the score."""
        return "distance to recorded latents"

    @property
    def steps(self) -> int:
        """Return 0: the score reads no forecast."""
        return 0

    @property
    def limits(self) -> None:
        """Return None: the thresholds are calibrated."""

    def __call__(self, sensed: Sensed, /) -> npt.NDArray[np.float64]:
        """Return scores; see :class:`tacit.types.GuardScore`."""
        if sensed.latents.shape[1] != self.recorded.shape[1]:
            raise ConfigError(
                f"{self.name} was fitted to latents of size {self.recorded.shape[1]}; got {sensed.latents.shape[1]}."
            )
        distances = np.full((sensed.batch, max(len(sensed.parts), 1)), np.nan)
        for index, part in enumerate(part_slices(sensed.parts)):
            queries, known = sensed.latents[:, part], self.recorded[:, part]
            rows = np.flatnonzero(np.isfinite(queries).all(axis=1))
            size = max(CHUNK // len(known), 1)
            for some in np.split(rows, range(size, len(rows), size)):
                distances[some, index] = _mean_distance(queries[some], known, self.neighbors)
        return distances if sensed.parts else distances[:, 0]


def _mean_distance(
    queries: npt.NDArray[np.float32], known: npt.NDArray[np.float32], neighbors: int
) -> npt.NDArray[np.float64]:
    """Return the mean distance of queries ``[n, D]`` to their nearest of ``known [m, D]``."""
    # The square of the query is the same for all candidates, and does not change their order.
    ranked = (known * known).sum(axis=1) - 2 * (queries @ known.T)
    nearest = np.argpartition(ranked, neighbors - 1, axis=1)[:, :neighbors]
    # A difference of squares loses the digits of short distances, so these are computed again.
    gaps = known[nearest].astype(np.float64) - queries[:, None]
    return np.asarray(np.linalg.norm(gaps, axis=2).mean(axis=1))
