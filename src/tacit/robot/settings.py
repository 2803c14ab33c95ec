"""Settings of a control loop: limits of commands and reactions to faults."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias, get_args

import numpy as np
import numpy.typing as npt

from tacit.errors import ConfigError
from tacit.types import ActionSpace

__all__ = ["Faults", "Limits", "Reaction"]

Numbers: TypeAlias = float | tuple[float, ...] | None
Floats: TypeAlias = npt.NDArray[np.float32]

Reaction: TypeAlias = Literal["fallback", "noop", "repeat", "stop"]
"""Reactions to a fault: the fallback of the agent; do nothing by the kind of each component, which holds a position;
repeat the last command; or end the run with the safe stop."""


@dataclass(frozen=True)
class Limits:
    """Limits of what a loop writes, one number for all components of the action or a tuple with one for each.

    Attributes:
        low: Smallest command; None: the bound of the action space.
        high: Largest command; None: the bound of the action space.
        rate: Largest change of the command per second; None: no limit.
        step: Largest distance of a ``position`` command from the current position; None: no limit. Other components
            ignore it.

    Raises:
        ConfigError: if a rate or a step is not above 0, or ``low`` exceeds ``high``.
    """

    low: Numbers = None
    high: Numbers = None
    rate: Numbers = None
    step: Numbers = None

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            if isinstance(value, Sequence):
                object.__setattr__(self, name, tuple(value))
        for name in ("rate", "step"):
            if not (np.asarray(_filled(vars(self)[name], math.inf)) > 0).all():
                raise ConfigError(f"Limits needs a {name} above 0; got {vars(self)[name]}. None: no limit.")

    def bounds(self, space: ActionSpace) -> tuple[Floats, Floats]:
        """Return the smallest and the largest command ``[A]`` of an action space.

        Raises:
            ConfigError: if a limit has another number of components, or no command satisfies both.
        """
        low, high = (np.asarray(bound, np.float32) for bound in space.bounds)
        for name, value in vars(self).items():
            if isinstance(value, tuple) and len(value) != space.size:
                raise ConfigError(
                    f"Limits.{name} needs one number for each of the {space.size} components of an action; got {value}."
                )
        low = np.maximum(low, np.asarray(_filled(self.low, -math.inf), np.float32))
        high = np.minimum(high, np.asarray(_filled(self.high, math.inf), np.float32))
        if (low > high).any():
            raise ConfigError(f"no command is within the limits: low {low.tolist()} exceeds high {high.tolist()}.")
        return low, high

    def apply(
        self, action: Floats, bounds: tuple[Floats, Floats], before: Floats, position: Floats, hz: float
    ) -> Floats:
        """Return the nearest command ``[A]`` within the limits. Bounds are satisfied whatever the other limits.

        Args:
            action: ``[A]`` what is asked.
            bounds: The result of :meth:`bounds`.
            before: ``[A]`` the last command; NaN where it is unknown.
            position: ``[A]`` the current position of ``position`` components; NaN elsewhere.
            hz: Commands per second.
        """
        for centre, reach in ((before, self.rate), (position, self.step)):
            if reach is None:
                continue
            room = np.asarray(reach, np.float32) / np.float32(hz if reach is self.rate else 1.0)
            known = np.isfinite(centre)
            action = np.where(
                known, np.clip(action, np.where(known, centre - room, 0), np.where(known, centre + room, 0)), action
            )
        return np.clip(action, *bounds).astype(np.float32)


@dataclass(frozen=True)
class Faults:
    """Reactions of a loop to late plans, lost observations and frozen cameras.

    Attributes:
        late: The reaction in a cycle without a plan at the deadline. The plan is executed in the cycle in which it
            arrives.
        lost: The reaction in a cycle without a complete observation: ``read`` raised an error, returned None or left a
            modality out, or took longer than ``read_ms``.
        frozen: The reaction while a camera is frozen.
        frozen_after: Cycles with identical frames after which a camera is frozen; None: none ever is, as in a
            simulation without noise.
        read_ms: Milliseconds to wait for an observation in a cycle; None: half of a cycle.
        deadline: Share of a cycle after which a plan is late.
        patience: Consecutive cycles with a fault after which the run ends with the safe stop; None: it continues.

    Raises:
        ConfigError: if a reaction is unknown or a number is out of range.
    """

    late: Reaction = "fallback"
    lost: Reaction = "noop"
    frozen: Reaction = "noop"
    frozen_after: int | None = 10
    read_ms: float | None = None
    deadline: float = 0.9
    patience: int | None = 40

    def __post_init__(self) -> None:
        for name in ("late", "lost", "frozen"):
            if vars(self)[name] not in get_args(Reaction):
                raise ConfigError(f"Faults.{name} is one of {', '.join(get_args(Reaction))}; got {vars(self)[name]!r}.")
        if not 0 < self.deadline <= 1:
            raise ConfigError(f"Faults.deadline is a share of a cycle, above 0 and at most 1; got {self.deadline}.")
        for name in ("frozen_after", "patience"):
            if vars(self)[name] is not None and vars(self)[name] < 1:
                raise ConfigError(f"Faults.{name} is a number of cycles, at least 1; got {vars(self)[name]}.")
        if self.read_ms is not None and not self.read_ms > 0:
            raise ConfigError(f"Faults.read_ms is a number of milliseconds above 0; got {self.read_ms}.")


def _filled(value: Numbers, missing: float) -> float | tuple[float, ...]:
    return missing if value is None else value
