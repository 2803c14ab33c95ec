"""Exploration of one world: a graph that grows with every decision, and goals at its frontier."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from tacit.agent import SubGoals
from tacit.exploration.frontier import Frontier, FrontierSearch
from tacit.memory import Graph, Recorded, Router
from tacit.types import WorldModel

__all__ = ["Explorer"]

PATIENCE = 3
"""Decisions without progress after which a place counts as out of reach."""
FADED = 0.5
"""The share of its novelty below which a place is no goal any more: what is left of it was seen on the way."""


@dataclass(eq=False)
class _Pursuit:
    """A place on the way to which a world is.

    Attributes:
        frontier: The place.
        setting_out: Whether its node was reached, and the place itself is next.
        nearest: The smallest distance so far of the current leg.
        stalled: Decisions since then.
    """

    frontier: Frontier
    setting_out: bool = False
    nearest: float = np.inf
    stalled: int = 0

    def advance(self, left: float) -> bool:
        """Take note of the distance that is left, and return whether there was progress lately."""
        self.stalled = 0 if left < self.nearest else self.stalled + 1
        self.nearest = min(left, self.nearest)
        return self.stalled < PATIENCE


class Explorer:
    """Maps one world, from the latents at its decisions. It changes with each of them.

    With a goal, it takes the way through its graph where there is one, and explores where there is none.

    Args:
        model: The world model.
        like: Sub-goals with the learned distance, the radii and the horizon of the map, and the graph to begin with
            where ``resume``.
        horizon: Blocks to imagine beyond the graph.
        seed: The seed of the imagined ways.
        resume: Begin with the graph of ``like``; else with an empty one.
    """

    def __init__(self, model: WorldModel, like: SubGoals, *, horizon: int, seed: int = 0, resume: bool = False) -> None:
        known = like.graph
        self.graph = known if resume else Graph(known.radius, known.longest, known.hops, known.model)
        self.complete = False
        """Whether nothing new could be reached at the last decision."""
        self._like, self._recent = like, torch.empty(0)
        self._near = max(known.radius, like.error)
        """The distance from an imagined place within which it counts as reached or seen."""
        most = max(like.ahead, 2 * self._near)
        self._search = FrontierSearch(model, like.critic, horizon=horizon, least=self._near, most=most, seed=seed)
        self._pursuit: _Pursuit | None = None

    def target(self, latent: Tensor, goal: Tensor | None = None) -> Tensor:
        """Add the current latent ``[D]`` to the graph and return the latent to plan toward.

        Args:
            latent: The current latent.
            goal: ``[D]`` the latent of a goal; None: explore.
        """
        self._grow(latent)
        like = self._like
        router = Router(self.graph, like.critic, like.ahead, like.ahead if like.near is None else like.near)
        if goal is not None:
            route = router(latent[None], goal[None])
            if route.reachable[0]:
                return route.targets[0]
        self._pursue(router, latent)
        if self._pursuit is None:
            return latent
        frontier = self._pursuit.frontier
        if self._pursuit.setting_out:
            return frontier.target
        return router(latent[None], self.graph.latents[frontier.node][None]).targets[0]

    def restart(self) -> None:
        """Begin another episode in the same world, elsewhere."""
        self._recent, self._pursuit = torch.empty(0), None

    def _grow(self, latent: Tensor) -> None:
        """Extend the graph by the way since the last decisions."""
        recent = torch.cat([self._recent, latent[None]]) if len(self._recent) else latent[None]
        self._recent = recent[-self.graph.hops - 1 :]
        recorded = Recorded(self._recent, np.zeros(len(self._recent), np.int64))
        self.graph = self.graph.extended(self._like.critic, recorded)
        self._search.extend(self.graph)

    def _pursue(self, router: Router, latent: Tensor) -> None:
        """Choose another place where the last one is reached, seen from elsewhere, or out of reach."""
        pursuit = self._pursuit
        if pursuit is not None:
            frontier = pursuit.frontier
            aim = frontier.target if pursuit.setting_out else self.graph.latents[frontier.node]
            with torch.no_grad():
                left = float(self._like.critic(latent[None], aim[None]))
            if left <= (self._near if pursuit.setting_out else self.graph.radius):
                pursuit = None if pursuit.setting_out else _Pursuit(frontier, setting_out=True)
            elif not pursuit.setting_out:
                left = float(router(latent[None], aim[None]).lengths[0])
        if pursuit is not None and not pursuit.advance(left):
            self._search.close(pursuit.frontier.target)
            pursuit = None
        if pursuit is None or self._faded(pursuit.frontier):
            found = self._search.best(self.graph, latent)
            pursuit = None if found is None else _Pursuit(found)
        self.complete, self._pursuit = pursuit is None, pursuit

    def _faded(self, frontier: Frontier) -> bool:
        """Return whether a place was seen from elsewhere."""
        return self._search.novelty(frontier.target) <= max(self._near, FADED * frontier.novelty)
