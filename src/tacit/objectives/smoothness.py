"""Edge-aware smoothness of a flow."""

from __future__ import annotations

import torch
from torch import Tensor

from tacit.errors import ConfigError, SpecError
from tacit.objectives._motion import require
from tacit.objectives._objective import Term
from tacit.types import FlowForecast, ForecastRequest

__all__ = ["Smoothness"]


class Smoothness(Term):
    """Change of the flow between pixels, reduced at edges: ``mean exp(-edge |dI|) |d^order f|``.

    The published formula of MC-JEPA (arXiv 2307.12698, as recalled) has first differences of the flow. Second
    differences, ``edge=10`` and a weight of 75 come from ARFlow (Liu et al. 2020), where the flow is measured in
    shorter sides of the image, as here; third-party code of MC-JEPA has the same three numbers. The mean runs over
    pixels, both components of the flow, both axes and the directions; ``|dI|`` is a mean over channels, in grey levels
    of 0 to 1.

    Args:
        order: Order of the flow's differences: 1 penalises any change, 2 only changes of slope.
        edge: Strength of the reduction of the cost at an edge.
        name: Name in logs.
    """

    reads = (FlowForecast,)

    def __init__(self, order: int = 2, edge: float = 10.0, name: str = "smoothness") -> None:
        super().__init__(name)
        if order not in (1, 2) or edge < 0:
            raise ConfigError(f"order is 1 or 2 and edge at least 0; got {order} and {edge}.")
        self.order, self.edge = order, edge

    def requires(self) -> ForecastRequest:
        """Return the request for a flow in one direction."""
        return ForecastRequest(directions=1)

    def loss(self, motion: FlowForecast, _seed: int, /) -> Tensor:
        """Return a scalar, in shorter sides of the image; 0 for a constant flow.

        Raises:
            SpecError: if the images have no differences of that order.
        """
        require(motion, 1, self.name)
        if min(motion.flow.shape[-2:]) <= self.order:
            raise SpecError(f"term {self.name!r} needs images of more than {self.order} px.")
        # The flow of a direction is defined on its target image: the second one first.
        images = motion.images.flip(1)[:, : motion.flow.shape[1]]
        flow = motion.flow / min(motion.flow.shape[-2:])
        parts = []
        for axis in (-1, -2):
            edges = images.diff(dim=axis).abs().mean(2, keepdim=True)
            bend = flow.diff(n=self.order, dim=axis).abs()
            # A second difference lies between two first ones; as in ARFlow the later counts.
            weight = torch.exp(-self.edge * edges.narrow(axis, self.order - 1, bend.shape[axis]))
            parts.append((weight * bend).mean())
        return torch.stack(parts).mean()
