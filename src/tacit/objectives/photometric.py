"""Photometric error between an image and the other one warped onto it."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional as F

from tacit.errors import ConfigError
from tacit.nn.flow import inside, visible, warp
from tacit.objectives._motion import masked_mean, require, sides
from tacit.objectives._objective import Term
from tacit.types import FlowForecast, ForecastRequest

__all__ = ["Photometric"]

BRIGHTNESS, CONTRAST = 0.01**2, 0.03**2


class Photometric(Term):
    """Difference between an image and the other, warped: ``l1 |d| + l2 d^2 + ssim (1 - SSIM) / 2``.

    The reconstruction term of MC-JEPA (arXiv 2307.12698). Secondary sources give the three parts and their weights of
    1; the window of 3 x 3 pixels is that of common practice. Each part is a mean over channels, over the pixels that
    are visible in both images, and over the flow's directions. Grey levels are 0 to 1. A flow that leads out of the
    image everywhere costs nothing, so an image should be larger than the motion in it.

    Args:
        l1: Weight of the absolute difference.
        l2: Weight of the squared difference.
        ssim: Weight of the structural part (Wang et al. 2004).
        occlusion: Leave out pixels that are hidden in the other image, which needs the flow in both directions; if
            False, leave out only pixels outside of it.
        levels: ``final``: images at full size, as published; ``all``: the mean of that and of the images averaged
            down to each level, with the flow of that level, as in ARFlow (Liu et al. 2020). Motions of many pixels
            are found at coarse levels first.
        name: Name in logs.

    Raises:
        ConfigError: if a weight is negative, all are 0, or ``levels`` is unknown.
    """

    reads = (FlowForecast,)

    def __init__(
        self,
        l1: float = 1.0,
        l2: float = 1.0,
        ssim: float = 1.0,
        occlusion: bool = True,
        levels: Literal["final", "all"] = "final",
        name: str = "photometric",
    ) -> None:
        super().__init__(name)
        if min(l1, l2, ssim) < 0 or not l1 + l2 + ssim > 0:
            raise ConfigError(f"l1, l2 and ssim are weights of 0 or more, one of them above 0; got {l1}, {l2}, {ssim}.")
        if levels not in ("final", "all"):
            raise ConfigError(f"levels is one of final, all; got {levels!r}.")
        self.l1, self.l2, self.ssim, self.occlusion = l1, l2, ssim, occlusion
        self.levels: Literal["final", "all"] = levels

    def requires(self) -> ForecastRequest:
        """Return the number of flow directions: both if occluded pixels are left out."""
        return ForecastRequest(directions=2 if self.occlusion else 1)

    def loss(self, motion: FlowForecast, _seed: int, /) -> Tensor:
        """Return a scalar, in grey levels and their squares; 0 where the flow explains everything."""
        require(motion, 2 if self.occlusion else 1, self.name)
        levels = (*motion.flows, motion.flow) if self.levels == "all" else (motion.flow,)
        return torch.stack([self._remaining(motion.images, flows) for flows in levels]).mean()

    def _remaining(self, images: Tensor, flows: Tensor) -> Tensor:
        """Compute the loss of one level: both images, averaged down to it, and flows ``[B, R, 2, h, w]``."""
        directions, size = flows.shape[1], (flows.shape[3], flows.shape[4])
        source, target = (F.adaptive_avg_pool2d(side, size) for side in sides(images, directions))
        flow, back = sides(flows, directions)
        seen = visible(flow, back) if self.occlusion else inside(flow)
        warped = warp(source, flow)
        gap = warped - target
        total = self.l1 * masked_mean(gap.abs(), seen) + self.l2 * masked_mean(gap.square(), seen)
        if not self.ssim or min(size) < 3:  # a coarse level may be smaller than a window
            return total
        return total + self.ssim * masked_mean(dissimilarity(warped, target), _windows(seen))


def dissimilarity(first: Tensor, second: Tensor) -> Tensor:
    """Compute ``(1 - SSIM) / 2`` of windows of 3 x 3 pixels, between 0 and 1.

    Args:
        first: ``[N, C, H, W]``, grey levels from 0 to 1.
        second: The same shape.

    Returns:
        ``[N, C, H - 2, W - 2]``.
    """
    mean_1, mean_2 = F.avg_pool2d(first, 3, 1), F.avg_pool2d(second, 3, 1)
    # Rounding can make a variance that should be 0 negative.
    variance_1 = (F.avg_pool2d(first.square(), 3, 1) - mean_1.square()).clamp(min=0)
    variance_2 = (F.avg_pool2d(second.square(), 3, 1) - mean_2.square()).clamp(min=0)
    together = F.avg_pool2d(first * second, 3, 1) - mean_1 * mean_2
    light = (2 * mean_1 * mean_2 + BRIGHTNESS) / (mean_1.square() + mean_2.square() + BRIGHTNESS)
    structure = (2 * together + CONTRAST) / (variance_1 + variance_2 + CONTRAST)
    return ((1.0 - light * structure) / 2).clamp(0, 1)


def _windows(seen: Tensor) -> Tensor:
    """Return the windows of 3 x 3 pixels that are entirely visible."""
    return torch.eq(F.avg_pool2d(seen.float(), 3, 1, divisor_override=1), 9.0)
