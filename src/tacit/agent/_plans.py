"""Checks and continuations of plans."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from tacit.errors import SpecError
from tacit.types import Plan

__all__ = ["checked_plan", "continued", "failures"]

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
