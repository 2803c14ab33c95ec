"""Options with one number for all components of an action, or one for each."""

from __future__ import annotations

import math

from tacit.errors import ConfigError

__all__ = ["for_each", "numbers"]


def numbers(values: object, name: str) -> float | tuple[float, ...]:
    """Return one finite number, or a tuple of them.

    Raises:
        ConfigError: if it is anything else.
    """
    one = isinstance(values, (int, float))
    try:
        if isinstance(values, (bool, str)):
            raise TypeError(values)
        found = (float(values),) if one else tuple(map(float, values))  # type: ignore[arg-type, call-overload]
    except (TypeError, ValueError, OverflowError):
        found = ()
    if not found or not all(map(math.isfinite, found)):
        raise ConfigError(f"{name} is a finite number, or a tuple with one for each action component; got {values!r}.")
    return found[0] if one else found


def for_each(values: float | tuple[float, ...], size: int, name: str) -> tuple[float, ...]:
    """Return one number for each of ``size`` components.

    Raises:
        ConfigError: if there are too few or too many.
    """
    if not isinstance(values, tuple):
        return (values,) * size
    if len(values) != size:
        raise ConfigError(f"{name} needs one number, or {size}: one for each action component; got {len(values)}.")
    return values
