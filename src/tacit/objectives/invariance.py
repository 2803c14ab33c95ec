"""Invariance: views of one item have the same embedding."""

from __future__ import annotations

from typing import Literal

from torch import Tensor

from tacit.errors import ConfigError
from tacit.objectives._objective import Term
from tacit.types import FlowForecast, ViewEmbeddings

__all__ = ["Invariance"]


class Invariance(Term):
    """Mean squared distance of each view's embedding from the mean over its item's views.

    LeJEPA (arXiv 2511.08544, eq. 9) predicts every view by the mean of the global ones (``around="whole"``) and sums
    over channels; its minimal example takes the mean of all views and averages over channels (``around="all"``,
    ``channels="mean"``), which makes a weight on it D times as large. For two views and ``channels="mean"`` it is a
    quarter of VICReg's invariance term (arXiv 2105.04906), the mean squared difference of the two.

    Args:
        around: ``whole`` or ``all``: the views whose mean is the centre.
        channels: ``mean`` or ``sum`` over the channels.
        name: Name in logs.
    """

    reads = (ViewEmbeddings, FlowForecast)

    def __init__(
        self,
        around: Literal["whole", "all"] = "whole",
        channels: Literal["mean", "sum"] = "mean",
        name: str = "invariance",
    ) -> None:
        super().__init__(name)
        for option, value, known in (("around", around, ("whole", "all")), ("channels", channels, ("mean", "sum"))):
            if value not in known:
                raise ConfigError(f"{option} is one of {', '.join(known)}; got {value!r}.")
        self.around, self.channels = around, channels

    def loss(self, views: ViewEmbeddings | FlowForecast, _seed: int, /) -> Tensor:
        """Return a scalar, in squared units of the embedding."""
        latents = views.latents
        centre = (latents if self.around == "all" else latents[:, : views.num_global]).mean(dim=1, keepdim=True)
        gap = (latents - centre).square()
        return gap.mean() if self.channels == "mean" else gap.sum(-1).mean()
