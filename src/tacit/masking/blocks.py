"""Block masking: blocks of an image are predicted from their surroundings (I-JEPA)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from tacit._check import require
from tacit.masking._check import check_call, check_range
from tacit.masking._draw import generators, split
from tacit.masking._rectangles import Rectangles, draw_size, settle
from tacit.types import Mask

__all__ = ["Blocks"]


@dataclass(frozen=True)
class Blocks:
    """Target blocks, with one large block without them as context (I-JEPA, arXiv 2301.08243, section 3).

    One mask on a grid ``(H, W)``. Sizes are drawn once for a batch, places for each image; targets may overlap. The
    part of the context block that the targets leave differs from image to image, so a random subset of equal size is
    kept, of equal size on all processes too: layouts in the two tails, with the fewest or most free tokens, are drawn
    again. Blocks are shorter and narrower than the grid.

    Args:
        blocks: Target blocks.
        scale: Range of a target block's share of the grid.
        aspect: Range of its height over its width, in tokens.
        context_scale: Range of the context block's share of the grid; it is square.
        min_keep: Fewest tokens of the context.

    Raises:
        ConfigError: if an option is out of range.
    """

    blocks: int = 4
    scale: tuple[float, float] = (0.15, 0.2)
    aspect: tuple[float, float] = (0.75, 1.5)
    context_scale: tuple[float, float] = (0.85, 1.0)
    min_keep: int = 10

    def __post_init__(self) -> None:
        require(
            min(self.blocks, self.min_keep) >= 1,
            "Blocks",
            f"blocks >= 1 and min_keep >= 1; got {self.blocks} and {self.min_keep}",
        )
        check_range("Blocks", "scale", self.scale, 1.0)
        check_range("Blocks", "aspect", self.aspect)
        check_range("Blocks", "context_scale", self.context_scale, 1.0)

    def __call__(self, grid: tuple[int, ...], batch: int, *, seed: int, rank: int = 0) -> tuple[Mask, ...]:
        """See :class:`tacit.types.Masking`."""
        check_call("Blocks", grid, (2,), batch, seed, rank)
        require(min(grid) >= 2, "Blocks", f"a grid of at least 2 x 2 tokens; got {grid}. Take smaller patches")
        height, width = grid
        streams = generators(seed, rank)

        def sizes(rng: np.random.Generator) -> Rectangles:
            shorter = (height - 1, width - 1)
            target = draw_size(rng, (height, width), self.scale, self.aspect, shorter)
            context = draw_size(rng, (height, width), self.context_scale, (1.0, 1.0), shorter)
            return Rectangles((height, width), context, target, self.blocks)

        layouts = settle("Blocks", sizes, self.min_keep, batch, streams)
        rows, columns = (np.arange(side) for side in layouts.rectangles.target)
        corners = layouts.corners[:, 1:] @ np.array([width, 1])
        tokens = torch.from_numpy(corners[:, :, None] + np.add.outer(width * rows, columns).ravel())
        context, _ = split(streams[1], layouts.free, layouts.fewest, 0)
        return (Mask(context, tuple(block.contiguous() for block in tokens.unbind(dim=1))),)
