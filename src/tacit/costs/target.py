"""The distance of a physical quantity to its target value."""

from __future__ import annotations

import math
from dataclasses import dataclass

from tacit._arrays import array_namespace
from tacit.costs._horizon import Reduce
from tacit.costs._quantity import QuantityCost
from tacit.errors import ConfigError
from tacit.types import Numbers, Readout

__all__ = ["Target"]


@dataclass(frozen=True, eq=False)
class Target(QuantityCost):
    """The squared distance of a quantity read from imagined latents to a value, in its units.

    ::

        tc.costs.Target(position, (30.0, 12.0), within=2.0)

    With the difference ``d`` over the ``K`` components that matter, the energy of a step is
    ``max(0, |d| ** 2 - within ** 2) / K``.

    Args:
        readout: Reads the quantity, such as a fitted probe (:func:`tacit.probing.fit`).
        value: The value to reach, a number for each component; None for one that does not matter.
        reduce: ``last``, ``sum`` or ``min`` over the horizon, as for :class:`tacit.costs.Goal`.
        within: The Euclidean distance at which the value is reached: the energy is 0 inside.

    Raises:
        ConfigError: if there is not one entry for each component, a value is not finite, all are None, or ``within``
            is above 0 and below the held-out error of the readout.
    """

    readout: Readout
    value: tuple[float | None, ...]
    reduce: Reduce = "last"
    within: float = 0.0

    def __post_init__(self) -> None:
        super().__post_init__()
        try:
            object.__setattr__(self, "value", tuple(self.value))
        except TypeError as error:
            raise ConfigError(
                f"Target takes a tuple with one number for each component of {self.readout.target!r}, such as (60.0,); "
                f"got {self.value!r}."
            ) from error
        known = [one for one in self.value if one is not None]
        if len(self.value) != self.readout.size or not known or not all(map(math.isfinite, known)):
            raise ConfigError(
                f"Target needs a finite value for each of the {self.readout.size} components of "
                f"{self.readout.target!r}, or None for those that do not matter; got {self.value}."
            )
        if not 0 <= self.within < math.inf:
            raise ConfigError(f"within of Target is a finite number >= 0; got {self.within!r}.")
        if 0 < self.within < self.error:
            raise ConfigError(
                f"the readout of {self.readout.target!r} has a held-out error of {self.error:.3g}; "
                f"within={self.within:g} is less. Give within of at least this error, or fit a better readout."
            )

    @property
    def error(self) -> float:
        """Return the root mean square held-out error of the readout, Euclidean over the components that matter."""
        return math.hypot(*(self.readout.error[index] for index, _ in self._known))

    @property
    def _known(self) -> list[tuple[int, float]]:
        """Return the components that matter and their values."""
        return [(index, value) for index, value in enumerate(self.value) if value is not None]

    def energy(self, values: Numbers, /) -> Numbers:
        """Return the squared distance ``[...]`` of values ``[..., P]`` beyond ``within``, over the components."""
        squares = [(values[..., index] - value) ** 2 for index, value in self._known]
        distance = sum(squares[1:], start=squares[0])
        if self.within:
            distance = array_namespace(values).clip(distance - self.within**2, 0.0, None)
        return distance / len(squares)
