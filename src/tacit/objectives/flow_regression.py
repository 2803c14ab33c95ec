"""Regression of latents on the warped latents of the other image: MC-JEPA's predictive term."""

from __future__ import annotations

import torch
from torch import Tensor

from tacit.nn.flow import inside, warp
from tacit.objectives._motion import masked_mean, require, sides
from tacit.objectives._objective import Term
from tacit.types import FlowForecast, ForecastRequest

__all__ = ["FlowRegression"]


class FlowRegression(Term):
    """Squared distance of one image's latents from the other's warped onto them, summed over levels.

    ``sum_l mean_p (X'(p) - X(p + f(p)))^2`` (MC-JEPA, arXiv 2307.12698, as recalled: the paper has no public code). The
    mean runs over channels, directions, and the places whose flow points inside the other image, so that no level and
    no image size outweighs another. The flow is the prediction, and the gradient reaches both images: nothing is
    stopped.

    Args:
        name: Name in logs.
    """

    reads = (FlowForecast,)

    def __init__(self, name: str = "flow_regression") -> None:
        super().__init__(name)

    def requires(self) -> ForecastRequest:
        """Return the request for a flow in one direction."""
        return ForecastRequest(directions=1)

    def loss(self, motion: FlowForecast, _seed: int, /) -> Tensor:
        """Return a scalar, in squared units of the latents; 0 where the flow explains everything."""
        require(motion, 1, self.name)
        directions = motion.flow.shape[1]
        losses = []
        for features, flows in zip(motion.features, motion.flows, strict=True):
            source, target = sides(features, directions)
            flow = flows.flatten(0, 1)
            losses.append(masked_mean((warp(source, flow) - target).square(), inside(flow)))
        return torch.stack(losses).sum()
