"""Graph of recorded states: where an agent has been, and which places follow each other."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from tacit.errors import ConfigError
from tacit.memory._cover import Cover, covered
from tacit.memory._distance import Distance
from tacit.memory._edges import Edges, recorded_edges
from tacit.types import Context, WorldModel

__all__ = ["Graph", "Recorded"]

Ints = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Recorded:
    """Recorded states in their order, and the actions between them.

    Attributes:
        latents: ``[n, D]`` the latents of the frames, episode after episode.
        episode: ``[n]`` the number of the episode of each frame, ascending.
        stride: Frames from one block boundary to the next.
        blocks: ``[n, A']`` the raw action block that was executed from each frame on; NaN at the last frames of an
            episode. None: unknown, and a model cannot confirm edges.

    Raises:
        ConfigError: if the arrays do not fit together, or a latent is not finite.
    """

    latents: Tensor
    episode: Ints
    stride: int = 1
    blocks: Tensor | None = None

    def __post_init__(self) -> None:
        count = len(self.latents)
        rows = [count, len(self.episode), count if self.blocks is None else len(self.blocks)]
        if self.latents.ndim != 2 or len(set(rows)) > 1 or self.stride < 1 or (np.diff(self.episode) < 0).any():
            raise ConfigError(
                "recorded states need latents [n, D], ascending episodes [n], blocks [n, A'] and a stride of at least "
                f"1; got {list(self.latents.shape)}, {list(np.shape(self.episode))}, "
                f"{None if self.blocks is None else list(self.blocks.shape)} and {self.stride}."
            )
        if not bool(self.latents.isfinite().all()):
            raise ConfigError("the latents of recorded states hold numbers that are not finite.")


@dataclass(frozen=True, eq=False)
class Graph:
    """A graph of recorded states whose edges are recorded transitions.

    Nodes are states such that every recorded one is within ``radius`` of a node, by a learned distance. An edge leads
    from one node to another where a recorded episode went from the surroundings of the first to those of the other
    within ``hops`` blocks, and they are at most ``longest`` apart.

    Attributes:
        radius: The distance within which states share a node.
        longest: The longest distance along an edge.
        hops: The most blocks of a transition.
        model: The digest of the model of the latents; empty: unknown.
        latents: ``[N, D]`` the latents of the nodes.
        edges: ``[M, 2]`` the nodes that an edge leads from and to, sorted by the second.
        lengths: ``[M]`` the distances along the edges.
        support: ``[M]`` the number of recorded transitions along each.
        visits: ``[V, 2]`` pairs of a node and an episode that came by it.
        episodes: The number of recorded episodes.
        refused: The number of transitions between nodes that a model did not confirm.

    Raises:
        ConfigError: if the settings are out of range, or the arrays do not fit together.
    """

    radius: float
    longest: float
    hops: int
    model: str = ""
    latents: Tensor = field(default_factory=lambda: torch.zeros(0, 0), repr=False)
    edges: Ints = field(default_factory=lambda: np.zeros((0, 2), np.int64), repr=False)
    lengths: npt.NDArray[np.float64] = field(default_factory=lambda: np.zeros(0), repr=False)
    support: Ints = field(default_factory=lambda: np.zeros(0, np.int64), repr=False)
    visits: Ints = field(default_factory=lambda: np.zeros((0, 2), np.int64), repr=False)
    episodes: int = 0
    refused: int = 0

    def __post_init__(self) -> None:
        if not 0 < self.radius <= self.longest < np.inf or self.hops < 1:
            raise ConfigError(
                "a graph needs 0 < radius <= longest, and hops of at least 1; got "
                f"{self.radius}, {self.longest} and {self.hops}."
            )
        count, lengths = len(self.latents), (len(self.edges), len(self.lengths), len(self.support))
        inside = all(((part >= 0) & (part < count)).all() for part in (self.edges, self.visits[:, 0]))
        valid = inside and len(set(lengths)) == 1 and bool((self.lengths >= 0).all())
        if not valid or (np.diff(self.edges[:, 1]) < 0).any():
            raise ConfigError(f"the edges of a graph do not fit its {count} nodes. The file is damaged.")

    def __len__(self) -> int:
        """Return the number of nodes."""
        return len(self.latents)

    def __str__(self) -> str:
        refused = f", {self.refused} transitions refused by the model" if self.refused else ""
        return f"graph of {len(self)} states and {len(self.edges)} edges from {self.episodes} episodes{refused}"

    def extended(self, distance: Distance, recorded: Recorded, model: WorldModel | None = None) -> Graph:
        """Return the graph with further recorded states.

        States beyond ``radius`` of all nodes become nodes. Nodes keep their numbers and their latents.

        Args:
            distance: The learned distance, the same for all states.
            recorded: Further episodes.
            model: A world model that confirms new edges: the recorded actions, imagined from the first node, must lead
                within two radii of the second one, and closer to it. None: edges are not confirmed.

        Raises:
            ConfigError: if the latents are of another size, or a model has no actions to imagine.
        """
        if not len(recorded.latents):
            return self
        if len(self) and recorded.latents.shape[1] != self.latents.shape[1]:
            raise ConfigError(
                f"the graph holds latents of size {self.latents.shape[1]}; got {list(recorded.latents.shape)}. They "
                "belong to another model."
            )
        if model is not None and recorded.blocks is None:
            raise ConfigError("a model confirms edges from recorded actions; these states have none.")
        with torch.no_grad():
            cover = covered(distance, self.latents, recorded.latents, self.radius)
            found = recorded_edges(cover.node, recorded.episode, recorded.stride, self.hops)
            lengths = _lengths(distance, cover, found.edges)
            found, lengths = found.only(near := lengths <= self.longest), lengths[near]
            if model is not None:
                confirmed = self._confirmed(distance, cover, found, lengths, recorded, model)
                refused, found, lengths = int((~confirmed).sum()), found.only(confirmed), lengths[confirmed]
            else:
                refused = 0
        edges, first, back = np.unique(
            np.concatenate([self.edges, found.edges]), axis=0, return_index=True, return_inverse=True
        )
        support = np.bincount(back.ravel(), np.concatenate([self.support, found.support]), len(edges)).astype(np.int64)
        order = np.lexsort((edges[:, 0], edges[:, 1]))
        number = self.episodes + np.unique(recorded.episode, return_inverse=True)[1]
        visits = np.unique(np.stack([cover.node, number], axis=1), axis=0)
        return replace(
            self,
            latents=cover.latents,
            edges=edges[order],
            lengths=np.concatenate([self.lengths, lengths])[first][order],
            support=support[order],
            visits=np.unique(np.concatenate([self.visits, visits]), axis=0),
            episodes=int(number[-1]) + 1,
            refused=self.refused + refused,
        )

    def shared(self, one: int, other: int) -> bool:
        """Return whether a recorded episode came by both nodes."""
        found = [self.visits[self.visits[:, 0] == node, 1] for node in (one, other)]
        return bool(np.isin(*found).any())

    def pack(self) -> tuple[dict[str, Any], dict[str, Tensor]]:
        """Return the graph as JSON values and tensors."""
        values = {name: value for name, value in vars(self).items() if name not in ARRAYS}
        arrays = {name: torch.as_tensor(vars(self)[name]) for name in ARRAYS}
        return values, arrays

    @staticmethod
    def unpack(values: Mapping[str, Any], arrays: Mapping[str, Tensor]) -> Graph:
        """Return the graph of :meth:`pack`.

        Raises:
            ConfigError: if it is incomplete, or its arrays do not fit together.
        """
        if set(values) != SETTINGS or set(arrays) != set(ARRAYS):
            raise ConfigError(f"a graph holds {', '.join(sorted({*SETTINGS, *ARRAYS}))}; this one is incomplete.")
        if any(
            arrays[name].ndim != dims or arrays[name].is_floating_point() != real
            for name, (dims, real) in ARRAYS.items()
        ):
            raise ConfigError("an array of the graph has another shape or type. The file is damaged.")
        numbers: dict[str, Any] = {name: arrays[name].cpu().numpy() for name in ARRAYS if name != "latents"}
        return Graph(latents=arrays["latents"], **values, **numbers)

    def _confirmed(
        self,
        distance: Distance,
        cover: Cover,
        found: Edges,
        lengths: npt.NDArray[np.float64],
        recorded: Recorded,
        model: WorldModel,
    ) -> npt.NDArray[np.bool_]:
        """Return which edges the imagined recorded actions follow."""
        assert recorded.blocks is not None
        confirmed = np.zeros(len(found.edges), np.bool_)
        for hops in range(1, self.hops + 1):
            chosen = np.flatnonzero(found.hops == hops)
            for rows in (chosen[first : first + CHUNK] for first in range(0, len(chosen), CHUNK)):
                frames = found.frame[rows][:, None] + recorded.stride * np.arange(hops)
                start, end = cover.latents[found.edges[rows, 0]], cover.embeddings[found.edges[rows, 1]]
                blocks = recorded.blocks[frames][:, None]
                imagined = model.rollout(Context(start[:, None]), blocks)[:, 0, -1]
                left = distance.between(distance.embed(imagined), end).double().cpu().numpy()
                confirmed[rows] = (left <= 2 * self.radius) & (left < lengths[rows])
        return confirmed


CHUNK = 1024
"""Edges that a model confirms at once."""
ARRAYS = {"latents": (2, True), "edges": (2, False), "lengths": (1, True), "support": (1, False), "visits": (2, False)}
"""The arrays of a graph: the number of their axes, and whether they hold real numbers."""
SETTINGS = {"radius", "longest", "hops", "model", "episodes", "refused"}


def _lengths(distance: Distance, cover: Cover, edges: Ints) -> npt.NDArray[np.float64]:
    """Return the distances along edges."""
    one, other = cover.embeddings[edges[:, 0]], cover.embeddings[edges[:, 1]]
    return np.asarray(distance.between(one, other).double().cpu().numpy())
