"""Realised slack of constraints in a trace, and tasks that satisfy them."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from tacit._states import rows_of
from tacit.agent import slack_evidence
from tacit.errors import ConfigError
from tacit.evaluation.tasks import unsolved_tasks
from tacit.evaluation.trace import Trace
from tacit.types import GoalEnvironment, MarginConstraint, State, Tasks

__all__ = ["allowed_tasks", "nonconformity", "realised_slacks"]

Floats = npt.NDArray[np.float64]

SPARE = 4
"""The number of tasks to draw for each that is missing."""


def realised_slacks(found: Trace, limits: Mapping[str, MarginConstraint]) -> dict[str, Floats]:
    """Return the slack ``[n, T + 1]`` of each constraint before and after each step, from the labels of a trace.

    Args:
        found: A trace that tracks the target of each constraint.
        limits: The constraints by name; see :attr:`tacit.agent.AgentConfig.margin_constraints`.

    Raises:
        ConfigError: if a target is not among the labels.
    """
    for name, limit in limits.items():
        if limit.target not in found.labels:
            raise ConfigError(
                f"{name} needs the label {limit.target!r}; the trace has {', '.join(found.labels) or 'none'}. Name it "
                "in trace(..., track=[...])."
            )
    return {name: np.asarray(limit.slack(found.labels[limit.target])) for name, limit in limits.items()}


def nonconformity(found: Trace, limits: Mapping[str, MarginConstraint], steps: int) -> dict[str, Floats]:
    """Return predicted minus realised slack ``[n, T]`` of each constraint; NaN at steps without a new plan.

    A slack is the lowest one until the next plan.

    Args:
        found: A trace of an agent with these constraints, which tracks their targets.
        limits: The constraints by name.
        steps: Steps from one plan to the next.
    """
    result = {}
    for name, slack in realised_slacks(found, limits).items():
        length = found.actions.shape[1]
        lowest = slack[:, :length].copy()
        for ahead in range(1, steps + 1):
            later = np.minimum(np.arange(length) + ahead, length)
            lowest = np.minimum(lowest, slack[:, later])
        predicted = found.evidence.get(slack_evidence(name))
        result[name] = np.full(lowest.shape, np.nan) if predicted is None else predicted - lowest
    return result


def allowed_tasks(env: GoalEnvironment, limits: Mapping[str, MarginConstraint], count: int, seed: int) -> Tasks:
    """Draw tasks that are not solved at their start, and that start and end where the constraints hold.

    Raises:
        ConfigError: if the environment does not have a target, or most of what it draws breaks a constraint.
    """

    def allowed(states: State) -> npt.NDArray[np.bool_]:
        env.begin(states)
        labels = env.labels()
        slacks = [np.asarray(limit.slack(labels[limit.target])) for limit in limits.values()]
        return np.asarray(np.min(slacks, axis=0) >= 0)

    def draw(missing: int, seed: int) -> Tasks:
        drawn = env.tasks(SPARE * missing, seed)
        kept = np.flatnonzero(allowed(drawn.start) & allowed(drawn.goal))[:missing]
        return Tasks(rows_of(drawn.start, kept), rows_of(drawn.goal, kept))

    require_labels(env, limits)
    lost = "start or end where a constraint does not hold: change its limits."
    return unsolved_tasks(env, count, seed, draw, lost)[0]


def require_labels(env: GoalEnvironment, limits: Mapping[str, MarginConstraint]) -> None:
    """Refuse constraints on quantities that the environment has no label of.

    Raises:
        ConfigError: naming the constraint, or if there is none.
    """
    if not limits:
        raise ConfigError("the agent has no constraint with a margin, such as tc.constraints.KeepOut.")
    known = env.labels()
    for name, limit in limits.items():
        if limit.target not in known:
            raise ConfigError(
                f"{name} is on {limit.target!r}, of which the environment has no true value; it has {', '.join(known)}."
            )
