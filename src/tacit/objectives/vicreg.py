"""Variance and covariance regularisation: channels that vary and are uncorrelated."""

from __future__ import annotations

from typing import Literal, TypeAlias, get_args

import torch
from torch import Tensor

from tacit.errors import ConfigError, SpecError
from tacit.nn.collectives import all_mean, world_size
from tacit.objectives._objective import Sum, Term
from tacit.types import FlowForecast, Forecast, ViewEmbeddings

__all__ = ["Covariance", "VICReg", "Variance"]

Over: TypeAlias = Literal["batch", "time", "pooled"]
EPSILON = 1e-4


class VICReg(Sum):
    """Variance and covariance regularisers together, each logged under its own name.

    PLDM on Two Rooms (arXiv 2502.14819) is ``VICReg(3.98, 6.92, frames=(0, 1))`` on the first encodings, plus
    ``VICReg(0.245, 0.0, over="time", frames=(1, None), suffix="_time")`` on the later ones.

    Args:
        variance: Weight of :class:`Variance`.
        covariance: Weight of :class:`Covariance`.
        over: The samples of one statistic, see :class:`Variance`.
        frames: First and last (exclusive, None for all) observation of the clips to read.
        suffix: Appended to the names ``variance`` and ``covariance``.
    """

    def __init__(
        self,
        variance: float = 1.0,
        covariance: float = 1.0,
        over: Over = "batch",
        frames: tuple[int, int | None] = (0, None),
        suffix: str = "",
    ) -> None:
        super().__init__(
            (
                (Variance(over, frames, f"variance{suffix}"), variance),
                (Covariance(over, frames, f"covariance{suffix}"), covariance),
            )
        )


class _Moments(Term):
    """Base class of terms that read the second moments of the latents."""

    reads = (Forecast, ViewEmbeddings, FlowForecast)

    def __init__(self, over: Over, frames: tuple[int, int | None], name: str) -> None:
        super().__init__(name)
        if over not in get_args(Over):
            raise ConfigError(f"over is one of {', '.join(get_args(Over))}; got {over!r}.")
        self.over: Over = over
        self.frames = frames

    def centred(self, latents: Tensor) -> tuple[Tensor, int]:
        """Return samples ``[G, N, D]`` less their mean, and the size of each of the G groups over all processes."""
        latents = latents[:, slice(*self.frames)]
        if self.over == "batch":
            samples = latents.transpose(0, 1)
        else:
            samples = latents if self.over == "time" else latents.reshape(1, -1, latents.shape[-1])
        mean = self.reduced(samples.mean(1, keepdim=True))
        count = samples.shape[1] * (1 if self.over == "time" else world_size())
        if count < 2:
            raise SpecError(f"term {self.name!r} needs two samples over {self.over}; got {count}.")
        return samples - mean, count

    def reduced(self, mean: Tensor) -> Tensor:
        """Average a mean over local samples over all processes; a clip lies in one process."""
        return mean if self.over == "time" else all_mean(mean)


class Variance(_Moments):
    """Shortfall of each channel's standard deviation below 1: ``mean_j relu(1 - sqrt(Var(z_j) + 1e-4))``.

    VICReg (arXiv 2105.04906, eq. 1), with the unbiased variance. The mean runs over channels and groups.

    Args:
        over: ``batch``: one statistic for each time step, over the batch; ``time``: one for each clip, over its
            time steps; ``pooled``: one over both.
        frames: First and last (exclusive, None for all) observation of the clips to read.
        name: Name in logs.
    """

    prevents_collapse = True
    spread = "unit"

    def __init__(
        self, over: Over = "batch", frames: tuple[int, int | None] = (0, None), name: str = "variance"
    ) -> None:
        super().__init__(over, frames, name)

    def loss(self, forecast: Forecast | ViewEmbeddings | FlowForecast, _seed: int, /) -> Tensor:
        """Return a scalar in ``[0, 1]``; 0.99 when collapsed."""
        centred, count = self.centred(forecast.latents)
        variance = self.reduced(centred.square().mean(1)) * (count / (count - 1))
        return torch.relu(1.0 - torch.sqrt(variance + EPSILON)).mean()


class Covariance(_Moments):
    """Mean squared covariance of two different channels: ``sum_{i != j} C_ij^2 / (D (D - 1))``.

    The mean over the off-diagonal entries is the scaling of eb_jepa (arXiv 2602.03604) and PLDM. VICReg's paper
    (arXiv 2105.04906, eq. 4) divides by ``D`` alone: its weight is this one's divided by ``D - 1``.

    Args:
        over: The samples of one statistic, see :class:`Variance`.
        frames: First and last (exclusive, None for all) observation of the clips to read.
        name: Name in logs.
    """

    def __init__(
        self, over: Over = "batch", frames: tuple[int, int | None] = (0, None), name: str = "covariance"
    ) -> None:
        super().__init__(over, frames, name)

    def loss(self, forecast: Forecast | ViewEmbeddings | FlowForecast, _seed: int, /) -> Tensor:
        """Return a scalar of at least 0, in fourth powers of latent units."""
        centred, count = self.centred(forecast.latents)
        size = centred.shape[-1]
        covariance = self.reduced(centred.transpose(1, 2) @ centred / centred.shape[1]) * (count / (count - 1))
        off_diagonal = covariance.square().sum((1, 2)) - covariance.diagonal(dim1=1, dim2=2).square().sum(1)
        return off_diagonal.mean() / max(size * (size - 1), 1)
