"""Span masking: spans of a signal are predicted from their surroundings."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from tacit._check import require
from tacit.masking._check import check_call, check_range
from tacit.masking._draw import generators, split, uniform
from tacit.types import Mask

__all__ = ["Spans"]


@dataclass(frozen=True)
class Spans:
    """Target spans of consecutive tokens, with all others as context: I-JEPA's blocks along one axis.

    One mask on a grid ``(T,)``. The length is drawn once for a batch, places for each signal. Spans may touch but do
    not overlap, each arrangement of them being equally likely, so the context always has the same size; the
    targets are in the order of time.

    Args:
        spans: Target spans.
        scale: Range of the share of the tokens that one span has, rounded to a whole number, at least one.
        min_keep: Fewest tokens of the context.

    Raises:
        ConfigError: if an option is out of range or the longest spans would leave nothing.
    """

    spans: int = 4
    scale: tuple[float, float] = (0.1, 0.15)
    min_keep: int = 1

    def __post_init__(self) -> None:
        require(
            min(self.spans, self.min_keep) >= 1,
            "Spans",
            f"spans >= 1 and min_keep >= 1; got {self.spans} and {self.min_keep}",
        )
        check_range("Spans", "scale", self.scale, 1.0)
        share = self.spans * self.scale[1]
        require(share < 1, "Spans", f"spans * scale below 1, so that a context is left; got up to {share:g}")

    def __call__(self, grid: tuple[int, ...], batch: int, *, seed: int, rank: int = 0) -> tuple[Mask, ...]:
        """See :class:`tacit.types.Masking`."""
        check_call("Spans", grid, (1,), batch, seed, rank)
        (steps,) = grid
        longest = self._length(steps, self.scale[1])
        left = steps - self.spans * longest
        require(
            left >= self.min_keep,
            "Spans",
            f"{self.min_keep} tokens of context; {self.spans} spans of up to {longest} leave {left} of {steps}. "
            "Lower spans, scale or min_keep, or take shorter patches",
        )
        shared, own = generators(seed, rank)
        length = self._length(steps, uniform(shared, self.scale))
        # Draw among the places that are left when each span is shrunk to one token.
        shrunk = np.ones((batch, steps - self.spans * (length - 1)), dtype=np.bool_)
        first = split(own, shrunk, self.spans, 0)[0] + torch.arange(self.spans) * (length - 1)
        tokens = first[:, :, None] + torch.arange(length)
        seen = torch.ones(batch, steps, dtype=torch.bool).scatter_(1, tokens.flatten(1), False)
        context = seen.nonzero()[:, 1].reshape(batch, -1)
        return (Mask(context, tuple(block.contiguous() for block in tokens.unbind(dim=1))),)

    def _length(self, steps: int, share: float) -> int:
        return max(round(share * steps), 1)
