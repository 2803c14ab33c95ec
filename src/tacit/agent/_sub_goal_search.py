"""The decider that plans toward sub-goals."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Protocol

from torch import Tensor

from tacit.types import Decider, Plan, Situation

__all__ = ["SubGoalSearch", "SubGoalSource", "Targets"]


@dataclass(frozen=True, eq=False)
class Targets:
    """The next sub-goals of a batch of worlds.

    Attributes:
        latents: ``[B, D]`` the latents to plan toward in place of the goals; near a goal, the goal itself.
        evidence: Numbers ``[B]`` behind them by name.
    """

    latents: Tensor
    evidence: Mapping[str, Tensor] = field(default_factory=dict)


class SubGoalSource(Protocol):
    """A source of sub-goals on the way to far goals, such as :class:`tacit.agent.SubGoals`."""

    def targets(self, situation: Situation) -> Targets:
        """Return the next sub-goals."""


@dataclass(frozen=True)
class SubGoalSearch:
    """A decider that gives another one the next sub-goal in place of the goal.

    Args:
        search: The decider that plans toward a sub-goal.
        sub_goals: The source of sub-goals.
    """

    search: Decider
    sub_goals: SubGoalSource

    def __call__(self, situation: Situation, /) -> Plan:
        """See :class:`tacit.types.Decider`."""
        targets = self.sub_goals.targets(situation)
        plan = self.search(replace(situation, goal=targets.latents))
        return replace(plan, evidence={**plan.evidence, **targets.evidence})
