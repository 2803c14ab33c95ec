"""The frontier of a graph: places that a world model imagines, and that no recorded state is near to."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace

import numpy as np
import torch
from torch import Tensor

from tacit.errors import ConfigError
from tacit.memory import Graph
from tacit.memory._distance import Distance
from tacit.memory._shortest_ways import shortest_from
from tacit.planners import WorldNoise
from tacit.types import Box, Context, WorldModel

__all__ = ["Frontier", "FrontierSearch"]

WAYS = 32
"""Ways that are imagined from a node."""
UNHURRIED = 4.0
"""The length that is added to each way, in units of the least novelty; more makes near places less attractive."""


@dataclass(frozen=True, eq=False)
class Frontier:
    """A place that no node is near to.

    Attributes:
        target: ``[D]`` its imagined latent.
        node: The node from which it was imagined.
        blocks: The number of imagined blocks from there.
        novelty: Its distance to the nearest node.
    """

    target: Tensor
    node: int
    blocks: int
    novelty: float


@dataclass(frozen=True, eq=False)
class _Ways:
    """The imagined ways from the nodes of a graph.

    Attributes:
        imagined: ``[N, W, H, D]`` the latents along ``W`` ways.
        ends: ``[N, W, H, E]`` their embeddings.
        legs: ``[N, W, H]`` their distances from the node.
        novelty: ``[N, W, H]`` their distances to what was seen.
    """

    imagined: Tensor
    ends: Tensor
    legs: Tensor
    novelty: Tensor

    def joined(self, other: _Ways) -> _Ways:
        """Return these ways and those from further nodes."""
        return _Ways(*(torch.cat([vars(one)[field.name] for one in (self, other)]) for field in fields(self)))


class FrontierSearch:
    """Imagines ways from every node of a graph that grows, and finds the place that is worth the way there.

    A way is a random direction for some blocks, and then another one. The novelty of a place is its distance to the
    nearest node, and its worth is the square of the novelty above ``least``, divided by the length of the way to it. So
    a search prefers places that are near, and far from all it has seen. Nothing near to a closed place is new.

    Args:
        model: The world model.
        distance: The learned distance of the graph.
        horizon: Blocks to imagine.
        least: The novelty below which a place counts as seen.
        most: The novelty above which more is not worth more.
        seed: The seed of the ways.

    Raises:
        ConfigError: if the actions are not continuous, or a number is out of range.
    """

    def __init__(
        self, model: WorldModel, distance: Distance, *, horizon: int, least: float, most: float, seed: int
    ) -> None:
        if not isinstance(model.spec.action, Box):
            raise ConfigError(f"exploration imagines continuous actions; got {model.spec.action}.")
        if horizon < 1 or not 0 < least < most:
            raise ConfigError(
                f"a search for frontiers needs a horizon of at least 1 and 0 < least < most; got {horizon}, {least} "
                f"and {most}."
            )
        self.model, self.distance, self.horizon, self.least, self.most = model, distance, horizon, least, most
        self._noise = WorldNoise((seed,))
        self._ways: _Ways | None = None
        self._seen = torch.empty(0)

    def close(self, place: Tensor) -> None:
        """Count a place ``[D]``, and all within ``least`` of it, as seen."""
        self._see(self.distance.embed(place)[None])

    def extend(self, graph: Graph) -> None:
        """Imagine the ways from new nodes of a graph, which begins with those of the last call."""
        new = graph.latents[0 if self._ways is None else len(self._ways.ends) :]
        if len(new):
            with torch.no_grad():
                nodes = self.distance.embed(new)
                self._see(nodes)
                self._imagine(new, nodes)

    def best(self, graph: Graph, start: Tensor) -> Frontier | None:
        """Return the place that is worth most; None where nothing new can be reached.

        Args:
            graph: The graph of the last :meth:`extend`.
            start: ``[D]`` the current latent.
        """
        ways = self._ways
        if ways is None:
            return None
        with torch.no_grad():
            nodes = self.distance.embed(graph.latents)
            away = self.distance.between(self.distance.embed(start)[None], nodes).double().cpu().numpy()
        lengths = shortest_from(graph.edges, graph.lengths, np.where(away <= graph.longest, away, np.inf)).length
        total = torch.from_numpy(lengths)[:, None, None].to(ways.legs) + ways.legs
        gain = ways.novelty.clamp(max=self.most) - self.least
        worth = torch.where((gain > 0) & total.isfinite(), gain.square() / (total + UNHURRIED * self.least), 0.0)
        if not bool((worth > 0).any()):
            return None
        node, way, block = np.unravel_index(int(worth.argmax()), worth.shape)
        found = ways.imagined[node, way, block], float(ways.novelty[node, way, block])
        return Frontier(found[0], int(node), int(block) + 1, found[1])

    def novelty(self, place: Tensor) -> float:
        """Return the distance of a place ``[D]`` to what was seen or closed."""
        with torch.no_grad():
            return float(self.distance.between(self.distance.embed(place)[None], self._seen).min())

    def _imagine(self, latents: Tensor, nodes: Tensor) -> None:
        """Add the ways from new nodes."""
        count, horizon, known = len(latents), self.horizon, self._ways
        first = 0 if known is None else len(known.ends)
        space = self.model.spec.action
        assert isinstance(space, Box)
        low, high = (torch.tensor(bound, dtype=torch.float32) for bound in (space.low, space.high))
        shape = (count, WAYS, 1, space.size)
        before, after = (torch.from_numpy(self._noise.uniform(2 * first + part, shape))[0] for part in (0, 1))
        turn = torch.arange(count * WAYS).reshape(count, WAYS, 1, 1) % horizon
        rows = torch.where(torch.arange(horizon)[:, None] <= turn, before, after)
        blocks = (low + rows * (high - low)).repeat(1, 1, 1, self.model.frameskip).to(latents)
        imagined = self.model.rollout(Context(latents[:, None]), blocks)
        ends = self.distance.embed(imagined)
        fresh = _Ways(
            imagined,
            ends,
            self.distance.between(nodes[:, None, None], ends),
            torch.stack([self.distance.between(one[:, :, None], self._seen).amin(dim=-1) for one in ends]),
        )
        self._ways = fresh if known is None else known.joined(fresh)

    def _see(self, places: Tensor) -> None:
        """Count the embeddings ``[n, E]`` of places as seen."""
        self._seen = torch.cat([self._seen, places]) if len(self._seen) else places
        for place in places:
            if (ways := self._ways) is not None:
                self._ways = replace(ways, novelty=torch.minimum(ways.novelty, self.distance.between(place, ways.ends)))
