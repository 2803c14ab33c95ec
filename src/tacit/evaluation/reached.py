"""Success by the true value of a quantity."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from tacit._registry import suggest
from tacit.costs import CostTerm, QuantityCost, Target
from tacit.errors import ConfigError, SpecError
from tacit.evaluation.trace import Trace
from tacit.statistics.intervals import Rate, wilson
from tacit.types import Array

__all__ = ["Reached"]

Flags = npt.NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Reached:
    """Success where the labels of a world reach the goals of a cost.

    A readout may be wrong; this criterion compares the true quantity with the same tolerance or region::

        reached = tc.evaluation.Reached(tc.costs.Target(position, (30.0, 12.0), within=2.0))
        print(tc.evaluation.score_episodes(agent, env, success=reached))

        run = tc.evaluation.closed_loop(agent, env)
        print(reached.rate(run.trace, "last"))

    Args:
        cost: A :class:`tacit.costs.Target` with a tolerance, a :class:`tacit.costs.Region` or another
            :class:`tacit.costs.QuantityCost`, or a sum. All such terms must be reached; others, such as effort, are
            left out.

    Raises:
        ConfigError: if there is no such term, or a target has no tolerance.
    """

    cost: CostTerm

    def __post_init__(self) -> None:
        if not self.goals:
            raise ConfigError(
                f"Reached needs a goal in a quantity, such as Target or Region of tacit.costs; got {self.cost}."
            )
        for goal in self.goals:
            if isinstance(goal, Target) and not goal.within:
                raise ConfigError(
                    f"the target of {goal.readout.target!r} has no tolerance, so nothing reaches it. Give "
                    "Target(..., within=...)."
                )

    @property
    def goals(self) -> tuple[QuantityCost, ...]:
        """Return the goals in quantities."""
        return tuple(term.cost for term in self.cost.terms() if isinstance(term.cost, QuantityCost))

    @property
    def targets(self) -> tuple[str, ...]:
        """Return the names of the quantities, which a trace has to track."""
        return tuple(goal.readout.target for goal in self.goals)

    def __call__(self, labels: Mapping[str, Array]) -> Flags:
        """Return for each world whether its labels ``[B, P]`` reach all goals, ``[B]``.

        Raises:
            ConfigError: if a label is missing.
            SpecError: if one has another number of components.
        """
        return self._inside(labels, 2)

    def solved(self, trace: Trace, at: Literal["last", "any"] = "last") -> Flags:
        """Return for each episode whether the goals are reached after the last or after any step, ``[n]``.

        Raises:
            ConfigError: if the trace does not have a label; see ``track`` of :func:`tacit.evaluation.trace`.
        """
        inside = self._inside(trace.labels, 3)
        if at == "last":
            return np.asarray(inside[np.arange(len(trace)), trace.lengths])
        steps = np.arange(inside.shape[1])
        return np.asarray((inside & (steps >= 1) & (steps <= trace.lengths[:, None])).any(axis=1))

    def _inside(self, labels: Mapping[str, Any], axes: int) -> Flags:
        """Return whether labels with ``axes`` axes reach all goals."""
        return np.asarray(np.all([goal.energy(_values(labels, goal, axes)) <= 0 for goal in self.goals], axis=0))

    def rate(self, trace: Trace, at: Literal["last", "any"] = "last") -> Rate:
        """Return the share of episodes that reach the goals, with its Wilson interval; see :meth:`solved`."""
        return wilson(int(self.solved(trace, at).sum()), len(trace))


def _values(labels: Mapping[str, Any], goal: QuantityCost, axes: int) -> npt.NDArray[np.float64]:
    """Return the label of a goal with its components on the last of ``axes`` axes."""
    name, size = goal.readout.target, goal.readout.size
    if name not in labels:
        there = f"there are {', '.join(sorted(labels))}" if labels else "there are no labels"
        raise ConfigError(f"no label {name!r} says whether its goal is reached; {there}.{suggest(name, labels)}")
    values = np.asarray(labels[name], np.float64)
    values = values[..., None] if values.ndim == axes - 1 else values
    if values.ndim != axes or values.shape[-1] != size:
        raise SpecError(f"the readout of {name!r} has {size} components, and the label has {list(values.shape[1:])}.")
    return values
