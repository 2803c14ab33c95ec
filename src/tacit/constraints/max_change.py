"""A limit of how much actions change from one step to the next."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tacit._arrays import like
from tacit.constraints._components import for_each, numbers
from tacit.errors import ConfigError
from tacit.types import Box, Numbers

__all__ = ["MaxChange"]


@dataclass(frozen=True)
class MaxChange:
    """A limit of how much actions change from one step to the next.

    The first action of a plan is compared with the last executed action. Differences are those of float32 numbers,
    exact to one unit in the last place of the action.

    Args:
        change: The largest change of a raw action in one step, for all components or a tuple with one number for each.

    Raises:
        ConfigError: if a change is negative or not finite.
    """

    change: float | tuple[float, ...]

    def __post_init__(self) -> None:
        object.__setattr__(self, "change", numbers(self.change, "MaxChange.change"))
        if min(np.atleast_1d(self.change)) < 0:
            raise ConfigError(f"MaxChange.change is at least 0; got {self.change}.")

    def limited(self, space: Box, /) -> Box:
        """Return the whole space; see :class:`tacit.types.ActionConstraint`.

        Raises:
            ConfigError: if there are too few or too many numbers for its components.
        """
        for_each(self.change, space.size, "MaxChange.change")
        return space

    def after(self, previous: Numbers, /) -> tuple[Numbers, Numbers]:
        """Return the lowest and the highest action that may follow; see :class:`tacit.types.ActionConstraint`."""
        change = like(_float32_below(self.change), previous)
        return previous - change, previous + change


def _float32_below(values: float | tuple[float, ...]) -> npt.NDArray[np.float32]:
    """Return the largest float32 numbers that are not above ``values``."""
    exact = np.asarray(values, np.float64)
    nearest = exact.astype(np.float32)
    return np.where(nearest > exact, np.nextafter(nearest, np.float32(-np.inf)), nearest)
