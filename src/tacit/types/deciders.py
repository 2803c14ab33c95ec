"""Deciders: the plans of an actor, and the inputs of each decision."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from tacit._arrays import Numbers
from tacit.types.planning import Noise, Plan
from tacit.types.rollouts import Context
from tacit.types.spaces import ActionSpace
from tacit.types.stores import Store

__all__ = ["Decider", "Situation"]


@dataclass(frozen=True)
class Situation:
    """The inputs of one decision.

    Attributes:
        context: The observed past.
        steps: ``[B]`` raw steps since the start of each world.
        noise: The only source of randomness; its length is the number of worlds ``B``.
        space: The space of one raw action, within the constraints.
        goal: ``[B, D]`` the latent of the goal, where there is one.
        project: Maps sequences ``[B, ..., H, A]`` inside the space to the nearest allowed ones; None: all are allowed.
        previous: ``[B, N, A]`` raw actions of the last plan from this step on; the last one is repeated. None: there
            is no plan yet.
        memory: The memory of each world at its snapshot; None: there is none.
        due: The time by which the actor has to act, on the clock of :func:`time.perf_counter`. None: no limit.
    """

    context: Context
    steps: tuple[int, ...]
    noise: Noise
    space: ActionSpace
    goal: Numbers | None = None
    project: Callable[[Numbers], Numbers] | None = None
    previous: Numbers | None = None
    memory: tuple[Store, ...] | None = None
    due: float | None = None

    @property
    def batch(self) -> int:
        """Return the number of worlds ``B``."""
        return len(self.noise)


class Decider(Protocol):
    """A source of plans, such as a search or a policy. Holds configuration, never state."""

    def __call__(self, situation: Situation, /) -> Plan:
        """Return raw actions for the next blocks of all worlds.

        A world fails where the plan says so or its actions are not finite; an actor then continues its last plan. The
        plan of a world depends neither on the other worlds nor on its index among them.

        Raises:
            PlanningError: if the decision fails in all worlds.
        """
