"""The state of an actor between acts, as a value."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
from torch import Tensor

from tacit.types import Observation, Plan

__all__ = ["AgentState", "numbered"]


def numbered(worlds: Tensor | npt.NDArray[np.bool_]) -> str:
    """Return the indices of the true entries of ``[B]`` in words: ``world 1, 4``."""
    return f"world {', '.join(str(index) for index in np.flatnonzero(np.asarray(worlds)))}"


@dataclass(frozen=True, eq=False)
class AgentState:
    """The complete memory of an actor; two acts from one state are equal.

    Attributes:
        seeds: ``[B]`` a seed for each world; a decision draws from the noise of it and the step.
        step: Raw steps taken.
        goal: ``[B, D]`` latent of the goal, where there is one.
        partial_goal: A goal that lacks modalities, which each observation completes at a block boundary.
        latents: ``[B, T, D]`` latents of the last block boundaries, at most the model's history.
        actions: ``[B, T - 1, A']`` the blocks between them.
        queue: ``[B, N, A]`` raw actions that are decided and not yet returned.
        falls: ``[B, N]`` flags of the actions that the fallback chooses at their step; the queue holds an estimate.
        failed: ``[B]`` worlds in which the last decision failed.
        left: ``[B]`` number of rows of the last valid plan that are not executed yet.
        last_action: ``[B, A]`` the last executed action; None before the first, unless it was given at the start.
        position: ``[B, A]`` the last finite current position of each component; NaN where none is known.
        executed: ``[B, n, A]`` the returned actions of the current block.
        deviated: Whether one of them differs from that of the block.
        block: ``[B, A']`` the block that is being executed, as it was decided.
        predicted: ``[B, D]`` the latent that the model predicts for the end of it.
        surprise: ``[B]`` mean squared error of the last such prediction; NaN before the first.
        reasons: ``[B]`` the reason why the last decision failed; empty where it did not.
        plan: The last plan, with its trace; where a world failed, its substitute with energy NaN.
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
        """Return the number of worlds ``B``."""
        return len(self.seeds)
