"""Tube masking: space-time tubes of a video are predicted from their surroundings (V-JEPA)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from tacit._check import require
from tacit.masking._check import check_call, check_range
from tacit.masking._draw import generators, in_frames, split
from tacit.masking._rectangles import Rectangles, draw_size, settle
from tacit.types import Mask

__all__ = ["TubeMask", "Tubes"]


@dataclass(frozen=True)
class TubeMask:
    """Options of one mask of :class:`Tubes`: hidden blocks of equal size, constant over frames.

    Args:
        blocks: Blocks, which may overlap.
        scale: Range of the share of a frame that one block has.
        aspect: Range of its height over its width, in tokens.

    Raises:
        ConfigError: if an option is out of range.
    """

    blocks: int
    scale: tuple[float, float]
    aspect: tuple[float, float] = (0.75, 1.5)

    def __post_init__(self) -> None:
        require(self.blocks >= 1, "TubeMask", f"blocks >= 1; got {self.blocks}")
        check_range("TubeMask", "scale", self.scale, 1.0)
        check_range("TubeMask", "aspect", self.aspect)


@dataclass(frozen=True)
class Tubes:
    """Blocks that last for the whole clip; all other tokens are context (V-JEPA, arXiv 2404.08471, section 3.2).

    Several masks on a grid ``(T, H, W)``, by default the short-range and the long-range one of V-JEPA and V-JEPA 2
    (arXiv 2506.09985). Each has one target, the union of its blocks. Sizes are drawn once for a batch, places for each
    clip. The area of the union differs from clip to clip, so random subsets of equal size of its tubes and of the
    context's are kept, of equal size on all processes too: layouts in the two tails, with the smallest or largest
    union, are drawn again.

    Args:
        masks: Options of each mask.
        min_keep: Fewest places in a frame that a context has.
        context_frames: Share of the frames in the context; later frames are target at the context's places too.

    Raises:
        ConfigError: if an option is out of range.
    """

    masks: tuple[TubeMask, ...] = (TubeMask(8, (0.15, 0.15)), TubeMask(2, (0.7, 0.7)))
    min_keep: int = 1
    context_frames: float = 1.0

    def __post_init__(self) -> None:
        require(len(self.masks) >= 1, "Tubes", "at least one TubeMask in masks")
        require(self.min_keep >= 1, "Tubes", f"min_keep >= 1; got {self.min_keep}")
        require(0 < self.context_frames <= 1, "Tubes", f"0 < context_frames <= 1; got {self.context_frames}")

    def __call__(self, grid: tuple[int, ...], batch: int, *, seed: int, rank: int = 0) -> tuple[Mask, ...]:
        """See :class:`tacit.types.Masking`."""
        check_call("Tubes", grid, (3,), batch, seed, rank)
        streams = generators(seed, rank)
        return tuple(self._draw(mask, grid, batch, streams) for mask in self.masks)

    def _draw(
        self,
        mask: TubeMask,
        grid: tuple[int, ...],
        batch: int,
        streams: tuple[np.random.Generator, np.random.Generator],
    ) -> Mask:
        frames, height, width = grid
        frame, area = (height, width), height * width

        def sizes(rng: np.random.Generator) -> Rectangles:
            return Rectangles(frame, frame, draw_size(rng, frame, mask.scale, mask.aspect, frame), mask.blocks)

        layouts = settle("Tubes", sizes, self.min_keep, batch, streams)
        beside, covered = split(streams[1], layouts.free, layouts.fewest, area - layouts.most)
        seen = max(round(self.context_frames * frames), 1)
        hidden = in_frames(covered, range(frames), area)
        if seen < frames:
            later = in_frames(beside, range(seen, frames), area)
            hidden = torch.cat([hidden, later], dim=1).sort(dim=1).values
        return Mask(in_frames(beside, range(seen), area), (hidden,))
