"""States of several worlds: arrays ``[B, ...]`` by name."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from tacit.types import State

__all__ = ["concatenated", "copied", "rows_of"]


def copied(state: State) -> State:
    """Return a deep copy that shares no memory with its world."""
    return {name: np.array(values) for name, values in state.items()}


def rows_of(state: State, rows: slice | npt.NDArray[Any]) -> State:
    """Return the states of some worlds."""
    return {name: values[rows] for name, values in state.items()}


def concatenated(states: Sequence[State]) -> State:
    """Return the concatenated states of all batches of worlds."""
    return {name: np.concatenate([state[name] for state in states]) for name in states[0]}
