"""What an actor carries from one act to the next, as a value."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
from torch import Tensor

from tacit.types import Observation, Plan

__all__ = ["AgentState", "numbered"]


def numbered(worlds: Tensor | npt.NDArray[np.bool_]) -> str:
    """Return the true ones of ``[B]`` in words: ``world 1, 4``."""
    return f"world {', '.join(str(index) for index in np.flatnonzero(np.asarray(worlds)))}"


@dataclass(frozen=True, eq=False)
class AgentState:
    """Everything that an actor remembers; acting twice from one state does the same twice.

    Attributes:
        seeds: ``[B]`` a seed for each world; a decision draws from the noise of it and the step.
        step: Raw steps taken.
        goal: ``[B, D]`` latent of the goal, where there is one.
        partial_goal: A goal that lacks modalities, which each observation completes at a block boundary.
        latents: ``[B, T, D]`` what was observed at the last block boundaries, at most the model's history.
        actions: ``[B, T - 1, A']`` the blocks between them.
        queue: ``[B, N, A]`` raw actions that are decided and not yet handed out.
        falls: ``[B, N]`` where the fallback chooses the action when its step comes; the queue then holds an estimate.
        failed: ``[B]`` worlds in which the last decision failed.
        left: ``[B]`` rows of the last valid plan that are not carried out yet.
        last_action: ``[B, A]`` the last executed action; None before the first, unless it was given at the start.
        position: ``[B, A]`` the last finite current position of each component; NaN where none is known.
        executed: ``[B, n, A]`` the actions of the current block that were handed out.
        deviated: One of them was not the one of the block.
        block: ``[B, A']`` the block that is being carried out, as it was decided.
        predicted: ``[B, D]`` the latent that the model expects at the end of it.
        surprise: ``[B]`` mean squared error of the last such prediction; NaN before the first.
        reasons: ``[B]`` why the last decision failed; empty where it did not.
        plan: The last plan, with its trace; where a world failed, what it does instead, its energy NaN.
        warm_start: ``[B, rows, A]`` the last plan, shifted to the next decision.
    """

    seeds: tuple[int, ...]
    queue: npt.NDArray[np.float32] = field(repr=False)
    surprise: npt.NDArray[np.float32] = field(repr=False)
    falls: npt.NDArray[np.bool_] = field(repr=False)
    failed: npt.NDArray[np.bool_] = field(repr=False)
    left: npt.NDArray[np.int64] = field(repr=False)
    last_action: npt.NDArray[np.float32] | None = field(default=None, repr=False)
    position: npt.NDArray[np.float32] | None = field(default=None, repr=False)
    executed: npt.NDArray[np.float32] | None = field(default=None, repr=False)
    deviated: bool = False
    step: int = 0
    partial_goal: Observation | None = field(default=None, repr=False)
    goal: Tensor | None = field(default=None, repr=False)
    latents: Tensor | None = field(default=None, repr=False)
    actions: Tensor | None = field(default=None, repr=False)
    block: Tensor | None = field(default=None, repr=False)
    predicted: Tensor | None = field(default=None, repr=False)
    reasons: tuple[str, ...] = ()
    plan: Plan | None = field(default=None, repr=False)
    warm_start: Tensor | None = field(default=None, repr=False)

    @property
    def batch(self) -> int:
        """Worlds ``B``."""
        return len(self.seeds)
