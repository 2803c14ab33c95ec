"""Outcome of an act: the members of its record that a replay makes again."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

import numpy as np
import numpy.typing as npt

from tacit.agent import AgentState, BlockActor
from tacit.types import Verdict

__all__ = ["OUTCOME", "WINDOW", "at_boundary", "latent_of", "outcome"]

OUTCOME = ("latent", "predicted", "goal", "action", "verdict", "plan")
"""The names of the members."""
WINDOW = 1024
"""The number of records back to which a record may refer for its state."""


def outcome(
    actor: BlockActor, state: AgentState, action: npt.NDArray[np.float32], verdict: Verdict, after: AgentState
) -> dict[str, Any]:
    """Return what an act made: latents, action, verdict and plan, by name.

    The trace of the plan is left out.

    Args:
        actor: The actor.
        state: Its state before the act.
        action: ``[B, A]`` the action.
        verdict: The verdict.
        after: The state after the act.
    """
    found: dict[str, Any] = {}
    if at_boundary(actor, state):
        found["latent"] = latent_of(actor, state, after)
        found["predicted"] = after.predicted
        if state.partial_goal is not None:
            found["goal"] = after.goal
    found["action"] = action
    found["verdict"] = {one.name: vars(verdict)[one.name] for one in fields(verdict) if one.name != "plan"}
    if verdict.plan is not None:
        found["plan"] = {one.name: vars(verdict.plan)[one.name] for one in fields(verdict.plan) if one.name != "trace"}
    return found


def at_boundary(actor: BlockActor, state: AgentState) -> bool:
    return state.steps[0] % actor.frameskip == 0


def latent_of(actor: BlockActor, state: AgentState, after: AgentState) -> Any:
    """Return the latent ``[B, D]`` that an act observed; None between boundaries, or if there is none."""
    if after.context is None or not at_boundary(actor, state):
        return None
    return after.context.latents[:, -1]
