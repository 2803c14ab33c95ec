"""A range that a quantity stays in."""

from __future__ import annotations

from dataclasses import dataclass

from tacit._arrays import array_namespace
from tacit._ranges import Limit, check_range, excess, limits
from tacit.constraints._margins import ReadoutConstraint
from tacit.types import Numbers, Readout

__all__ = ["Within"]


@dataclass(frozen=True, eq=False)
class Within(ReadoutConstraint):
    """A range that a quantity stays in, such as a glucose above 70.

    ::

        tc.constraints.Within(glucose, low=70.0, margin=5.0)

    Args:
        readout: Reads the quantity, such as a fitted probe (:func:`tacit.probing.fit`).
        low: The lowest value, for all components or a tuple with one for each; None: no limit.
        high: The highest value.
        margin: The slack that a plan keeps, in the unit of the quantity; see :class:`tacit.types.MarginConstraint`.

    Raises:
        ConfigError: if there is no limit, or one for each component is missing, nothing is between them, or
            the margin is below the held-out error of the readout.
    """

    readout: Readout
    low: Limit = None
    high: Limit = None
    margin: float = 0.0

    def __post_init__(self) -> None:
        super().__post_init__()
        check_range(*self._range, "Within")

    @property
    def _range(self) -> tuple[tuple[float | None, ...], tuple[float | None, ...]]:
        size = self.readout.size
        return limits(self.low, size, "Within.low"), limits(self.high, size, "Within.high")

    def slack(self, values: Numbers, /) -> Numbers:
        """Return the distance ``[...]`` of values ``[..., P]`` to the nearest limit, negative outside of the range."""
        return -array_namespace(values).max(excess(values, *self._range), axis=-1)
