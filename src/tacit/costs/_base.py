"""Base class of costs, which can be added and scaled by a number."""

from __future__ import annotations

from dataclasses import dataclass

from tacit.errors import ConfigError
from tacit.types import Numbers, Rollout

__all__ = ["Scaled", "Summable", "Total"]


class Summable:
    """Base class of costs with ``cost + cost`` and ``number * cost``.

    A subclass implements ``cost(rollout) -> energies``; see :class:`tacit.types.Cost`.
    """

    def __call__(self, rollout: Rollout, /) -> Numbers:
        """Return energies ``[B, S]``; see :class:`tacit.types.Cost`."""
        raise NotImplementedError

    @property
    def parts(self) -> tuple[Scaled, ...]:
        """Return the terms of the weighted sum: the cost itself, unless it is a sum."""
        return (Scaled(1.0, self),)

    def __add__(self, other: Summable) -> Total:
        return Total((*self.parts, *other.parts))

    def __mul__(self, weight: float) -> Total:
        return Total(tuple(Scaled(weight * term.weight, term.cost) for term in self.parts))

    __rmul__ = __mul__


@dataclass(frozen=True)
class Scaled:
    """A cost and its weight.

    Raises:
        ConfigError: if the weight is not a finite number of at least zero.
    """

    weight: float
    cost: Summable

    def __post_init__(self) -> None:
        if not 0 <= self.weight < float("inf"):
            raise ConfigError(f"the weight of a cost is a finite number >= 0; got {self.weight}.")

    def __repr__(self) -> str:
        return repr(self.cost) if self.weight == 1 else f"{self.weight:g} * {self.cost!r}"


@dataclass(frozen=True)
class Total(Summable):
    """A weighted sum of costs.

    Raises:
        ConfigError: if there is no term.
    """

    terms: tuple[Scaled, ...]

    def __post_init__(self) -> None:
        if not self.terms:
            raise ConfigError("a sum of costs needs at least one; got none.")

    @property
    def parts(self) -> tuple[Scaled, ...]:
        """Return the terms."""
        return self.terms

    def __call__(self, rollout: Rollout, /) -> Numbers:
        """Return the weighted sum of the energies ``[B, S]`` of the terms."""
        first, *others = [term.weight * term.cost(rollout) for term in self.terms]
        return sum(others, start=first)

    def __repr__(self) -> str:
        return " + ".join(map(repr, self.terms))
