"""Base of constraints with a margin, which hold along the straight path between imagined values."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from dataclasses import replace
from typing import Self

from tacit._arrays import array_namespace
from tacit.errors import ConfigError
from tacit.types import Numbers, Readout, Rollout

__all__ = ["MarginConstraint", "ReadoutConstraint", "check_margin"]

ROUNDING = 1e-5
"""Largest rounding error of a slack, as a share of the value."""


class MarginConstraint(ABC):
    """Condition on a quantity of imagined latents; see :class:`tacit.types.MarginConstraint`.

    A subclass is a frozen dataclass with the field ``margin``.
    """

    margin: float

    @property
    @abstractmethod
    def target(self) -> str:
        """Return the name of the quantity."""

    @abstractmethod
    def values(self, latents: Numbers, /) -> Numbers:
        """Return the quantity ``[..., P]`` of latents ``[..., D]``."""

    @abstractmethod
    def slack(self, values: Numbers, /) -> Numbers:
        """Return the slack ``[...]`` of values ``[..., P]``, in their unit; 0 or more keeps the condition."""

    def with_margin(self, margin: float, /) -> Self:
        """Return the constraint with another margin."""
        return replace(self, margin=margin)  # type: ignore[type-var]

    def lowest(self, first: Numbers, last: Numbers, /, level: float = math.inf) -> Numbers:  # noqa: ARG002 - see below
        """Return the lowest slack ``[...]`` on the lines between values ``[..., P]``.

        It is at an end of the line where the allowed values are convex.

        Args:
            first: ``[..., P]`` the first values.
            last: ``[..., P]`` the last values.
            level: A slack of at least this level needs to be no more than that; a subclass may save time with it.
        """
        xp = array_namespace(first)
        return xp.minimum(self.slack(first), self.slack(last))

    def slacks(self, rollout: Rollout, /) -> Numbers:
        """Return the lowest slack ``[B, S, H]`` of each block, from its start to its end."""
        first, last = self._ends(rollout)
        return self.lowest(first, last)

    def __call__(self, rollout: Rollout, /) -> Numbers:
        """Return violations ``[B, S, H]``; see :class:`tacit.types.Constraint`."""
        first, last = self._ends(rollout)
        xp, slack = array_namespace(last), self.lowest(first, last, self.margin)
        rounding = ROUNDING * xp.max(xp.abs(first[:, :, :1]), axis=-1)
        current = xp.clip(self.slack(first[:, :, :1]) - rounding, None, self.margin)
        opening = xp.maximum(current - slack[:, :, :1], self.margin - self.slack(last[:, :, :1]))
        return xp.concat([opening, self.margin - slack[:, :, 1:]], axis=2)

    def _ends(self, rollout: Rollout) -> tuple[Numbers, Numbers]:
        """Return the values ``[B, S, H, P]`` at the start and at the end of each block."""
        xp, last = array_namespace(rollout.latents), self.values(rollout.latents)
        start = self.values(rollout.start)[:, None, None, :]
        start = xp.broadcast_to(start, (*last.shape[:2], 1, last.shape[3]))
        return xp.concat([start, last[:, :, :-1]], axis=2), last


class ReadoutConstraint(MarginConstraint):
    """Condition on a quantity that a readout gives; a subclass has the field ``readout``.

    Raises:
        ConfigError: if the margin is negative, not finite, or above 0 and below the held-out error of the readout.
    """

    readout: Readout

    def __post_init__(self) -> None:
        check_margin(self.margin, str(self))
        error = max(self.readout.error)
        if 0 < self.margin < error:
            raise ConfigError(
                f"{self} has the margin {self.margin:g}, and its readout a held-out error of {error:.3g}. Give a "
                "margin of at least this error, or fit a better readout."
            )

    @property
    def target(self) -> str:
        """Return the name of the quantity."""
        return self.readout.target

    def values(self, latents: Numbers, /) -> Numbers:
        """Return the quantity ``[..., P]`` of latents ``[..., D]``."""
        return self.readout(latents)

    def with_margin(self, margin: float, /) -> Self:
        """Return the constraint with another margin, at least the held-out error of its readout."""
        return super().with_margin(max(margin, *self.readout.error) if margin else 0.0)

    def __str__(self) -> str:
        return f"{type(self).__name__}({self.target})"


def check_margin(margin: float, name: str) -> None:
    """Refuse a margin that is negative or not finite.

    Raises:
        ConfigError: if it is.
    """
    if not 0 <= margin < math.inf:
        raise ConfigError(f"the margin of {name} is a finite number >= 0 in the unit of the quantity; got {margin!r}.")
