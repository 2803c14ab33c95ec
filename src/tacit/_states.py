"""States of several worlds: arrays ``[B, ...]`` by name."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from tacit.types import State, Tasks

__all__ = ["concatenated", "copied", "joined_tasks", "rows_of", "tasks_of"]


def copied(state: State) -> State:
    """Return a deep copy that shares no memory with its world."""
    return {name: np.array(values) for name, values in state.items()}


def rows_of(state: State, rows: slice | npt.NDArray[Any]) -> State:
    """Return the states of some worlds."""
    return {name: values[rows] for name, values in state.items()}


def concatenated(states: Sequence[State]) -> State:
    """Return the concatenated states of all batches of worlds."""
    return {name: np.concatenate([state[name] for state in states]) for name in states[0]}


def tasks_of(tasks: Tasks, rows: slice | npt.NDArray[Any]) -> Tasks:
    """Return some of the tasks."""
    budget = None if tasks.budget is None else tasks.budget[rows]
    return Tasks(rows_of(tasks.start, rows), rows_of(tasks.goal, rows), budget)


def joined_tasks(parts: Sequence[Tasks]) -> Tasks:
    """Return the tasks of all parts; they have budgets if all parts do."""
    budgets = [part.budget for part in parts if part.budget is not None]
    budget = np.concatenate(budgets) if len(budgets) == len(parts) else None
    return Tasks(concatenated([part.start for part in parts]), concatenated([part.goal for part in parts]), budget)
