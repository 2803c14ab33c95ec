"""Proposals from a memory: the actions that were executed near the current latent."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import torch
from torch import Tensor

from tacit._limits import SAMPLES, limited
from tacit.agent._memory import grouped
from tacit.errors import ConfigError
from tacit.types import Context, Noise, Store, WorldModel

__all__ = ["StoredProposals"]


@dataclass(frozen=True)
class StoredProposals:
    """Proposals that repeat the actions of entries of the agent's memory whose latents are nearest to the current one.

    Among ``pool`` times as many nearest entries as needed, those with the best outcomes come first; entries without an
    outcome come last, the nearest first. An empty memory proposes zero actions.

    The memory is that of the snapshot that the state names, so that two acts from one state are equal. An approximate
    index is rebuilt as the memory grows; without ``exact``, this holds only as long as it is not.

    Attributes:
        pool: Nearest entries to choose from, for each proposal.
        exact: Search exactly, in a time that grows with the memory.
        memories: The memory of each world; the agent gives them.

    Raises:
        ConfigError: if ``pool`` is below 1.
    """

    pool: int = 1
    exact: bool = True
    memories: tuple[Store, ...] | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        limited("stored proposals", SAMPLES, pool=self.pool)
        if self.pool < 1:
            raise ConfigError(f"stored proposals need a pool of at least 1; got {self.pool}.")

    def recalling(self, memories: Sequence[Store] | None) -> StoredProposals:
        """Return the proposals from the memory of each world."""
        return replace(self, memories=None if memories is None else tuple(memories))

    def propose(
        self, context: Context, goal: Tensor, horizon: int, count: int, noise: Noise, model: WorldModel
    ) -> Tensor:
        """Return the actions ``[B, count, horizon, A']`` of entries; see :class:`tacit.agent.Proposal`.

        The last block is repeated up to the horizon, and the entries where there are fewer than ``count``.

        Raises:
            ConfigError: if the agent has no memory.
        """
        del goal, noise, model
        if self.memories is None:
            raise ConfigError(
                "stored proposals need an agent with a memory: agent.replace(memory=agent.new_memory(path))."
            )
        latents = context.latents[:, -1].float().cpu().numpy()
        blocks, size = self.memories[0].block_shape
        step = np.minimum(np.arange(horizon), blocks - 1)
        found = np.zeros((len(latents), count, horizon, size), np.float32)
        for memory, worlds in grouped(self.memories):
            near = memory.nearest(latents[worlds], self.pool * count, exact=self.exact).numbers
            if not near.shape[1]:
                continue
            entries = memory.entries(near.reshape(-1))
            outcomes = entries.outcomes.reshape(near.shape)
            best = np.argsort(np.where(np.isnan(outcomes), np.inf, -outcomes), axis=1, kind="stable")[:, :count]
            chosen = np.take_along_axis(np.arange(near.size).reshape(near.shape), best, axis=1)
            found[worlds] = entries.blocks[chosen[:, np.arange(count) % chosen.shape[1]]][:, :, step]
        return torch.from_numpy(found).to(context.latents.device)
