"""Shortest ways through a directed graph."""

from __future__ import annotations

import heapq
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

__all__ = ["Ways", "shortest_from", "shortest_ways"]

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Ways:
    """The shortest ways from every node to a goal.

    Attributes:
        length: ``[N]`` their lengths; infinite where there is no way.
        following: ``[N]`` the next node of each; -1 where the goal itself is next, or there is no way.
    """

    length: Floats
    following: Ints


def shortest_ways(edges: Ints, lengths: Floats, last: Floats) -> Ways:
    """Compute the shortest ways to a goal by Dijkstra's algorithm, from the goal backwards.

    Args:
        edges: ``[M, 2]`` the nodes that an edge leads from and to, sorted by the second.
        lengths: ``[M]`` their lengths, not negative.
        last: ``[N]`` the length of the last leg from each node to the goal; infinite where there is none.
    """
    count = len(last)
    first = np.searchsorted(edges[:, 1], np.arange(count + 1)).tolist()
    sources, costs = edges[:, 0].tolist(), lengths.tolist()
    length: list[float] = last.tolist()
    following = [-1] * count
    queue = [(cost, node) for node, cost in enumerate(length) if cost < float("inf")]
    heapq.heapify(queue)
    while queue:
        cost, node = heapq.heappop(queue)
        if cost > length[node]:
            continue
        for edge in range(first[node], first[node + 1]):
            source, total = sources[edge], cost + costs[edge]
            if total < length[source]:
                length[source], following[source] = total, node
                heapq.heappush(queue, (total, source))
    return Ways(np.array(length), np.array(following, np.int64))


def shortest_from(edges: Ints, lengths: Floats, first: Floats) -> Ways:
    """Compute the shortest ways from a start to every node; see :func:`shortest_ways`, of which it is the reverse.

    Args:
        edges: ``[M, 2]`` the nodes that an edge leads from and to.
        lengths: ``[M]`` their lengths, not negative.
        first: ``[N]`` the length of the first leg from the start to each node; infinite where there is none.
    """
    backwards = edges[:, ::-1]
    order = np.argsort(backwards[:, 1], kind="stable")
    return shortest_ways(backwards[order], lengths[order], first)
