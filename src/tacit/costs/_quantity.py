"""Base class of costs of a physical quantity that is read from latents."""

from __future__ import annotations

from tacit.costs._base import CostTerm
from tacit.costs._horizon import Reduce, check_reduce, considered, over_horizon
from tacit.types import Numbers, Readout, Rollout

__all__ = ["QuantityCost"]


class QuantityCost(CostTerm):
    """Base class of goals in the values of a quantity.

    A subclass is a frozen dataclass with the fields ``readout`` and ``reduce`` that implements :meth:`energy`. Its
    energy of a plan is that of the values that the readout gives, reduced over the horizon.

    Raises:
        ConfigError: if the reduction is unknown.
    """

    readout: Readout
    reduce: Reduce

    def __post_init__(self) -> None:
        check_reduce(self.reduce, type(self).__name__)

    def energy(self, values: Numbers, /) -> Numbers:
        """Return the energy ``[...]`` of values ``[..., P]``, 0 where they reach the goal."""
        raise NotImplementedError

    def __call__(self, rollout: Rollout, /) -> Numbers:
        """Return energies ``[B, S]``; see :class:`tacit.types.Cost`."""
        return over_horizon(self.energy(self.readout(considered(rollout.latents, self.reduce))), self.reduce)
