"""Verdicts of an actor on its decisions, and fallback policies."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, Protocol, TypeAlias

import numpy as np
import numpy.typing as npt

from tacit.types.planning import Plan
from tacit.types.spec import Observation

__all__ = ["FallbackPolicy", "Verdict"]

Decision: TypeAlias = Literal["act", "slow", "stop"]
DECISIONS: tuple[Decision, ...] = ("act", "slow", "stop")
"""The decisions of a verdict, from the least cautious to the most; a guard holds their numbers."""


class FallbackPolicy(Protocol):
    """A policy for worlds without a plan. Holds no state and depends on the observation alone."""

    def __call__(self, observation: Observation, /) -> npt.NDArray[np.float32]:
        """Return actions ``[B, A]`` for observations ``[B, ...]``. Only those of the worlds that fail are used."""


@dataclass(frozen=True)
class Verdict:
    """The report of an actor on its decision, per world.

    Attributes:
        decision: ``[B]`` ``act``: the decided action is executed; ``slow``: a cautious one is, such as the rest of an
            older plan; ``stop``: the fallback acts.
        surprise: ``[B]`` energy of the last observation, given the prediction for it; NaN before the first prediction.
        reasons: ``[B]`` the reason in words where the decision is not ``act``; empty elsewhere.
        fallback: ``[B]`` the source of an action without a decision: ``last_plan``, ``noop``, ``last_action`` or
            ``policy``; empty where the action was decided.
        threshold: ``[B]`` the score of the guard above which a world stops, at a boundary; None without a guard.
        evidence: Further numbers ``[B]`` behind the decision, by name.
        plan: The plan that was made in this act; None in an act that made none.
    """

    decision: tuple[Decision, ...]
    surprise: npt.NDArray[np.float32]
    reasons: tuple[str, ...] = ()
    fallback: tuple[str, ...] = ()
    threshold: npt.NDArray[np.float32] | None = None
    evidence: Mapping[str, npt.NDArray[np.float32]] = field(default_factory=dict)
    plan: Plan | None = None

    @classmethod
    def acting(cls, batch: int) -> Verdict:
        """Return the verdict of an actor that predicts nothing and always acts, in ``batch`` worlds."""
        return cls(DECISIONS[:1] * batch, np.full(batch, np.nan, np.float32), ("",) * batch)

    @property
    def ok(self) -> bool:
        """Return whether all worlds execute the decided action."""
        return all(decision == "act" for decision in self.decision)

    @property
    def reason(self) -> str:
        """Return the reasons of worlds that do not act, with their numbers; empty where all do."""
        groups: dict[str, list[str]] = {}
        for world, reason in enumerate(self.reasons):
            if reason:
                groups.setdefault(reason, []).append(str(world))
        return " ".join(f"world {', '.join(worlds)}: {reason}" for reason, worlds in groups.items())
