"""Base of constraints with a margin, which hold along the straight path between imagined values."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod

from tacit._arrays import array_namespace
from tacit.errors import ConfigError
from tacit.types import Numbers, Rollout

__all__ = ["MarginConstraint", "check_margin"]

ROUNDING = 1e-5
"""Largest rounding error of a slack, as a share of the value."""


class MarginConstraint(ABC):
    """Condition on a quantity of imagined latents; see :class:`tacit.types.MarginConstraint`."""

    margin: float

    @abstractmethod
    def values(self, latents: Numbers, /) -> Numbers:
        """Return the constrained values ``[..., P]`` of latents ``[..., D]``."""

    @abstractmethod
    def slack(self, values: Numbers, /) -> Numbers:
        """Return the slack ``[...]`` of values ``[..., P]``, in their unit; 0 or more keeps the condition."""

    def lowest(self, first: Numbers, last: Numbers, /) -> Numbers:
        """Return the lowest slack ``[...]`` on the lines between values ``[..., P]``.

        It is at an end of the line where the allowed values are convex.
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
        xp, slack = array_namespace(last), self.lowest(first, last)
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


def check_margin(margin: float, name: str) -> None:
    """Refuse a margin that is negative or not finite.

    Raises:
        ConfigError: if it is.
    """
    if not 0 <= margin < math.inf:
        raise ConfigError(f"{name}.margin is a finite number >= 0 in the unit of the quantity; got {margin!r}.")
