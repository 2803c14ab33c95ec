"""Execution of plans: the queue of actions, their limits, and the fallback."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from tacit.agent._fallback import Fallback, FallbackActions, numbers
from tacit.agent._limits import ActionLimits
from tacit.agent._plans import continued
from tacit.agent._state import AgentState
from tacit.errors import SpecError
from tacit.types import Observation

__all__ = ["Execution"]

Bools = npt.NDArray[np.bool_]


class Execution:
    """Execution of plans: the queue of actions, their limits, and the fallback.

    Args:
        limits: The action space and its constraints.
        fallback: The actions of worlds without a plan.
        taken: Raw actions of a plan to execute before the next decision.
        device: The device of plans.
    """

    def __init__(self, limits: ActionLimits, fallback: Fallback, taken: int, device: Any) -> None:
        self.limits, self.fallback = limits, fallback
        self._taken, self._device = taken, device

    def next(
        self, state: AgentState, stopped: Bools, scale: Tensor | None, shown: Callable[[], Observation]
    ) -> FallbackActions:
        """Return the actions ``[B, A]`` of this step, and the name of the fallback of each.

        Args:
            state: The state with a queue.
            stopped: ``[B]`` worlds in which the fallback acts whatever the queue holds.
            scale: See :meth:`ActionLimits.project`.
            shown: Returns the observation of the worlds.
        """
        action, falling, note = state.queue[:, 0].copy(), state.falls[:, 0] | stopped, ""
        names = tuple("last_plan" if failed else "" for failed in state.failed.tolist())
        if falling.any():
            chosen = self.fallback.choose(falling, shown(), _position(state), state.last_action)
            action = np.where(falling[:, None], chosen.actions, action)
            names = tuple(new if falls else old for falls, new, old in zip(falling, chosen.names, names, strict=True))
            note = chosen.note
        if falling.any() or self.limits.sequential or scale is not None:
            rows = self.limits.project(torch.from_numpy(action)[:, None], self.previous(state), scale)
            action = rows[:, 0].numpy()
        return FallbackActions(action, names, note)

    def executed(self, state: AgentState, action: npt.NDArray[np.float32]) -> AgentState:
        """Return the state after a step."""
        row = action[:, None]
        return replace(
            state,
            steps=tuple(step + 1 for step in state.steps),
            deviated=state.deviated | (action != state.queue[:, 0]).any(axis=1),
            executed=row if state.executed is None else np.concatenate([state.executed, row], axis=1),
            last_action=action,
            queue=state.queue[:, 1:],
            falls=state.falls[:, 1:],
        )

    def queued(
        self,
        state: AgentState,
        planned: Tensor | None,
        failed: Bools,
        reasons: tuple[str, ...],
        scale: Tensor | None = None,
    ) -> tuple[AgentState, Tensor]:
        """Return the state with actions to execute, and these; they are a substitute in the worlds that failed."""
        if planned is not None:
            length = planned.shape[1]
        else:
            length = self._taken if state.warm_start is None else state.warm_start.shape[1]
        taken = min(self._taken, length)
        falls = failed[:, None] & (np.arange(length) >= state.left[:, None])
        if planned is not None and not failed.any():
            actions = planned
        else:
            actions = self._substitute(state, falls)
            if planned is not None:
                chosen = torch.from_numpy(failed)[:, None, None].to(planned.device)
                actions = torch.where(chosen, actions.to(planned.device), planned)
        actions = self.limits.project(actions, self.previous(state), scale)
        # The step that the shift frees repeats the last one.
        rest = torch.cat([actions[:, taken:], actions[:, -1:].expand(-1, taken, -1)], dim=1)
        state = replace(
            state,
            queue=actions[:, :taken].cpu().numpy(),
            falls=falls[:, :taken],
            failed=failed,
            left=np.where(failed, np.maximum(state.left - taken, 0), length - taken),
            reasons=reasons,
            warm_start=rest,
        )
        return state, actions

    def positions(self, state: AgentState, observation: Observation) -> npt.NDArray[np.float32]:
        """Return the current position of each component ``[B, A]``; NaN where there is none."""
        return self.fallback.positions(observation, state.position, state.batch, state.last_action is not None)

    def previous(self, state: AgentState) -> Tensor:
        """Return the action before the next one ``[B, A]``, NaN where it is unknown.

        Before the first action it is the current position, in the components that command one.
        """
        if state.last_action is not None:
            return torch.from_numpy(state.last_action)
        bounds = self.limits.whole.bounds
        return torch.from_numpy(np.clip(_position(state), *bounds))

    def given(self, action: npt.NDArray[np.float32], batch: int) -> npt.NDArray[np.float32]:
        """Return the action that is being executed ``[B, A]``; refuse an invalid one.

        Raises:
            SpecError: if it is not an action of the space for each world.
        """
        space = self.limits.whole
        rows = numbers(action, (batch, space.size))
        if rows is None or not space.contains(rows).all():
            raise SpecError(
                f"last_action holds one action of {space} for each of the {batch} worlds, {[batch, space.size]}; got "
                f"{action!r}."
            )
        return space.project(torch.from_numpy(rows)).numpy()

    def _substitute(self, state: AgentState, falls: Bools) -> Tensor:
        """Return the rest of the last plan ``[B, N, A]``, with an estimate of the fallback where it ``falls``."""
        length = falls.shape[1]
        rows = torch.from_numpy(self.fallback.estimate(_position(state), state.last_action))
        actions = self.limits.whole.project(rows).to(self._device)[:, None].expand(-1, length, -1)
        if state.warm_start is None:
            return actions
        return continued(state.warm_start[:, :length].to(actions.device), actions, falls)


def _position(state: AgentState) -> npt.NDArray[np.float32]:
    if state.position is None:
        raise SpecError("the state has seen no observation yet.")
    return state.position
