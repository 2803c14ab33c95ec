"""Flow that changes where the picture does, and nowhere else."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from tacit.errors import ConfigError, SpecError
from tacit.objectives._motion import require
from tacit.objectives._objective import Term
from tacit.types import Motion

__all__ = ["Smoothness"]


class Smoothness(Term):
    """How much the flow changes from pixel to pixel, less where there is an edge: ``mean exp(-edge |dI|) |d^order f|``.

    The published formula of MC-JEPA (arXiv 2307.12698, as recalled) has first differences of the flow. Second
    differences, ``edge=10`` and a weight of 75 come from ARFlow (Liu et al. 2020), where the flow is measured in
    shorter sides of the picture, as here; third-party code of MC-JEPA has the same three numbers. The mean runs over
    pixels, both components of the flow, both axes and the directions; ``|dI|`` is a mean over channels, in grey
    levels of 0 to 1.

    Args:
        order: 1: what changes costs; 2: what bends costs.
        edge: How much less the flow's changes cost at an edge.
        name: What logs call it.
    """

    reads = (Motion,)

    def __init__(self, order: int = 2, edge: float = 10.0, name: str = "smoothness") -> None:
        super().__init__(name)
        if order not in (1, 2) or edge < 0:
            raise ConfigError(f"order is 1 or 2 and edge at least 0; got {order} and {edge}.")
        self.order, self.edge = order, edge

    def asks(self) -> Mapping[str, Any]:
        """A flow."""
        return {"directions": 1}

    def loss(self, motion: Motion, _seed: int, /) -> Tensor:
        """Scalar, in shorter sides of the picture; 0 for a flow that is the same everywhere.

        Raises:
            SpecError: if the pictures have no differences of that order.
        """
        require(motion, 1, self.name)
        if min(motion.flow.shape[-2:]) <= self.order:
            raise SpecError(f"term {self.name!r} needs pictures of more than {self.order} px.")
        # The flow of a direction lies on the picture that it looks from: the second one first.
        pictures = motion.pictures.flip(1)[:, : motion.flow.shape[1]]
        flow = motion.flow / min(motion.flow.shape[-2:])
        parts = []
        for axis in (-1, -2):
            edges = pictures.diff(dim=axis).abs().mean(2, keepdim=True)
            bend = flow.diff(n=self.order, dim=axis).abs()
            # A second difference lies between two first ones; as in ARFlow the later counts.
            weight = torch.exp(-self.edge * edges.narrow(axis, self.order - 1, bend.shape[axis]))
            parts.append((weight * bend).mean())
        return torch.stack(parts).mean()
