"""The distance of a physical quantity to its target value."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from tacit._arrays import array_namespace
from tacit.costs._base import CostTerm
from tacit.errors import ConfigError
from tacit.types import Numbers, Readout, Rollout

__all__ = ["Target"]


@dataclass(frozen=True, eq=False)
class Target(CostTerm):
    """The squared distance of a quantity read from imagined latents to a value, in its units.

    Args:
        readout: Reads the quantity, such as a fitted probe (:func:`tacit.probing.fit`).
        value: The value to reach, a number for each component; None for one that does not matter.
        reduce: ``last``, ``sum`` or ``min`` over the horizon, as for :class:`tacit.costs.Goal`.

    Raises:
        ConfigError: if there is not one entry for each component, a value is not finite, or all are None.
    """

    readout: Readout
    value: tuple[float | None, ...]
    reduce: Literal["last", "sum", "min"] = "last"

    def __post_init__(self) -> None:
        object.__setattr__(self, "value", tuple(self.value))
        if self.reduce not in ("last", "sum", "min"):
            raise ConfigError(f"Target reduces by 'last', 'sum' or 'min'; got {self.reduce!r}.")
        known = [one for one in self.value if one is not None]
        if len(self.value) != self.readout.size or not known or not all(map(math.isfinite, known)):
            raise ConfigError(
                f"Target needs a finite value for each of the {self.readout.size} components of "
                f"{self.readout.target!r}, or None for those that do not matter; got {self.value}."
            )

    def __call__(self, rollout: Rollout, /) -> Numbers:
        """Return energies ``[B, S]``; see :class:`tacit.types.Cost`."""
        latents = rollout.latents[:, :, -1:] if self.reduce == "last" else rollout.latents
        read, xp = self.readout(latents), array_namespace(latents)
        squares = [(read[..., index] - value) ** 2 for index, value in enumerate(self.value) if value is not None]
        distance = sum(squares[1:], start=squares[0]) / len(squares)
        return xp.min(distance, axis=-1) if self.reduce == "min" else xp.sum(distance, axis=-1)
