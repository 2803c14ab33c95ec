"""Record of the calibration of the margins of an agent."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from tacit.types import MarginConstraint

__all__ = ["MarginRecord"]

QUANTILES = (0.0, 0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99, 1.0)
"""The quantiles of the goals that a record holds."""


@dataclass(frozen=True)
class MarginRecord:
    """Calibration of the margins of an agent, saved with it.

    Attributes:
        margins: The margin of each constraint, in the unit of its quantity.
        rate: The largest allowed share of episodes that break a constraint.
        guarantee: ``mean``: on average over calibrations; ``pac``: with the confidence.
        confidence: The confidence of ``pac``.
        episodes: Episodes of each test, ``n``.
        rank: ``m``: a margin passes with at most ``m - 1`` episodes that break a constraint.
        violated: Episodes that broke a constraint in the test of these margins.
        confirmed: The same of fresh episodes.
        digest: The digest of the agent with these margins; see :meth:`tacit.Agent.digest`.
        goals: By constraint, for each component of its quantity: quantiles of the goals of the tests, read from their
            latents, at 0, 1, 5, 25, 50, 75, 95, 99 and 100 %.
    """

    margins: Mapping[str, float]
    rate: float
    guarantee: Literal["mean", "pac"]
    confidence: float
    episodes: int
    rank: int
    violated: int = 0
    confirmed: int = 0
    digest: str = ""
    goals: Mapping[str, tuple[tuple[float, ...], ...]] = field(default_factory=dict)

    @staticmethod
    def goals_of(limits: Mapping[str, MarginConstraint], latents: Tensor) -> dict[str, tuple[tuple[float, ...], ...]]:
        """Return :attr:`goals` of latents of goals ``[n, D]``."""
        found = {name: limit.values(latents).double().cpu().numpy() for name, limit in limits.items()}
        return {
            name: tuple(tuple(map(float, np.quantile(column, QUANTILES))) for column in values.T)
            for name, values in found.items()
        }

    def outside(self, limits: Mapping[str, MarginConstraint], latents: Tensor) -> npt.NDArray[np.float32]:
        """Return 1 for latents of goals ``[B, D]`` outside of the range of the calibrated ones, else 0; ``[B]``."""
        outside = torch.zeros(len(latents), dtype=torch.bool, device=latents.device)
        for name, columns in self.goals.items():
            low, high = (latents.new_tensor([column[end] for column in columns]) for end in (0, -1))
            values = limits[name].values(latents)
            outside |= ((values < low) | (values > high)).any(dim=1)
        return outside.float().cpu().numpy()

    def __str__(self) -> str:
        margins = ", ".join(f"{name} {margin:.3g}" for name, margin in self.margins.items())
        surely = f" with {100 * self.confidence:g} % confidence" if self.guarantee == "pac" else " on average"
        return (
            f"margins {margins}: at most {100 * self.rate:g} % of episodes break a constraint{surely}; rank "
            f"{self.rank} of n = {self.episodes}, {self.violated} broke one, {self.confirmed} of {self.episodes} fresh "
            "ones"
        )
