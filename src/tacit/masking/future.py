"""Future masking: later steps are predicted from earlier ones."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

import torch

from tacit._check import require
from tacit.masking._check import check_call, check_range
from tacit.masking._draw import generators, uniform
from tacit.types import Mask

__all__ = ["Future"]


@dataclass(frozen=True)
class Future:
    """Causal mask: the first steps are the context, all later ones the target.

    One mask with one target on a grid that begins with time, ``(T,)`` or ``(T, H, W)``. The number of context steps is
    drawn once for a batch. No places are drawn, so all clips of a batch and all processes have the same mask.

    Args:
        share: Range of the share of the steps that the context has, rounded to whole steps; at least one step is
            seen and at least one predicted.

    Raises:
        ConfigError: if the range is not within 0 and 1.
    """

    share: tuple[float, float] = (0.25, 0.75)

    def __post_init__(self) -> None:
        check_range("Future", "share", self.share, 1.0)

    def __call__(self, grid: tuple[int, ...], batch: int, *, seed: int, rank: int = 0) -> tuple[Mask, ...]:
        """See :class:`tacit.types.Masking`."""
        check_call("Future", grid, (1, 3), batch, seed, rank)
        require(grid[0] >= 2, "Future", f"at least two steps of time; got {grid}. Take longer clips or shorter patches")
        shared, _ = generators(seed, rank)
        steps = min(max(round(uniform(shared, self.share) * grid[0]), 1), grid[0] - 1)
        tokens = torch.arange(prod(grid)).repeat(batch, 1)
        seen = steps * prod(grid[1:])
        return (Mask(tokens[:, :seen].contiguous(), (tokens[:, seen:].contiguous(),)),)
