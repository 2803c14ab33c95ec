"""Ranges of a quantity of several components, with open ends."""

from __future__ import annotations

import math
from typing import TypeAlias

from tacit._arrays import array_namespace
from tacit.errors import ConfigError
from tacit.types import Numbers

__all__ = ["Limit", "Limits", "check_range", "excess", "limits"]

Limit: TypeAlias = float | tuple[float | None, ...] | None
"""A limit of all components, or one for each; None: there is none."""
Limits: TypeAlias = tuple[float | None, ...]


def limits(limit: Limit, size: int, name: str) -> Limits:
    """Return a limit, or None, for each of ``size`` components.

    Raises:
        ConfigError: if there are too few or too many, or one is not finite.
    """
    found = (limit,) * size if limit is None or isinstance(limit, (int, float)) else tuple(limit)
    if len(found) != size or not all(one is None or math.isfinite(one) for one in found):
        raise ConfigError(
            f"{name} is a finite number or None, or one for each of the {size} components; got {limit!r}."
        )
    return tuple(None if one is None else float(one) for one in found)


def check_range(low: Limits, high: Limits, name: str) -> None:
    """Refuse a range without a limit or without a value.

    Raises:
        ConfigError: naming the component.
    """
    if not any(one is not None for one in (*low, *high)):
        raise ConfigError(f"{name} needs a limit: low, high or both.")
    for index, (lowest, highest) in enumerate(zip(low, high, strict=True)):
        if lowest is not None and highest is not None and lowest >= highest:
            raise ConfigError(f"{name} needs low < high; component {index} has low={lowest:g} and high={highest:g}.")


def excess(values: Numbers, low: Limits, high: Limits) -> Numbers:
    """Return the amounts ``[..., J]`` by which values ``[..., P]`` exceed each of the ``J`` limits."""
    above = [values[..., index] - limit for index, limit in enumerate(high) if limit is not None]
    below = [limit - values[..., index] for index, limit in enumerate(low) if limit is not None]
    return array_namespace(values).stack([*above, *below], axis=-1)
