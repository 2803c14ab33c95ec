"""States of several worlds: an array ``[B, ...]`` by name."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from tacit.types import State

__all__ = ["concatenated", "copied", "rows_of"]


def copied(state: State) -> State:
    """Nothing in common with the world that it came from."""
    return {name: np.array(values) for name, values in state.items()}


def rows_of(state: State, rows: slice | npt.NDArray[Any]) -> State:
    """Those of some worlds."""
    return {name: values[rows] for name, values in state.items()}


def concatenated(states: Sequence[State]) -> State:
    """Those of all worlds, one batch after the other."""
    return {name: np.concatenate([state[name] for state in states]) for name in states[0]}
