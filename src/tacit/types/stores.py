"""Memory stores: their entries, the results of a search, and the protocol of their readers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt

__all__ = ["Entries", "Neighbors", "Store"]


@dataclass(frozen=True, eq=False)
class Entries:
    """Entries of a memory store: what was observed, what was done then, and what came of it.

    Attributes:
        latents: ``[N, D]`` the latents.
        blocks: ``[N, H, A']`` the raw action blocks that were executed from there on.
        outcomes: ``[N]`` the value of what followed, high is good; NaN where unknown.
        surprises: ``[N]`` the surprise during the blocks; NaN where unknown.
        times: ``[N]`` seconds since 1970.
        episodes: ``[N]`` the number of the episode in its source.
        steps: ``[N]`` the raw step of the latent in its episode.
        sources: ``[N]`` the index of the source in :attr:`Store.sources`; -1: none.
    """

    latents: npt.NDArray[np.float32]
    blocks: npt.NDArray[np.float32]
    outcomes: npt.NDArray[np.float32]
    surprises: npt.NDArray[np.float32]
    times: npt.NDArray[np.float64]
    episodes: npt.NDArray[np.int64]
    steps: npt.NDArray[np.int64]
    sources: npt.NDArray[np.int32]

    def __len__(self) -> int:
        """Return the number of entries ``N``."""
        return len(self.latents)


@dataclass(frozen=True, eq=False)
class Neighbors:
    """The nearest entries of each query, the nearest first; of equal ones the older first.

    Attributes:
        numbers: ``[Q, K]`` the numbers of the entries.
        distances: ``[Q, K]`` squared Euclidean distances.
    """

    numbers: npt.NDArray[np.int64]
    distances: npt.NDArray[np.float64]


@runtime_checkable
class Store(Protocol):
    """A memory of entries that can be read; each entry keeps its number as long as it is stored.

    Every method reads the entries of one snapshot. A store that grows names its newest one.
    """

    @property
    def model(self) -> str:
        """Return the digest of the model whose latents these are."""

    @property
    def latent_size(self) -> int:
        """Return ``D``, the size of a latent."""

    @property
    def block_shape(self) -> tuple[int, int]:
        """Return ``(H, A')``, the number of blocks of an entry and the raw actions of one."""

    @property
    def sources(self) -> tuple[str, ...]:
        """Return the names of the sources of episodes, such as the path of a data set."""

    @property
    def snapshot(self) -> str:
        """Return the id of the snapshot, which names its entries for ever."""

    def __len__(self) -> int:
        """Return the number of entries."""

    def at(self, snapshot: str, /) -> Store:
        """Return the store with exactly the entries of a snapshot.

        Raises:
            ConfigError: if it is the id of another store or no id.
            DataError: if an entry of it was forgotten.
        """

    def numbers(self) -> npt.NDArray[np.int64]:
        """Return the numbers ``[N]`` of all entries, ascending."""

    def entries(self, numbers: npt.NDArray[np.int64] | None = None, /) -> Entries:
        """Return entries by their numbers ``[N]``; None: all of them.

        Raises:
            DataError: if there is no such entry, or one is damaged.
        """

    def nearest(
        self, latents: npt.NDArray[np.float32], count: int, *, part: slice | None = None, exact: bool = False
    ) -> Neighbors:
        """Return the ``count`` nearest entries of latents ``[Q, D]``, or all entries if there are fewer.

        Args:
            latents: ``[Q, D]``; of a part, the components of the part.
            count: The number of entries ``K`` for each query.
            part: The components of a latent that count; None: all. The search is exact with a part.
            exact: Do not use an approximate index.

        Raises:
            SpecError: if the queries are of another size or not finite, or ``count`` is below 1.
        """
