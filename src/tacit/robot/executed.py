"""States of an agent after other actions than its own were executed."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt

from tacit.agent import AgentState

__all__ = ["after"]


def after(state: AgentState, action: npt.NDArray[np.float32]) -> AgentState:
    """Return the state after an act of one world in which ``action [A]`` was executed, whatever the agent returned."""
    if state.executed is None or state.last_action is None:  # never after an act
        return state
    row = action[None].copy()
    executed = np.concatenate([state.executed[:, :-1], row[:, None]], axis=1)
    return replace(
        state, executed=executed, last_action=row, deviated=state.deviated | (row != state.last_action).any(axis=1)
    )
