"""Limits of actions that are narrower than their space."""

from __future__ import annotations

from dataclasses import dataclass, replace

from tacit.constraints._components import for_each, numbers
from tacit.errors import ConfigError
from tacit.types import Box, Numbers

__all__ = ["Limits"]


@dataclass(frozen=True)
class Limits:
    """Limits of actions that are narrower than their space.

    Args:
        low: The lowest action, for all components or a tuple with one number for each, in raw units.
        high: The highest action.

    Raises:
        ConfigError: if a limit is not finite.
    """

    low: float | tuple[float, ...]
    high: float | tuple[float, ...]

    def __post_init__(self) -> None:
        for name in ("low", "high"):
            object.__setattr__(self, name, numbers(vars(self)[name], f"Limits.{name}"))

    def limited(self, space: Box, /) -> Box:
        """Return the part of the space within the limits; see :class:`tacit.types.ActionConstraint`.

        Raises:
            ConfigError: if there are too few or too many limits, or nothing of the space is within them.
        """
        lows, highs = for_each(self.low, space.size, "Limits.low"), for_each(self.high, space.size, "Limits.high")
        low = tuple(map(max, space.low, lows))
        high = tuple(map(min, space.high, highs))
        for index, (lowest, highest) in enumerate(zip(low, high, strict=True)):
            if lowest > highest:
                raise ConfigError(
                    f"Limits [{lows[index]:g}, {highs[index]:g}] of action component {index} leave nothing of its "
                    f"range [{space.low[index]:g}, {space.high[index]:g}]. Give limits that overlap with it."
                )
        return replace(space, low=low, high=high)

    def after(self, previous: Numbers, /) -> None:  # noqa: ARG002 - the limits are the same after every action
        """Return None: limits do not depend on the previous action."""
        return
