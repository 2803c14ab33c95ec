"""The decider that plans toward sub-goals."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Protocol

from torch import Tensor

from tacit.types import Decider, Plan, Situation

__all__ = ["SubGoalSearch", "SubGoalSource"]


class SubGoalSource(Protocol):
    """A source of sub-goals on the way to far goals, such as :class:`tacit.agent.MacroSearch`."""

    def targets(self, situation: Situation) -> Tensor:
        """Return the latents ``[B, D]`` to plan toward in place of the goals; near a goal, the goal itself."""


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
        return self.search(replace(situation, goal=self.sub_goals.targets(situation)))
