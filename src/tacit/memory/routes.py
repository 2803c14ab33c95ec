"""Routes through a graph of recorded states: the next sub-goal on the shortest way to a goal."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from tacit.errors import ConfigError, SpecError
from tacit.memory._distance import Distance
from tacit.memory._shortest_ways import Ways, shortest_from, shortest_ways
from tacit.memory.graph import Graph

__all__ = ["Route", "Router"]

GOAL = -1
"""The number that stands for the goal itself in place of a node."""
KEPT = 1024
"""Goals whose shortest ways are kept."""
SLACK = 1.2
"""A start off the graph attaches to all nodes that are at most this many times as far as the nearest one."""


@dataclass(frozen=True, eq=False)
class Route:
    """The next sub-goals of a batch of worlds.

    Attributes:
        targets: ``[B, D]`` the latents of the sub-goals.
        nodes: ``[B]`` their nodes in the graph; -1: the goal itself.
        first: ``[B]`` the nodes at which the ways begin; -1: the way is direct.
        lengths: ``[B]`` the lengths of the ways to the goals; infinite where there is none.
        nearest: ``[B]`` where there is no way, the node nearest to the goal that can be reached, which the way then
            leads to; -1 elsewhere.
    """

    targets: Tensor
    nodes: npt.NDArray[np.int64]
    first: npt.NDArray[np.int64]
    lengths: npt.NDArray[np.float64]
    nearest: npt.NDArray[np.int64]

    @property
    def reachable(self) -> npt.NDArray[np.bool_]:
        """Return ``[B]`` whether there is a way to the goal."""
        return np.isfinite(self.lengths)

    def require(self) -> Route:
        """Return the route, which has a way in each world.

        Raises:
            SpecError: if one has none; the message names the nearest node that can be reached.
        """
        for world in np.flatnonzero(~self.reachable).tolist():
            raise SpecError(
                f"no recorded way leads to the goal of world {world}; the nearest state that can be reached is node "
                f"{self.nearest[world]} of the graph. Record episodes that pass there, or choose another goal."
            )
        return self


@dataclass(frozen=True, eq=False)
class Router:
    """Finds sub-goals: the shortest way through a graph, and a state on it that is about one horizon ahead.

    A world within ``near`` of its goal heads for the goal itself. A goal attaches to the nodes within
    ``graph.longest`` of it, and has no way where there is none. A start attaches to these too, or, off the graph, to
    those within 1.2 times the distance of the nearest node.

    Args:
        graph: The graph.
        distance: The learned distance that it was built with.
        ahead: The distance of a sub-goal.
        near: The distance at which the goal itself takes over.

    Raises:
        ConfigError: if the graph is empty, or a distance is out of range.
    """

    graph: Graph
    distance: Distance
    ahead: float
    near: float
    _embeddings: Tensor = field(init=False, repr=False)
    _known: OrderedDict[bytes, Ways] = field(init=False, repr=False, default_factory=OrderedDict)

    def __post_init__(self) -> None:
        if not len(self.graph):
            raise ConfigError("the graph has no states yet. Extend it with recorded episodes.")
        if not (0 < self.ahead < np.inf and 0 <= self.near < np.inf):
            raise ConfigError(f"sub-goals need ahead > 0 and near >= 0; got {self.ahead} and {self.near}.")
        with torch.no_grad():
            object.__setattr__(self, "_embeddings", self.distance.embed(self.graph.latents))

    def __call__(self, start: Tensor, goal: Tensor) -> Route:
        """Return the next sub-goals from latents ``start [B, D]`` on the way to latents ``goal [B, D]``."""
        count = len(start)
        with torch.no_grad():
            here, there = self.distance.embed(start), self.distance.embed(goal)
            direct = _numbers(self.distance.between(here, there))
            nodes = self._embeddings.to(here)
            away = _numbers(self.distance.between(here[:, None], nodes[None]))
            last = _numbers(self.distance.between(nodes[None], there[:, None]))
        node, first, nearest = (np.full(count, GOAL, np.int64) for _ in range(3))
        lengths = direct.copy()
        # A latent that is not finite has no way; planning fails for its world.
        for world in np.flatnonzero((direct > self.near) & np.isfinite(direct)).tolist():
            ways = self._ways(goal[world], last[world])
            attached = away[world] <= max(self.graph.longest, SLACK * away[world].min())
            legs = np.where(attached, away[world], np.inf)
            totals = legs + ways.length
            lengths[world] = totals.min()
            if not np.isfinite(lengths[world]):
                nearest[world] = self._nearest(legs, last[world])
                ways = shortest_ways(self.graph.edges, self.graph.lengths, _only(last[world], nearest[world]))
                totals = legs + ways.length
            first[world] = totals.argmin()
            node[world] = self._sub_goal(int(first[world]), away[world], ways, last=nearest[world])
        rows = torch.from_numpy(node).to(goal.device)
        targets = torch.where((rows == GOAL)[:, None], goal, self.graph.latents.to(goal)[rows])
        return Route(targets, node, first, lengths, nearest)

    def shared(self, start: Tensor, goal: Tensor) -> npt.NDArray[np.bool_]:
        """Return ``[B]`` whether one recorded episode came by the nodes nearest to a start and to its goal."""
        with torch.no_grad():
            found = [
                self.distance.between(self.distance.embed(one)[:, None], self._embeddings[None]).argmin(dim=1).tolist()
                for one in (start, goal)
            ]
        return np.array([self.graph.shared(*pair) for pair in zip(*found, strict=True)], np.bool_)

    def _ways(self, goal: Tensor, last: npt.NDArray[np.float64]) -> Ways:
        """Return the shortest ways to a goal, which are computed once in an episode."""
        key = goal.detach().cpu().numpy().tobytes()
        if key not in self._known:
            legs = np.where(last <= self.graph.longest, last, np.inf)
            self._known[key] = shortest_ways(self.graph.edges, self.graph.lengths, legs)
            while len(self._known) > KEPT:
                self._known.popitem(last=False)
        return self._known[key]

    def _nearest(self, legs: npt.NDArray[np.float64], last: npt.NDArray[np.float64]) -> int:
        """Return the node nearest to the goal among those that can be reached from the nodes of the first legs."""
        reached = shortest_from(self.graph.edges, self.graph.lengths, legs)
        return int(np.where(np.isfinite(reached.length), last, np.inf).argmin())

    def _sub_goal(self, node: int, away: npt.NDArray[np.float64], ways: Ways, last: int) -> int:
        """Return the last node of a way that is not beyond ``ahead``, but beyond the first node where that is near."""
        while (following := int(ways.following[node])) != GOAL:
            if away[following] > self.ahead and away[node] > self.ahead / 2:
                return node
            node = following
        arrives = last == GOAL and ways.length[node] + away[node] <= self.ahead
        return GOAL if arrives else node


def _numbers(distances: Tensor) -> npt.NDArray[np.float64]:
    return np.asarray(distances.double().cpu().numpy())


def _only(distances: npt.NDArray[np.float64], node: int) -> npt.NDArray[np.float64]:
    """Return the distances of one node; infinite for the others."""
    found = np.full(len(distances), np.inf)
    found[node] = 0.0
    return found
