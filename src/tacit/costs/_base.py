"""Base class of costs, which can be added and scaled by a number."""

from __future__ import annotations

from dataclasses import dataclass

from tacit.errors import ConfigError
from tacit.types import Numbers, Rollout

__all__ = ["CostSum", "CostTerm", "WeightedCost"]


class CostTerm:
    """Base class of costs with ``cost + cost`` and ``number * cost``.

    A subclass implements ``cost(rollout) -> energies``; see :class:`tacit.types.Cost`.
    """

    def __call__(self, rollout: Rollout, /) -> Numbers:
        """Return energies ``[B, S]``; see :class:`tacit.types.Cost`."""
        raise NotImplementedError

    def terms(self) -> tuple[WeightedCost, ...]:
        """Return the terms of the weighted sum: the cost itself, unless it is a sum."""
        return (WeightedCost(1.0, self),)

    def __add__(self, other: CostTerm) -> CostSum:
        return CostSum((*self.terms(), *other.terms()))

    def __mul__(self, weight: float) -> CostSum:
        return CostSum(tuple(WeightedCost(weight * term.weight, term.cost) for term in self.terms()))

    __rmul__ = __mul__


@dataclass(frozen=True)
class WeightedCost:
    """A cost and its weight.

    Raises:
        ConfigError: if the weight is not a finite number of at least zero.
    """

    weight: float
    cost: CostTerm

    def __post_init__(self) -> None:
        if not 0 <= self.weight < float("inf"):
            raise ConfigError(f"the weight of a cost is a finite number >= 0; got {self.weight}.")

    def __repr__(self) -> str:
        return repr(self.cost) if self.weight == 1 else f"{self.weight:g} * {self.cost!r}"


@dataclass(frozen=True)
class CostSum(CostTerm):
    """A weighted sum of costs.

    Raises:
        ConfigError: if there is no term.
    """

    costs: tuple[WeightedCost, ...]

    def __post_init__(self) -> None:
        if not self.costs:
            raise ConfigError("a sum of costs needs at least one; got none.")

    def terms(self) -> tuple[WeightedCost, ...]:
        """Return the terms."""
        return self.costs

    def __call__(self, rollout: Rollout, /) -> Numbers:
        """Return the weighted sum of the energies ``[B, S]`` of the terms."""
        first, *others = [term.weight * term.cost(rollout) for term in self.costs]
        return sum(others, start=first)

    def __repr__(self) -> str:
        return " + ".join(map(repr, self.costs))
