"""Action columns: their bounds, and one action for each interval between observations."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt

from tacit.data.readers._files import option
from tacit.data.readers._sheets import Sheet
from tacit.data.validation import Defect
from tacit.errors import ConfigError, DataError
from tacit.types import Box

__all__ = ["Between", "Bounds", "actions_between", "bound"]

Between = Literal["refuse", "mean", "last"]
Limit = float | tuple[float, ...] | None
Actions = npt.NDArray[np.float32]


def bound(name: str, limit: Limit, actions: Sequence[str]) -> tuple[float, ...] | None:
    """Return the bound of each action from one number for all or one for each.

    Raises:
        ConfigError: if there are more or fewer than actions, or they are not finite.
    """
    if limit is None:
        return None
    each = (float(limit),) * len(actions) if isinstance(limit, int | float) else tuple(map(float, limit))
    if len(each) != len(actions) or not np.isfinite(each).all():
        raise ConfigError(f"{name} is a finite number for each of {len(actions)} actions, or one for all; got {limit}.")
    return each


class Bounds:
    """Smallest and largest action of each column, over all files.

    Args:
        path: The path of the files, for messages.
        actions: The columns.
        low: Given lower bounds.
        high: Given upper bounds.
    """

    def __init__(
        self, path: Path, actions: Sequence[str], low: tuple[float, ...] | None, high: tuple[float, ...] | None
    ) -> None:
        self._path, self._actions, self._low, self._high = path, tuple(actions), low, high
        self._least = np.full(len(actions), np.inf, np.float32)
        self._most = np.full(len(actions), -np.inf, np.float32)

    def see(self, file: Path, sheet: Sheet) -> None:
        """Add the actions of a file. Raises DataError at one that leaves the given bounds."""
        with np.errstate(over="ignore"):
            values = sheet.actions.astype(np.float32)
        missing = ~np.isfinite(values)
        low = np.where(missing, np.inf, values)
        high = np.where(missing, -np.inf, values)
        for limits, least, name in ((self._low, low, "low"), (self._high, -high, "high")):
            if limits is None:
                continue
            sign = 1.0 if name == "low" else -1.0
            outside = least < sign * np.asarray(limits, np.float32)
            if outside.any():
                row, column = (int(place) for place in np.argwhere(outside)[0])
                raise Defect(
                    file,
                    None,
                    self._actions[column],
                    f"expected actions within {name}={limits[column]:g}; {sheet.where(row)} holds "
                    f"{values[row, column]:g}. Widen the bounds to what the actuator accepts.",
                )
        self._least = np.minimum(self._least, low.min(axis=0, initial=np.inf))
        self._most = np.maximum(self._most, high.max(axis=0, initial=-np.inf))

    def box(self) -> Box:
        """Return the space of the actions; a warning names the bounds that come from the data.

        Raises:
            DataError: if an action is the same in every row and its bounds were not given.
        """
        low = tuple(self._least.tolist()) if self._low is None else self._low
        high = tuple(self._most.tolist()) if self._high is None else self._high
        for name, least, most in zip(self._actions, low, high, strict=True):
            if not least < most:
                raise DataError(
                    f"the action {name!r} in {self._path} has no range: low {least:g}, high {most:g}. If it is the "
                    "same in every row, say the bounds that the actuator accepts, low=... and high=..., or leave it "
                    "out of actions=.",
                    code="T04",
                )
        if self._actions and (self._low is None or self._high is None):
            told = ", ".join(f"{n} {a:g} to {b:g}" for n, a, b in zip(self._actions, low, high, strict=True))
            warnings.warn(
                f"the bounds of the actions in {self._path} are the least and the greatest recorded: {told}. No plan "
                "leaves them. Say those of the actuators instead: low=..., high=...",
                stacklevel=4,
            )
        return Box(low, high)


def actions_between(
    file: Path, sheet: Sheet, edges: npt.NDArray[np.int64], between: Between
) -> tuple[Actions, Actions | None]:
    """Return the actions ``[T - 1, A]`` between observations, and the final action, if any.

    There is a final action where each sample has one.

    Args:
        file: The file, for messages.
        sheet: The sheet with ``actions [N, A]``, each in force from its row to the next.
        edges: ``[T]`` the row of each observation.
        between: The rule for several samples between two observations: ``refuse`` the ones that differ, or take the
            ``mean`` or the ``last`` of them.

    Raises:
        DataError: naming the row where an action changes between two observations.
    """
    actions = sheet.actions[edges[0] : edges[-1]]
    starts = edges[:-1] - edges[0]
    counts = np.diff(edges)
    if (counts == 1).all():
        return actions.astype(np.float32), sheet.actions[edges[-1]].astype(np.float32)
    if between == "mean":
        sums = np.add.reduceat(actions, starts, axis=0) if len(starts) else actions
        return (sums / counts[:, None]).astype(np.float32), None
    if between == "last":
        return actions[starts + counts - 1].astype(np.float32), None
    changed = np.argwhere(actions != np.repeat(actions[starts], counts, axis=0))
    if len(changed):
        row, column = changed[0]
        raise Defect(
            file,
            None,
            sheet.commands[column],
            f"{sheet.where(int(edges[0] + row))} changes the action between two observations. Say what stands "
            f"for the interval: {option('between', 'mean')}, or between='last'; or read an observation for each "
            "sample, without fps=.",
        )
    return actions[starts].astype(np.float32), None
