"""What an actor carries from one act to the next, as a value."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt
from torch import Tensor

from tacit.types import Observation, Plan

__all__ = ["AgentState", "Latency", "numbered"]

KEPT = 1000


def numbered(worlds: Tensor | npt.NDArray[np.bool_]) -> str:
    """Return the true ones of ``[B]`` in words: ``world 1, 4``."""
    return f"world {', '.join(str(index) for index in np.flatnonzero(np.asarray(worlds)))}"


@dataclass(frozen=True)
class Latency:
    """Milliseconds of an act.

    Attributes:
        p50: Median over all acts, most of which may only hand out an action that was planned before.
        p99: Their 99th percentile.
        decision_p50: Median over the acts that had to decide anew.
        decision_p99: Their 99th percentile.
    """

    p50: float
    p99: float
    decision_p50: float
    decision_p99: float


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
        reason: Why the last decision failed, in which worlds; empty if it did not.
        plan: The last plan, with its trace; where a world failed, what it does instead, its energy NaN.
        warm_start: ``[B, rows, A]`` the last plan, shifted to the next decision.
        durations: Seconds of the last acts, 1000 at most.
        decisions: Seconds of the last acts that decided anew, 1000 at most.
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
    reason: str = ""
    plan: Plan | None = field(default=None, repr=False)
    warm_start: Tensor | None = field(default=None, repr=False)
    durations: tuple[float, ...] = field(default=(), repr=False)
    decisions: tuple[float, ...] = field(default=(), repr=False)

    @property
    def batch(self) -> int:
        """Worlds ``B``."""
        return len(self.seeds)

    def timed(self, seconds: float, decided: bool) -> AgentState:
        """With the duration of one more act."""
        decisions = (*self.decisions[1 - KEPT :], seconds) if decided else self.decisions
        return replace(self, durations=(*self.durations[1 - KEPT :], seconds), decisions=decisions)

    def latency(self) -> Latency:
        """How long the acts took; NaN before the first."""
        pairs = [np.percentile(times or (np.nan,), (50, 99)) * 1e3 for times in (self.durations, self.decisions)]
        return Latency(*(float(value) for pair in pairs for value in pair))
