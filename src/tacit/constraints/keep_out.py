"""A box that a quantity stays out of."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import combinations

from tacit._arrays import array_namespace
from tacit._ranges import Limit, check_range, excess, limits
from tacit.constraints._margins import ReadoutConstraint
from tacit.types import Numbers, Readout

__all__ = ["KeepOut"]


@dataclass(frozen=True, eq=False)
class KeepOut(ReadoutConstraint):
    """A box that a quantity stays out of, such as a region that a robot must not enter.

    ::

        tc.constraints.KeepOut(position, low=(10.0, 20.0), high=(18.0, 40.0), margin=1.0)

    The slack of a value outside of the box is the largest distance to it along one component; inside it is minus the
    shortest way out. On the line between two boundaries of blocks it is computed exactly.

    Args:
        readout: Reads the quantity, such as a fitted probe (:func:`tacit.probing.fit`).
        low: The lowest value inside, for all components or a tuple with one for each; None: the box has no end there.
        high: The highest value inside.
        margin: The slack that a plan keeps, in the unit of the quantity; see :class:`tacit.types.MarginConstraint`.

    Raises:
        ConfigError: if there is no limit, or one for each component is missing, the box is empty, or the margin is
            below the held-out error of the readout.
    """

    readout: Readout
    low: Limit
    high: Limit
    margin: float = 0.0

    def __post_init__(self) -> None:
        super().__post_init__()
        check_range(*self._range, "KeepOut")

    @property
    def _range(self) -> tuple[tuple[float | None, ...], tuple[float | None, ...]]:
        size = self.readout.size
        return limits(self.low, size, "KeepOut.low"), limits(self.high, size, "KeepOut.high")

    def slack(self, values: Numbers, /) -> Numbers:
        """Return the distance ``[...]`` of values ``[..., P]`` to the box, negative inside."""
        return array_namespace(values).max(excess(values, *self._range), axis=-1)

    def lowest(self, first: Numbers, last: Numbers, /, level: float = math.inf) -> Numbers:
        """Return the lowest slack ``[...]`` on the lines between values ``[..., P]``.

        It is exact below the level; above it is at least the level and at most the slack.
        """
        xp = array_namespace(first)
        start, end = excess(first, *self._range), excess(last, *self._range)
        if level == math.inf:
            return _lowest_of_largest(start, end)
        bound = xp.max(xp.minimum(start, end), axis=-1)
        near = bound < level
        if not xp.any(near):
            return bound
        found = bound + 0
        found[near] = _lowest_of_largest(start[near], end[near])
        return found


def _lowest_of_largest(start: Numbers, end: Numbers) -> Numbers:
    """Return the lowest value ``[...]`` on a line of the largest of ``J`` linear functions.

    It is at an end, or where two of the functions are equal.

    Args:
        start: ``[..., J]`` the functions at the start of each line.
        end: ``[..., J]`` the functions at its end.
    """
    xp, slope = array_namespace(start), end - start
    lowest = xp.minimum(xp.max(start, axis=-1), xp.max(end, axis=-1))
    for one, two in combinations(range(start.shape[-1]), 2):
        difference = slope[..., one] - slope[..., two]
        parallel = difference == 0
        share = (start[..., two] - start[..., one]) / xp.where(parallel, 1.0, difference)
        share = xp.clip(xp.where(parallel, 0.0, share), 0.0, 1.0)
        lowest = xp.minimum(lowest, xp.max(start + share[..., None] * slope, axis=-1))
    return lowest
