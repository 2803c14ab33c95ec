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
from tacit.types import ActionSpace, Box, Discrete, Mixed

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
        raw: Converts rows ``[B, A]`` to actions of the environment, clipped to its space: an array ``[B, ...]``, or a
            list of ``B`` tuples or dictionaries.
        executed: Returns the rows that the environment executes, where they can differ; None where they cannot.
    """

    space: ActionSpace
    raw: Callable[[Floats], Any]
    executed: Callable[[Floats], Floats] | None = None


def actions(space: gymnasium.Space[Any]) -> Actions:
    """Return the action space and the conversions of a Gymnasium action space.

    Raises:
        SpecError: unless it is a Box with finite bounds, choices of at least two actions, or a Dict or Tuple of these.
    """
    match space:
        case spaces.Discrete():
            start = int(space.start)
            return Actions(Discrete(int(space.n)), lambda rows: rows.argmax(axis=1) + start)
        case spaces.MultiBinary():
            return _choices(space, np.full(space.shape, 2), np.zeros(space.shape, np.int64))
        case spaces.MultiDiscrete():
            return _choices(space, space.nvec, space.start)
        case spaces.Dict():
            names = tuple(map(str, space.spaces))
            return _several(
                list(space.spaces.values()), lambda values: dict(zip(space.spaces, values, strict=True)), names
            )
        case spaces.Tuple():
            return _several(list(space.spaces), tuple, ())
        case spaces.Box() if space.dtype.kind in "iuf":
            return _box(space)
    raise SpecError(
        f"actions must be numbers, choices, or a Dict or Tuple of these; got {space}. Wrap the environment, for "
        "example in gymnasium.wrappers.TransformAction."
    )


def _choices(space: spaces.MultiBinary | spaces.MultiDiscrete, counts: Any, starts: Any) -> Actions:
    """Return several discrete choices at once, each one-hot."""
    sizes = [int(count) for count in np.ravel(counts)]
    choice = Discrete(sizes[0]) if len(sizes) == 1 else Mixed(tuple(map(Discrete, sizes)))

    def raw(rows: Floats) -> Any:
        chosen = np.stack([rows[:, where].argmax(axis=1) for where, _ in choice.parts], axis=1)
        return (chosen.reshape(-1, *np.shape(counts)) + starts).astype(space.dtype)

    return Actions(choice, raw)


def _several(parts: list[gymnasium.Space[Any]], joined: Callable[[Any], Any], names: tuple[str, ...]) -> Actions:
    """Return the actions of several spaces at once.

    Args:
        parts: The spaces.
        joined: Returns the action of the environment, from those of the parts.
        names: A name of each part, or none.
    """
    found = [actions(part) for part in parts]
    simple = [len(one.space.parts) for one in found]
    named = tuple(
        name if count == 1 else f"{name}.{index}"
        for name, count in zip(names, simple, strict=bool(names))
        for index in range(count)
    )
    spread = tuple(part for one in found for _, part in one.space.parts)
    if not spread:
        raise SpecError("an environment to act in needs at least one action component; got an empty Dict or Tuple.")
    ends = np.cumsum([one.space.size for one in found])[:-1]

    def raw(rows: Floats) -> list[Any]:
        columns = [one.raw(part) for one, part in zip(found, np.split(rows, ends, axis=1), strict=True)]
        return [joined(values) for values in zip(*columns, strict=True)]

    def executed(rows: Floats) -> Floats:
        columns = zip(found, np.split(rows, ends, axis=1), strict=True)
        return np.concatenate([part if one.executed is None else one.executed(part) for one, part in columns], axis=1)

    rounds = any(one.executed is not None for one in found)
    whole = spread[0] if len(spread) == 1 else Mixed(spread, named)
    return Actions(whole, raw, executed if rounds else None)


def _box(space: spaces.Box) -> Actions:
    """Return the actions of a box.

    Raises:
        SpecError: if it has no components or no finite bounds.
    """
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
