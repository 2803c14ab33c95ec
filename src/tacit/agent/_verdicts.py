"""Verdicts of an actor on its decisions."""

from __future__ import annotations

from typing import Literal

from tacit.agent._fallback import FallbackActions
from tacit.agent._state import AgentState
from tacit.types import Plan, Verdict

__all__ = ["verdict_of"]


def verdict_of(state: AgentState, now: FallbackActions, plan: Plan | None) -> Verdict:
    """Return the verdict on the actions of a step.

    Args:
        state: The state with the last decision.
        now: The actions and the name of the fallback in each world.
        plan: The plan that was made in this step, if any.
    """
    named = list(zip(state.reasons, now.names, strict=True))
    reasons = tuple(_explained(reason, name, now.note) for reason, name in named)
    decision = tuple(_decision(reason, name) for reason, name in named)
    return Verdict(decision, state.surprise.copy(), reasons, now.names, plan=plan)


def _explained(reason: str, name: str, note: str) -> str:
    """Return the reason of a failed decision, with its substitute."""
    if not reason or not name:
        return reason
    return f"{reason.rstrip('.')}. Instead: {name}{f' ({note})' if note else ''}."


def _decision(reason: str, name: str) -> Literal["act", "slow", "stop"]:
    """Return the decision of a verdict, given the reason of a failure and the acting fallback."""
    if not reason:
        return "act"
    return "slow" if name in ("", "last_plan") else "stop"
