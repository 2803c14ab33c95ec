"""Commands of a control loop: limits, substitutes for missing plans, and the safe stop."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from tacit.agent import Fallback, NamedFallback
from tacit.errors import SpecError
from tacit.robot.settings import Limits, Reaction
from tacit.types import FallbackPolicy, Observation, Spec

__all__ = ["Command", "Commands", "Write"]

Floats: TypeAlias = npt.NDArray[np.float32]
Write: TypeAlias = Callable[[Floats], object]


@dataclass(frozen=True, eq=False)
class Command:
    """A command within the limits.

    Attributes:
        action: ``[A]`` the command.
        clipped: ``[A]`` whether a limit changed the component.
        invalid: Whether the wanted action was not finite and the noop replaces it.
    """

    action: Floats
    clipped: npt.NDArray[np.bool_]
    invalid: bool = False


class Commands:
    """The commands of a loop, within the limits.

    Args:
        spec: The Spec of the agent.
        fallback: The fallback of the agent.
        limits: The limits.
        hz: Commands per second.

    Raises:
        ConfigError: if the limits do not fit, or the action that does nothing is unknown.
    """

    def __init__(self, spec: Spec, fallback: NamedFallback | FallbackPolicy | None, limits: Limits, hz: float) -> None:
        self._limits, self._hz, self._size = limits, hz, spec.action.size
        self._bounds = limits.bounds(spec.action)
        self._reactions: dict[Reaction, Fallback] = {
            "fallback": Fallback(fallback, spec, spec.action),
            "noop": Fallback("noop" if fallback == "noop" else None, spec, spec.action),
            "repeat": Fallback("last_action", spec, spec.action),
        }
        self._noop = self._reactions["noop"]
        self._noop.require()
        self._observation: Observation = {}
        self._position = np.full((1, self._size), np.nan, np.float32)
        self._last: Floats | None = None

    def observed(self, observation: Observation) -> None:
        """Note the current position of an observation ``[1, ...]``."""
        self._observation = observation
        self._position = self._noop.positions(observation, self._position, 1, True)

    def substitute(self, reaction: Reaction) -> Floats:
        """Return the action ``[A]`` of a reaction.

        Raises:
            PlanningError: before the first command, if it is unknown.
        """
        chosen = self._reactions[reaction]
        found = chosen.choose(np.ones(1, np.bool_), self._observation, self._position, self._last)
        return np.asarray(found.actions[0])

    def within(self, action: npt.ArrayLike) -> Command:
        """Return the command within the limits for an action ``[A]``.

        Raises:
            SpecError: if it is of another size.
        """
        asked = np.asarray(action, np.float32)
        if asked.shape != (self._size,):
            raise SpecError(f"an action has {self._size} components; got shape {list(asked.shape)}.")
        invalid = not np.isfinite(asked).all()
        if invalid:
            asked = self.substitute("noop")
        before = self._noop.estimate(self._position, None)[0] if self._last is None else self._last[0]
        given = self._limits.apply(asked, self._bounds, before, self._position[0], self._hz)
        return Command(given, np.abs(given - asked) > 1e-6, invalid)

    def executed(self, action: Floats) -> None:
        """Note a command that was written."""
        self._last = action[None].copy()

    def safe_stop(self) -> Floats:
        """Return the action of the safe stop: the noop in the bounds, whatever the other limits.

        Raises:
            PlanningError: before the first observation, if it is a position.
        """
        return np.clip(self.substitute("noop"), *self._bounds)
