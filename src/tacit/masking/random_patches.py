"""Random masking of individual patches (MAE, VideoMAE)."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

import numpy as np

from tacit._check import require
from tacit.masking._check import check_call
from tacit.masking._draw import generators, in_frames, split
from tacit.types import Mask

__all__ = ["RandomPatches"]


@dataclass(frozen=True)
class RandomPatches:
    """Random token subset as target, all others as context (MAE, arXiv 2111.06377, section 3).

    One mask with one target on a grid of any number of axes. ``RandomPatches(ratio=0.9, tube=True)`` is VideoMAE's mask
    (arXiv 2203.12602, section 3.2): the same places in all frames of a grid ``(T, H, W)``.

    Args:
        ratio: Share of the tokens that is target, rounded to a whole number and never all or none.
        tube: Choose places in a frame, the first axis being time.

    Raises:
        ConfigError: if the ratio is not between 0 and 1.
    """

    ratio: float = 0.75
    tube: bool = False

    def __post_init__(self) -> None:
        require(0 < self.ratio < 1, "RandomPatches", f"0 < ratio < 1; got {self.ratio}")

    def __call__(self, grid: tuple[int, ...], batch: int, *, seed: int, rank: int = 0) -> tuple[Mask, ...]:
        """See :class:`tacit.types.Masking`."""
        check_call("RandomPatches", grid, (3,) if self.tube else (max(len(grid), 1),), batch, seed, rank)
        frames, area = (grid[0], prod(grid[1:])) if self.tube else (1, prod(grid))
        require(area >= 2, "RandomPatches", f"at least two tokens to choose from; got {grid}. Take smaller patches")
        hidden = min(max(round(self.ratio * area), 1), area - 1)
        _, own = generators(seed, rank)
        anywhere = np.ones((batch, area), dtype=np.bool_)
        context, target = (
            in_frames(places, range(frames), area) for places in split(own, anywhere, area - hidden, hidden)
        )
        return (Mask(context, (target,)),)
