"""Checks and continuations of plans."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from tacit.agent._state import AgentState
from tacit.errors import SpecError
from tacit.types import Plan

__all__ = ["checked_plan", "continued", "failures", "merged", "only", "unqueued"]

BROKEN = "planning failed: the plan is not finite."


def checked_plan(plan: Plan, shape: tuple[int, int, int], device: Any) -> Plan:
    """Return the plan of a decider with float32 actions on a device.

    Args:
        plan: The plan.
        shape: The number of worlds, the frameskip and the size of an action.
        device: The device of the model.

    Raises:
        SpecError: if its actions are not whole blocks for each world.
    """
    batch, frameskip, size = shape
    actions = torch.as_tensor(plan.actions).to(device, torch.float32)
    if actions.ndim != 3 or (len(actions), actions.shape[2]) != (batch, size) or actions.shape[1] % frameskip:
        raise SpecError(
            f"a plan has actions [B, blocks * {frameskip}, A] with B, A = {(batch, size)}; got {list(actions.shape)}."
        )
    return replace(plan, actions=actions, energy=torch.as_tensor(plan.energy))


def failures(plan: Plan) -> tuple[npt.NDArray[np.bool_], tuple[str, ...]]:
    """Return the worlds ``[B]`` in which a plan must not be executed, and the reasons; empty in the others."""
    broken = plan.failed | ~torch.as_tensor(plan.actions).isfinite().flatten(1).all(dim=1)
    failed = (broken | plan.infeasible).cpu().numpy()
    given = plan.reasons or ("",) * len(failed)
    reasons = list(given)
    for world in np.flatnonzero(failed).tolist():
        if not given[world]:
            reasons[world] = BROKEN if broken[world] else _infeasible(plan, world)
    return failed, tuple(reason if one else "" for reason, one in zip(reasons, failed, strict=True))


def _infeasible(plan: Plan, world: int) -> str:
    least = float(plan.violation[world])  # type: ignore[index]
    return f"no candidate satisfies the constraints; the least violation is {least:.3g}."


def continued(rest: Tensor, fallback: Tensor, falls: npt.NDArray[np.bool_]) -> Tensor:
    """Return the rest of a plan ``[B, n, A]``, extended by fallback actions ``[B, N, A]``.

    Fallback actions also replace the plan where the mask ``falls`` is true.
    """
    known = rest.shape[1]
    continues = torch.from_numpy(~falls[:, :known]).to(rest.device)[:, :, None]
    return torch.cat([torch.where(continues, rest, fallback[:, :known]), fallback[:, known:]], dim=1)


def unqueued(state: AgentState) -> AgentState:
    """Return a state whose last plan begins at the current step, without a queue."""
    queue = torch.from_numpy(state.queue)
    rest = state.warm_start
    joined = queue if rest is None else torch.cat([queue.to(rest), rest], dim=1)[:, : rest.shape[1]]
    return replace(state, left=state.left + (~state.falls).sum(axis=1), warm_start=joined)


def merged(state: AgentState, fresh: AgentState, worlds: npt.NDArray[np.bool_]) -> AgentState:
    """Return a state with the plan of another one in some worlds ``[B]``, and with the queue length of the first."""
    length = state.queue.shape[1]
    later = torch.from_numpy(fresh.queue[:, length:])
    ahead = fresh.warm_start
    if ahead is not None:
        ahead = torch.cat([later.to(ahead), ahead], dim=1)[:, : ahead.shape[1]]
        chosen = torch.from_numpy(worlds)[:, None, None].to(ahead.device)
        ahead = ahead if state.warm_start is None else torch.where(chosen, ahead, state.warm_start)
    rows = worlds[:, None]
    reasons = zip(worlds, fresh.reasons, state.reasons, strict=True)
    return replace(
        state,
        queue=np.where(rows[:, :, None], fresh.queue[:, :length], state.queue),
        falls=np.where(rows, fresh.falls[:, :length], state.falls),
        failed=np.where(worlds, fresh.failed, state.failed),
        left=np.where(worlds, fresh.left + later.shape[1], state.left),
        reasons=tuple(new if one else old for one, new, old in reasons),
        warm_start=ahead,
    )


def only(plan: Plan, worlds: npt.NDArray[np.bool_]) -> Plan:
    """Return a plan that says nothing about worlds other than these ``[B]``: their numbers are NaN."""
    others = torch.from_numpy(~worlds).to(plan.energy.device)
    slacks = {name: slack.masked_fill(others[:, None], torch.nan) for name, slack in plan.slacks.items()}
    evidence = {name: value.masked_fill(others.to(value.device), torch.nan) for name, value in plan.evidence.items()}
    return replace(plan, energy=plan.energy.masked_fill(others, torch.nan), slacks=slacks, evidence=evidence)
