"""The guard of an actor: its assessments at block boundaries and what follows from them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from tacit.agent._state import AgentState
from tacit.errors import SpecError
from tacit.guard import Assessment, Guard, Trail, missing_modalities
from tacit.types import Observation, WorldModel

__all__ = ["Ages", "Safeguard"]

Ages = float | npt.NDArray[np.floating]
"""Seconds since an observation was made, of all worlds or ``[B]``."""
Bools = npt.NDArray[np.bool_]


class Safeguard:
    """The guard of an actor, which may have none.

    Args:
        model: The source of forecasts.
        guard: The guard; None: every world always acts.
    """

    def __init__(self, model: WorldModel, guard: Guard | None) -> None:
        self.model, self.guard = model, guard

    def start(self, state: AgentState) -> AgentState:
        """Return a state with the memory of the guard."""
        return state if self.guard is None else replace(state, guard=self.guard.start(state.batch))

    def update(
        self, state: AgentState, observation: Observation, age: Ages | None
    ) -> tuple[AgentState, Assessment | None]:
        """Return the state with the assessment of the current latents; all worlds stop where the guard fails.

        Args:
            state: The state with the current latents in its context, and the executed block.
            observation: ``[B, ...]`` of the same boundary.
            age: See :meth:`tacit.agent.BlockActor.act`.

        Raises:
            Exception: before the first action, if the ages are not one or ``[B]``, or the guard fails.
        """
        try:
            return self._updated(state, observation, _ages(age, state.batch))
        except Exception as error:
            if state.last_action is None or state.guard is None:
                raise
            reason = f"the guard failed: {type(error).__name__}: {error}"
            alerts = (reason,) * state.batch
            return replace(state, guard=state.guard.all_stopped(), trail=None, alerts=alerts), None

    def _updated(
        self, state: AgentState, observation: Observation, ages: npt.NDArray[np.float32] | None
    ) -> tuple[AgentState, Assessment | None]:
        if self.guard is None or state.context is None or state.guard is None:
            return state, None
        latents, reach, history = state.context.latents[:, -1], self.guard.reach, self.model.history
        if state.trail is None or state.block is None:
            trail = Trail.begin(latents)
        else:
            trail = state.trail.extended(latents, state.block, reach, history)
        given: Observation = observation if isinstance(observation, Mapping) else {}
        missing = missing_modalities(given, tuple(self.model.spec.modalities), state.batch)
        found, memory = self.guard.assess(trail.sensed(self.model, reach, ages, missing), state.guard)
        return replace(state, guard=memory, trail=trail, alerts=found.reasons), found

    def stopped(self, state: AgentState) -> Bools:
        """Return ``[B]`` worlds that the guard stopped."""
        return np.zeros(state.batch, np.bool_) if state.guard is None else state.guard.stopped

    def cautious(self, state: AgentState) -> Bools:
        """Return ``[B]`` worlds that slowed down or stopped; they replan at every block."""
        return np.zeros(state.batch, np.bool_) if state.guard is None else state.guard.stopped | state.guard.slow

    def scale(self, state: AgentState) -> Tensor | None:
        """Return ``[B]`` the share of the allowed change of an action per step; None: all of it in all worlds."""
        if self.guard is None or state.guard is None or not (slow := state.guard.slow).any():
            return None
        return torch.from_numpy(np.where(slow, self.guard.caution.max_change, 1.0).astype(np.float32))

    def resume(self, state: AgentState, worlds: Bools | None, rest: int) -> AgentState:
        """Return the state in which stopped worlds act again from the next boundary on.

        Args:
            state: A state.
            worlds: ``[B]`` the worlds; None: all of them.
            rest: Steps until the next boundary, in which the fallback still acts.
        """
        if self.guard is None or state.guard is None:
            return state
        memory = self.guard.resume(state.guard, worlds)
        resumed = state.guard.stopped & ~memory.stopped
        falls = state.falls.copy()
        falls[:, :rest] |= resumed[:, None]
        alerts = tuple("" if one else alert for one, alert in zip(resumed, state.alerts, strict=True))
        return replace(state, guard=memory, falls=falls, alerts=alerts)


def _ages(age: Ages | None, batch: int) -> npt.NDArray[np.float32] | None:
    """Return ages ``[B]``.

    Raises:
        SpecError: if they are not one number or ``[B]``.
    """
    if age is None:
        return None
    found = np.asarray(age, np.float32)
    if found.shape not in ((), (1,), (batch,)):
        raise SpecError(f"age is a number of seconds, or one for each of the {batch} worlds; got {list(found.shape)}.")
    return np.array(np.broadcast_to(found, (batch,)))
