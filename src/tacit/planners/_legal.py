"""Actions brought into their space."""

from __future__ import annotations

from torch import Tensor

from tacit.planners._search import Bounds, Categorical
from tacit.types import ActionSpace, Box

__all__ = ["legal"]


def legal(space: ActionSpace, actions: Tensor) -> Tensor:
    """The nearest actions ``[..., A]`` in the space: clipped to a box, or one-hot at the largest entry."""
    if isinstance(space, Box):
        return Bounds.of(space, actions.device).clip(actions)
    return Categorical(actions).mode
