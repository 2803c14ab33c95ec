"""Statistics of latents."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

__all__ = ["LatentStatistics", "effective_rank", "latent_statistics", "straightness"]


@dataclass(frozen=True)
class LatentStatistics:
    """Spread of latents.

    Attributes:
        effective_rank: See :func:`effective_rank`; 1 is a line, ``D`` a round cloud.
        min_std: Smallest standard deviation of a channel over batch and time.
        std: Root mean square of the standard deviations.
        size: Root mean square of the latents.
        motion: Share of the variance within clips, not between them.
    """

    effective_rank: float
    min_std: float
    std: float
    size: float
    motion: float


@torch.no_grad()
def latent_statistics(latents: Tensor) -> LatentStatistics:
    """Compute the spread of latents ``[B, T, D]``, in their own precision."""
    pooled = latents.flatten(0, 1)
    variance = pooled.var(dim=0, unbiased=False)
    within = (latents - latents.mean(dim=1, keepdim=True)).square().mean()
    total = variance.mean()
    return LatentStatistics(
        effective_rank=effective_rank(pooled),
        min_std=variance.min().sqrt().item(),
        std=total.sqrt().item(),
        size=pooled.square().mean().sqrt().item(),
        motion=(within / total).item() if total > 0 else 0.0,
    )


def effective_rank(latents: Tensor) -> float:
    """Compute the effective rank of latents ``[N, D]`` (Roy, Vetterli 2007).

    It is ``exp`` of the entropy of the covariance's normalised eigenvalues: 1 where the latents lie on a line or do not
    vary, ``D`` where they vary equally in all directions.
    """
    centred = (latents - latents.mean(dim=0)).double().cpu()
    # The Gram matrices of rows and of columns have the same eigenvalues except zeros: take the smaller.
    wide = centred.shape[0] < centred.shape[1]
    values = torch.linalg.eigvalsh(centred @ centred.T if wide else centred.T @ centred).clamp(min=0)
    if not values.sum() > 0:
        return 1.0
    return float(torch.special.entr(values / values.sum()).sum().exp())


def straightness(latents: Tensor) -> float:
    """Compute the mean cosine of successive velocities of latents ``[B, T, D]``.

    It needs ``T >= 3`` (LeWorldModel, eq. 9); a straight line has 1.
    """
    velocity = latents[:, 1:] - latents[:, :-1]
    return float(torch.cosine_similarity(velocity[:, 1:], velocity[:, :-1], dim=-1).mean())
