"""Edges of a graph from recorded transitions."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

__all__ = ["Edges", "recorded_edges"]

Ints = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Edges:
    """Pairs of nodes that a recorded transition connects.

    Attributes:
        edges: ``[M, 2]`` the nodes that each leads from and to, each pair once.
        support: ``[M]`` the number of recorded transitions.
        hops: ``[M]`` the blocks of the shortest of them.
        frame: ``[M]`` the frame at which the first of the shortest begins.
    """

    edges: Ints
    support: Ints
    hops: Ints
    frame: Ints

    def only(self, kept: npt.NDArray[np.bool_]) -> Edges:
        """Return the edges of a mask ``[M]``."""
        return Edges(self.edges[kept], self.support[kept], self.hops[kept], self.frame[kept])


def recorded_edges(node: Ints, episode: Ints, stride: int, hops: int) -> Edges:
    """Return the edges along which the recorded states went.

    Args:
        node: ``[n]`` the node of each frame.
        episode: ``[n]`` the episode of each, ascending.
        stride: Frames of a block.
        hops: The most blocks of a transition.
    """
    pairs, frames, blocks = [np.zeros((0, 2), np.int64)], [np.zeros(0, np.int64)], [np.zeros(0, np.int64)]
    for count in range(1, hops + 1):
        later = count * stride
        start = np.flatnonzero((episode[:-later] == episode[later:]) & (node[:-later] != node[later:]))
        pairs.append(np.stack([node[start], node[start + later]], axis=1))
        frames.append(start)
        blocks.append(np.full(len(start), count))
    # The first occurrence of a pair is its shortest transition, as those of fewer blocks come first.
    edges, first, support = np.unique(np.concatenate(pairs), axis=0, return_index=True, return_counts=True)
    return Edges(edges, support, np.concatenate(blocks)[first], np.concatenate(frames)[first])
