"""Cycle consistency: two flows that invert each other."""

from __future__ import annotations

import torch
from torch import Tensor

from tacit.nn.flow import inside, warp
from tacit.objectives._motion import masked_mean, require, sides
from tacit.objectives._objective import Term
from tacit.types import FlowForecast, ForecastRequest

__all__ = ["Cycle"]


class Cycle(Term):
    """Squared distance of latents from themselves after warping forward and back, summed over levels.

    ``sum_l mean_p (X(p) - warp(warp(X, f), b)(p))^2`` (MC-JEPA, arXiv 2307.12698, as recalled; its weight of 0.2 is
    from third-party code). The mean runs over channels, both images, and the pixels whose forward-backward path stays
    inside the image.

    Args:
        name: Name in logs.
    """

    reads = (FlowForecast,)

    def __init__(self, name: str = "cycle") -> None:
        super().__init__(name)

    def requires(self) -> ForecastRequest:
        """Return the request for flows in both directions."""
        return ForecastRequest(directions=2)

    def loss(self, motion: FlowForecast, _seed: int, /) -> Tensor:
        """Return a scalar, in squared units of the latents; 0 for flows that invert each other."""
        require(motion, 2, self.name)
        losses = []
        for features, flows in zip(motion.features, motion.flows, strict=True):
            here, _ = sides(features, 2)
            flow, back = sides(flows, 2)
            again = warp(warp(here, flow), back)
            # Keep pixels whose forward-backward path stays inside the image.
            kept = inside(back) & (warp(inside(flow).to(flow.dtype), back.detach()) > 1 - 1e-4)
            losses.append(masked_mean((again - here).square(), kept))
        return torch.stack(losses).sum()
