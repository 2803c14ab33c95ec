"""The decisions of an actor, and what acts where there is none."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, Protocol

import numpy as np
import numpy.typing as npt

from tacit.types.planning import Plan
from tacit.types.spec import Observation

__all__ = ["FallbackPolicy", "Verdict"]


class FallbackPolicy(Protocol):
    """Actions of worlds in which nothing was planned. Holds no state and answers from the observation alone."""

    def __call__(self, observation: Observation, /) -> npt.NDArray[np.float32]:
        """Return actions ``[B, A]`` for observations ``[B, ...]``; only those of the worlds that fail are used."""


@dataclass(frozen=True)
class Verdict:
    """Report of an actor on its decision, world by world.

    Attributes:
        decision: ``[B]`` ``act``: what was decided is carried out; ``slow``: with caution, such as the rest of an older
            plan; ``stop``: the fallback acts.
        surprise: ``[B]`` energy of what was observed under what had been predicted; NaN before the first prediction.
        reasons: ``[B]`` why not ``act``, in words; empty where it is.
        fallback: ``[B]`` what acts without a decision: ``last_plan``, ``noop``, ``last_action`` or ``policy``; empty
            where it is what was decided.
        threshold: ``[B]`` the surprise above which an actor does not act; None from one that has no such limit.
        evidence: Further numbers ``[B]`` behind the decision, by name.
        plan: The plan that was made in this act; None in an act that made none.
    """

    decision: tuple[Literal["act", "slow", "stop"], ...]
    surprise: npt.NDArray[np.float32]
    reasons: tuple[str, ...] = ()
    fallback: tuple[str, ...] = ()
    threshold: npt.NDArray[np.float32] | None = None
    evidence: Mapping[str, npt.NDArray[np.float32]] = field(default_factory=dict)
    plan: Plan | None = None

    @classmethod
    def acting(cls, batch: int) -> Verdict:
        """Return the verdict of an actor that predicts nothing and always acts, in ``batch`` worlds."""
        act: Literal["act", "slow", "stop"] = "act"
        return cls((act,) * batch, np.full(batch, np.nan, np.float32), ("",) * batch)

    @property
    def ok(self) -> bool:
        """Whether all worlds do what was decided."""
        return all(decision == "act" for decision in self.decision)

    @property
    def reason(self) -> str:
        """Why some world does not act, with the numbers of the worlds; empty where all do."""
        groups: dict[str, list[str]] = {}
        for world, reason in enumerate(self.reasons):
            if reason:
                groups.setdefault(reason, []).append(str(world))
        return " ".join(f"world {', '.join(worlds)}: {reason}" for reason, worlds in groups.items())
