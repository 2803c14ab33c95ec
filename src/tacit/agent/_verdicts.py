"""Verdicts of an actor on its decisions."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from tacit.agent._fallback import FallbackActions
from tacit.agent._state import AgentState
from tacit.guard import Assessment
from tacit.types import Plan, Verdict
from tacit.types.verdicts import DECISIONS, Decision

__all__ = ["slack_evidence", "verdict_of"]

SCORE = "guard score"
"""The evidence with the largest standardised score of the guard."""


def slack_evidence(constraint: str) -> str:
    """Return the name of the predicted slack of a constraint in the evidence of a verdict."""
    return f"slack of {constraint}"


def verdict_of(
    state: AgentState, now: FallbackActions, plan: Plan | None, blocks: int, assessment: Assessment | None = None
) -> Verdict:
    """Return the verdict on the actions of a step.

    Args:
        state: The state with the last decision.
        now: The actions and the name of the fallback in each world.
        plan: The plan that was made in this step, if any.
        blocks: The number of its blocks that are executed.
        assessment: The assessment of the guard in this step, if any.
    """
    levels = [0] * state.batch if state.guard is None else state.guard.level.tolist()
    rows = list(zip(levels, state.alerts, state.reasons, now.names, strict=True))
    reasons = tuple(_explained(alert or reason, name, now.note) for _, alert, reason, name in rows)
    decision = tuple(
        max(DECISIONS[level], _decision(reason, name), key=DECISIONS.index) for level, _, reason, name in rows
    )
    evidence = {} if plan is None else {**_evidence(plan), **_slacks(state, plan, blocks)}
    threshold = None
    if assessment is not None:
        threshold, evidence = assessment.threshold, {**assessment.evidence, SCORE: assessment.score, **evidence}
    return Verdict(decision, state.surprise.copy(), reasons, now.names, threshold, evidence, plan)


def _evidence(plan: Plan) -> dict[str, npt.NDArray[np.float32]]:
    """Return the numbers behind a plan as arrays."""
    return {name: np.asarray(value.cpu().numpy(), np.float32) for name, value in plan.evidence.items()}


def _slacks(state: AgentState, plan: Plan, blocks: int) -> dict[str, npt.NDArray[np.float32]]:
    """Return the lowest predicted slack ``[B]`` of the blocks to execute, by constraint; NaN where they are not."""
    lowest = {name: slack[:, :blocks].amin(dim=1).float().cpu().numpy() for name, slack in plan.slacks.items()}
    return {slack_evidence(name): np.where(state.failed, np.float32(np.nan), slack) for name, slack in lowest.items()}


def _explained(reason: str, name: str, note: str) -> str:
    """Return the reason of a failed decision, with its substitute."""
    if not reason or not name:
        return reason
    return f"{reason.rstrip('.')}. Instead: {name}{f' ({note})' if note else ''}."


def _decision(reason: str, name: str) -> Decision:
    """Return the decision of a verdict, given the reason of a failure and the acting fallback."""
    if not reason:
        return "act"
    return "slow" if name in ("", "last_plan") else "stop"
