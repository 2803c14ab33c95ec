"""Actions brought into their space."""

from __future__ import annotations

from typing import TypeVar, cast

from array_api_compat import is_torch_array

from tacit.planners._search import Bounds, Categorical
from tacit.types import ActionSpace, Box

__all__ = ["legal"]


N = TypeVar("N")


def legal(space: ActionSpace, actions: N) -> N:
    """Return the nearest actions ``[..., A]`` in the space: clipped to a box, or one-hot at the largest entry."""
    if isinstance(space, Box):
        return cast("N", Bounds.of(space, actions.device if is_torch_array(actions) else None).clip(actions))
    return cast("N", Categorical(actions).mode)
