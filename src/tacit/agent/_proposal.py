"""Policies that suggest plans."""

from __future__ import annotations

from typing import Protocol

from torch import Tensor

from tacit.types import Context, Noise, WorldModel

__all__ = ["Proposal"]


class Proposal(Protocol):
    """A policy that suggests plans, for example a :class:`tacit.models.GoalPolicy`."""

    def propose(
        self, context: Context, goal: Tensor, horizon: int, count: int, noise: Noise, model: WorldModel
    ) -> Tensor:
        """Return ``count`` plans of raw action blocks ``[B, count, horizon, A']`` towards goals ``[B, D]``."""
