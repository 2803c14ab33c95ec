"""Proposals from recorded actions, and from several sources."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise

import torch
from torch import Tensor

from tacit._limits import SAMPLES, limited
from tacit.agent._proposal import Proposal, Recalling
from tacit.errors import ConfigError, SpecError
from tacit.types import Context, Noise, Store, WorldModel

__all__ = ["MixedProposals", "RecordedProposals"]


@dataclass(frozen=True, eq=False)
class RecordedProposals:
    """Proposals that repeat recorded actions: those that began nearest to the latent and passed nearest to the goal.

    A recording of ``H`` blocks has the squared distance of its first latent from the current one, plus the smallest
    squared distance of its other latents from the goal. Both use all components alike.

    Args:
        latents: ``[N, H + 1, D]`` latents of each recording at the boundaries of its blocks.
        blocks: ``[N, H, A']`` its raw action blocks.

    Raises:
        SpecError: if the shapes do not fit together.
    """

    latents: Tensor
    blocks: Tensor

    def __post_init__(self) -> None:
        if not _fitting(self.latents.shape, self.blocks.shape):
            raise SpecError(
                "recorded proposals need latents [N, H + 1, D] and blocks [N, H, A'], with at least one of each; got "
                f"{list(self.latents.shape)} and {list(self.blocks.shape)}."
            )
        limited("recorded proposals", SAMPLES, recordings=len(self.blocks))

    def propose(
        self, context: Context, goal: Tensor, horizon: int, count: int, noise: Noise, model: WorldModel
    ) -> Tensor:
        """Return the actions ``[B, count, horizon, A']`` of the nearest recordings; see :class:`tacit.agent.Proposal`.

        The last block is repeated up to the horizon, and the recordings where there are fewer than ``count``.
        """
        del noise, model
        now = context.latents[:, -1]
        if now.shape[-1] != self.latents.shape[-1]:
            raise SpecError(f"the recorded latents have size {self.latents.shape[-1]}; got {list(now.shape)}.")
        latents, blocks = self.latents.to(now), self.blocks.to(now.device)
        passed = torch.cdist(goal, latents[:, 1:].flatten(0, 1)).square()
        distance = torch.cdist(now, latents[:, 0]).square() + passed.reshape(len(now), len(blocks), -1).amin(dim=2)
        nearest = distance.topk(min(count, len(blocks)), dim=1, largest=False).indices
        chosen = nearest[:, torch.arange(count, device=now.device) % nearest.shape[1]]
        step = torch.arange(horizon, device=now.device).clamp(max=blocks.shape[1] - 1)
        return blocks[chosen][:, :, step]


@dataclass(frozen=True, eq=False)
class MixedProposals:
    """Proposals of several sources, each with a share of them.

    Args:
        sources: The sources; the plans of the first come first.
        shares: The share of each source, above 0; they are divided by their sum.

    Raises:
        ConfigError: if there is no source, or not one share above 0 for each.
    """

    sources: tuple[Proposal, ...]
    shares: tuple[float, ...]

    def __post_init__(self) -> None:
        object.__setattr__(self, "sources", tuple(self.sources))
        object.__setattr__(self, "shares", tuple(float(share) for share in self.shares))
        valid = all(0 < share < math.inf for share in self.shares)
        if not self.sources or len(self.sources) != len(self.shares) or not valid:
            raise ConfigError(
                f"mixed proposals need one share above 0 for each source; got {len(self.sources)} sources and shares "
                f"{self.shares}."
            )

    def recalling(self, memories: Sequence[Store] | None) -> MixedProposals:
        """Return the proposals with the memory of each world."""
        sources = (one.recalling(memories) if isinstance(one, Recalling) else one for one in self.sources)
        return MixedProposals(tuple(sources), self.shares)

    def counts(self, count: int) -> tuple[int, ...]:
        """Return the number of plans of each source, in proportion to the shares, rounded up for the first ones."""
        total = sum(self.shares)
        ends = [0, *(math.ceil(count * part / total - 1e-9) for part in accumulate(self.shares))]
        return tuple(end - start for start, end in pairwise(ends))

    def propose(
        self, context: Context, goal: Tensor, horizon: int, count: int, noise: Noise, model: WorldModel
    ) -> Tensor:
        """Return plans ``[B, count, horizon, A']`` of all sources; see :class:`tacit.agent.Proposal`."""
        return torch.cat(
            [
                source.propose(context, goal, horizon, number, noise.spawn(index), model)
                for index, (source, number) in enumerate(zip(self.sources, self.counts(count), strict=True))
                if number
            ],
            dim=1,
        )


def _fitting(latents: tuple[int, ...], blocks: tuple[int, ...]) -> bool:
    """Return whether shapes of latents and blocks are those of :class:`RecordedProposals`."""
    whole = len(latents) == len(blocks) == 3 and min(*latents, *blocks) > 0
    return whole and (latents[0], latents[1]) == (blocks[0], blocks[1] + 1)
