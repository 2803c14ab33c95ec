"""The distance of a physical quantity to a box of values."""

from __future__ import annotations

from dataclasses import dataclass

from tacit._arrays import array_namespace
from tacit._ranges import Limit, Limits, check_range, excess, limits
from tacit.costs._horizon import Reduce
from tacit.costs._quantity import QuantityCost
from tacit.errors import ConfigError
from tacit.types import Numbers, Readout

__all__ = ["Region"]


@dataclass(frozen=True, eq=False)
class Region(QuantityCost):
    """The squared distance of a quantity read from imagined latents to a box, 0 inside.

    ::

        tc.costs.Region(position, low=(20.0, 10.0), high=(30.0, None))

    Args:
        readout: Reads the quantity, such as a fitted probe (:func:`tacit.probing.fit`).
        low: The lowest value, for all components or a tuple with one for each; None: no limit.
        high: The highest value.
        reduce: ``last``, ``sum`` or ``min`` over the horizon, as for :class:`tacit.costs.Goal`.

    Raises:
        ConfigError: if there is no limit, or one for each component is missing, the box is empty, or it is narrower
            than twice the held-out error of the readout.
    """

    readout: Readout
    low: Limit = None
    high: Limit = None
    reduce: Reduce = "last"

    def __post_init__(self) -> None:
        super().__post_init__()
        low, high = self._range
        check_range(low, high, "Region")
        for index, (lowest, highest) in enumerate(zip(low, high, strict=True)):
            error = self.readout.error[index]
            if lowest is not None and highest is not None and highest - lowest < 2 * error:
                raise ConfigError(
                    f"the readout of {self.readout.target!r} has a held-out error of {error:.3g} in component {index}; "
                    f"the region from {lowest:g} to {highest:g} is narrower than twice that. Give a wider one, or fit "
                    "a better readout."
                )

    @property
    def _range(self) -> tuple[Limits, Limits]:
        size = self.readout.size
        return limits(self.low, size, "Region.low"), limits(self.high, size, "Region.high")

    def energy(self, values: Numbers, /) -> Numbers:
        """Return the squared Euclidean distance ``[...]`` of values ``[..., P]`` to the box."""
        xp = array_namespace(values)
        return xp.sum(xp.clip(excess(values, *self._range), 0.0, None) ** 2, axis=-1)
