"""Helpers of the checks of planners."""

from __future__ import annotations

import torch
from torch import Tensor

from tacit.types import ActionSpace, Box, Discrete

__all__ = ["expect", "legal"]


def expect(holds: bool | Tensor, promise: str) -> None:
    """Raise an AssertionError that names a promise unless it holds everywhere."""
    if not bool(torch.as_tensor(holds).all()):
        raise AssertionError(promise)


def legal(space: ActionSpace, actions: Tensor) -> Tensor:
    """Return a mask of the actions ``[..., A]`` that lie in the space."""
    masks = [_legal_part(part, actions[..., where]) for where, part in space.parts]
    return torch.stack(masks).all(dim=0)


def _legal_part(space: Box | Discrete, actions: Tensor) -> Tensor:
    if isinstance(space, Discrete):
        return ((actions == 0) | (actions == 1)).all(dim=-1) & (actions.sum(dim=-1) == 1)
    low, high = torch.tensor([space.low, space.high], dtype=torch.float64)
    fixed = low == high
    inside = (actions.double() >= low) & (actions.double() <= high)
    return torch.where(fixed, actions == low.float(), inside).all(dim=-1)
