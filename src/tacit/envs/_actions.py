"""Conversion of Gymnasium action spaces to those of a Spec."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import gymnasium
import numpy as np
import numpy.typing as npt
from gymnasium import spaces

from tacit.errors import SpecError
from tacit.types import ActionSpace, Box, Discrete

__all__ = ["Actions", "actions"]

Floats = npt.NDArray[np.float32]
EXACT = 2**24
UNBOUNDED = 1e18
"""Magnitude from which a bound counts as none, such as the largest float32."""


@dataclass(frozen=True)
class Actions:
    """The actions of an environment.

    Attributes:
        space: The space that they are chosen from.
        raw: Turns rows ``[B, A]`` into a batch for the environment, clipped to its space.
        executed: Returns the rows that the environment executes, where they can differ; None where they cannot.
    """

    space: ActionSpace
    raw: Callable[[Floats], Any]
    executed: Callable[[Floats], Floats] | None = None


def actions(space: gymnasium.Space[Any]) -> Actions:
    """Return the action space and the conversions of a Gymnasium action space.

    Raises:
        SpecError: unless it is a Box with finite bounds or a Discrete of at least two actions.
    """
    if isinstance(space, spaces.Discrete):
        start = int(space.start)
        return Actions(Discrete(int(space.n)), lambda rows: rows.argmax(axis=1) + start)
    if not isinstance(space, spaces.Box) or space.dtype.kind not in "iuf":
        raise SpecError(
            f"actions must be a Box of numbers or a Discrete space; got {space}. Wrap the environment, for example in "
            "gymnasium.wrappers.TransformAction."
        )
    whole = space.dtype.kind in "iu"
    low, high = space.low.astype(np.float64), space.high.astype(np.float64)
    if not np.size(low):
        raise SpecError(f"an environment to act in needs at least one action component; got {space}.")
    if not np.isfinite([low, high]).all() or np.abs([low, high]).max() > (EXACT if whole else UNBOUNDED):
        raise SpecError(
            f"actions need finite bounds{' up to 2**24, as they are integers' if whole else ''}; got {space}. Give the "
            "range that the actuator accepts: wrap the environment in gymnasium.wrappers.RescaleAction or "
            "TransformAction with a bounded Box."
        )

    def clipped(rows: Floats) -> Any:
        inside = np.clip(rows.reshape(-1, *space.shape), space.low, space.high)
        return (np.rint(inside) if whole else inside).astype(space.dtype)

    def executed(rows: Floats) -> Floats:
        return np.asarray(clipped(rows), np.float32).reshape(len(rows), -1)

    box = Box(tuple(map(float, low.ravel())), tuple(map(float, high.ravel())))
    return Actions(box, clipped, executed if whole else None)
