"""Spaces of blocks of actions."""

from __future__ import annotations

from tacit.types import ActionSpace, Box, Discrete, Mixed

__all__ = ["block_space"]


def block_space(space: ActionSpace, steps: int) -> ActionSpace:
    """Return the space of ``steps`` actions one after the other, ``[steps * A]``."""
    if steps == 1:
        return space
    if isinstance(space, Box):
        return Box(space.low * steps, space.high * steps, space.kinds * steps)
    simple = (space,) if isinstance(space, Discrete) else space.spaces
    return Mixed(simple * steps)
