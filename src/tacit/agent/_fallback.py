"""The actions of an actor in the worlds in which it has no plan."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

import numpy as np
import numpy.typing as npt

from tacit.agent._state import numbered
from tacit.errors import ConfigError, PlanningError, SpecError
from tacit.types import ActionSpace, Box, FallbackPolicy, Observation, Spec

__all__ = ["Fallback", "FallbackActions", "NamedFallback", "numbers", "possible_fallback"]

Floats: TypeAlias = npt.NDArray[np.float32]
Bools: TypeAlias = npt.NDArray[np.bool_]

NamedFallback: TypeAlias = Literal["last_action", "noop"]
"""The named fallbacks: repeat the last executed action, or command no physical change."""


@dataclass(frozen=True)
class FallbackActions:
    """Actions of worlds without a plan.

    Attributes:
        actions: ``[B, A]``.
        names: The name of the fallback of each action.
        note: A description of the failure of the fallback policy; empty if there was none.
    """

    actions: Floats
    names: tuple[str, ...]
    note: str = ""


class Fallback:
    """The actions of an actor in the worlds in which it has no plan.

    Args:
        choice: ``noop``, ``last_action``, a policy, or None for ``noop`` in a Spec from which it is known.
        spec: The Spec, which defines the actions that do nothing.
        space: Its action space within the constraints.

    Raises:
        ConfigError: if the choice is none of these, or ``noop`` is chosen and cannot be known.
    """

    def __init__(self, choice: NamedFallback | FallbackPolicy | None, spec: Spec, space: ActionSpace) -> None:
        if not (choice is None or choice in ("noop", "last_action") or callable(choice)):
            raise ConfigError(f"fallback is 'noop', 'last_action', a function of observations or None; got {choice!r}.")
        self.choice = choice
        self._space = space
        self._noop, self._unknown = _noop(spec, space, assumed=choice == "noop")
        self._held = [index for index, kind in enumerate(spec.action.kinds) if kind == "position"]
        self.reads = spec.position if self._held else None
        """The modality with the current position, where the noop needs it."""
        size = spec.modalities[self.reads].shape[0] if self.reads is not None else 0
        self._width, self._columns = size, list(spec.position_index or range(size))
        if choice == "noop" and self._unknown:
            raise ConfigError(f"fallback='noop' needs an action that does nothing: {self._unknown}.")

    def require(self) -> None:
        """Refuse an actor without a known action for worlds without a plan.

        Raises:
            ConfigError: if no fallback was chosen and the Spec does not define the action that does nothing.
        """
        if self.choice is None and self._unknown:
            raise ConfigError(
                f"what to do when planning fails is not known: {self._unknown}. Declare it in the Spec, or choose a "
                "fallback: 'last_action' (repeat it), 'noop' (zero where no kind is declared, even if that is a pose) "
                "or a function of observations.",
                code="T08",
            )

    def positions(self, observation: Observation, before: Floats | None, batch: int, moving: bool) -> Floats:
        """Return the current position of each component ``[B, A]``; NaN where there is none.

        Args:
            observation: The current observation.
            before: The previous positions, which stay where the new ones are missing or not finite.
            batch: The number of worlds ``B``.
            moving: Whether an action was executed, after which no observation is refused.

        Raises:
            SpecError: unless ``moving``, if the observation does not hold the modality.
        """
        found = np.full((batch, self._space.size), np.nan, np.float32) if before is None else before
        if self.reads is None:
            return found
        now = numbers(observation.get(self.reads) if isinstance(observation, Mapping) else None, (batch, self._width))
        if now is None:
            if not moving:
                raise SpecError(
                    f"the Spec says that {self.reads!r} holds the current position; expected an observation with "
                    f"{self.reads!r} of shape {[batch, self._width]}."
                )
            return found
        found, read = found.copy(), now[:, self._columns]
        found[:, self._held] = np.where(np.isfinite(read), read, found[:, self._held])
        return found

    def estimate(self, position: Floats, last: Floats | None) -> Floats:
        """Return an estimate of the actions ``[B, A]`` without calling a policy; zero where they are unknown."""
        return np.nan_to_num(self._named(position, last)[0])

    def choose(self, worlds: Bools, observation: Observation, position: Floats, last: Floats | None) -> FallbackActions:
        """Return the fallback actions of some worlds; the rows of the others are undefined.

        Args:
            worlds: ``[B]`` flags of the worlds without a plan.
            observation: ``[B, ...]`` the current observation.
            position: See :meth:`positions`.
            last: ``[B, A]`` the last executed action.

        Raises:
            PlanningError: if the action of one of them is unknown, which happens only before the first action.
        """
        actions, names = self._named(position, last)
        note = ""
        if callable(self.choice):
            asked, note = self._asked(self.choice, observation, len(worlds))
            good: Bools = np.asarray(np.isfinite(asked).all(axis=1))
            actions = np.where(good[:, None], asked, actions)
            names = tuple("policy" if one else name for one, name in zip(good, names, strict=True))
            note = note or (_refused(worlds & ~good) if (worlds & ~good).any() else "")
        unknown = worlds & np.isnan(actions).any(axis=1)
        if unknown.any():
            raise PlanningError(
                f"{numbered(unknown)}: there is no plan for the first action, no last action to repeat, and "
                f"{self._unknown or 'no current position came'}. Nothing is in motion yet: plan from another "
                "observation, or give the action that is being executed: start(last_action=...)."
            )
        return FallbackActions(actions, names, note)

    def _named(self, position: Floats, last: Floats | None) -> tuple[Floats, tuple[str, ...]]:
        """Return actions ``[B, A]`` and their names. The other named fallback acts where the chosen one is unknown."""
        noop = np.where(np.isnan(position), self._noop, position)
        repeated = np.full_like(noop, np.nan) if last is None else last
        first, second = (repeated, noop) if self.choice == "last_action" else (noop, repeated)
        name, other = ("last_action", "noop") if self.choice == "last_action" else ("noop", "last_action")
        names = tuple(other if row.all() and row.size else name for row in np.isnan(first))
        return np.where(np.isnan(first), second, first).astype(np.float32), names

    def _asked(self, policy: FallbackPolicy, observation: Observation, batch: int) -> tuple[Floats, str]:
        """Return the actions ``[B, A]`` of a policy, NaN where they are not usable, and the reason."""
        nothing = np.full((batch, self._space.size), np.nan, np.float32)
        try:
            found = numbers(policy(observation), nothing.shape)
        except Exception as error:  # after any error an action is needed now
            return nothing, f"the fallback policy failed: {type(error).__name__}: {error}"
        if found is None:
            return nothing, f"the fallback policy was to return numbers of shape {list(nothing.shape)}"
        return np.where(self._space.contains(found)[:, None], found, np.float32(np.nan)), ""


def possible_fallback(
    choice: NamedFallback | FallbackPolicy | None, spec: Spec
) -> NamedFallback | FallbackPolicy | None:
    """Return the fallback, or ``last_action`` where the Spec does not define the action that does nothing."""
    if choice in (None, "noop") and _noop(spec, spec.action, assumed=choice == "noop")[1]:
        return "last_action"
    return choice


def _noop(spec: Spec, space: ActionSpace, assumed: bool) -> tuple[Floats, str]:
    """Return the action that does nothing ``[A]`` and the reason if it is unknown, else an empty string.

    It is NaN where it is unknown, and in components that hold their position.

    Args:
        spec: The declared Spec.
        space: The action space within the constraints.
        assumed: Assume for components without a declared kind that zero, or the value in range nearest to it, does
            nothing.
    """
    action = np.zeros(space.size, np.float32)
    reasons: list[str] = []
    components: list[tuple[int, str]] = []
    for where, part in space.parts:
        if isinstance(part, Box):
            components += _noop_of_box(spec, part, assumed, action[where], where.start)
        elif part.noop is not None:
            action[where] = np.eye(part.n)[part.noop]
        else:
            action[where] = np.nan
            reasons.append(f"Discrete({part.n}) names no choice that does nothing (noop)")
    return action, "; ".join(filter(None, [_grouped(components), *reasons]))


def _noop_of_box(spec: Spec, space: Box, assumed: bool, action: Floats, first: int) -> list[tuple[int, str]]:
    """Write NaN to unknown components of an action ``[A]``, which is zero; return their numbers and the reasons."""
    reasons = []
    for index, kind in enumerate(space.kinds):
        low, high = space.low[index], space.high[index]
        if kind == "position":
            action[index] = np.nan
            if spec.position is None:
                reasons.append(
                    (first + index, "is a position, and Spec.position names no modality that holds the current one")
                )
        elif assumed:
            continue
        elif kind is None:
            action[index] = np.nan
            reasons.append((first + index, "has no kind ('position', 'delta', 'velocity' or 'force')"))
        elif not low <= 0 <= high:
            action[index] = np.nan
            reasons.append((first + index, f"is a {kind}, and its range [{low:g}, {high:g}] does not contain 0"))
    return reasons


def _grouped(reasons: list[tuple[int, str]]) -> str:
    """Return reasons in words, each with the components that it applies to."""
    groups: dict[str, list[str]] = {}
    for index, reason in reasons:
        groups.setdefault(reason, []).append(str(index))
    return "; ".join(f"action component {', '.join(which)} {reason}" for reason, which in groups.items())


def _refused(worlds: Bools) -> str:
    return f"the fallback policy left the action space or was not finite in {numbered(worlds)}"


def numbers(value: Any, shape: tuple[int, ...]) -> Floats | None:
    """Return a value as float32 numbers of a shape; None if it is none."""
    try:
        found = np.asarray(value, np.float32)
    except (TypeError, ValueError):
        return None
    return found if found.shape == shape else None
