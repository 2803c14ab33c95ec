"""Distance to the goal that the carrier of an agent names."""

from __future__ import annotations

from dataclasses import dataclass, replace

from tacit._arrays import array_namespace, like
from tacit.costs._base import CostTerm
from tacit.costs._horizon import Reduce, check_reduce
from tacit.costs._temporal_critic import TemporalCritic
from tacit.costs.goal import Goal
from tacit.costs.temporal_distance import TemporalDistance
from tacit.errors import ConfigError, SpecError
from tacit.types import Numbers, Readout, Rollout

__all__ = ["RecalledGoal"]


@dataclass(frozen=True, eq=False)
class RecalledGoal(CostTerm):
    """The distance to one of several goals, chosen by what the carrier holds, such as a goal that a cue named.

    The carrier is read at the start of a rollout, and again at each decision. The chosen goal takes the place of that
    which the agent received.

    Args:
        choice: Reads a score of each of ``K`` goals from what is carried ``[B, M]``; the highest one is chosen.
        goals: ``[K, D]`` the latents of the goals.
        critic: A trained critic, which measures the distance in time (see :class:`tacit.costs.TemporalDistance`); None:
            the distance of latents (:class:`tacit.costs.Goal`).
        reduce: ``last``, ``sum`` or ``min`` over the horizon.
        near: Blocks from the goal at which the distance of latents takes over; only with a critic.

    Raises:
        ConfigError: if there is not one score for each goal, an option is unknown, or the critic is not calibrated at
            ``near`` blocks.
    """

    choice: Readout
    goals: Numbers
    critic: TemporalCritic | None = None
    reduce: Reduce = "sum"
    near: int = 0

    def __post_init__(self) -> None:
        check_reduce(self.reduce, "RecalledGoal")
        shape = list(self.goals.shape)
        if len(shape) != 2 or shape[0] != self.choice.size:
            raise ConfigError(
                f"the readout of {self.choice.target!r} gives {self.choice.size} scores, so RecalledGoal needs goals "
                f"[{self.choice.size}, D]; got {shape}."
            )
        if self.near and self.critic is None:
            raise ConfigError(f"near={self.near} of RecalledGoal needs a critic.")
        self._distance()

    def chosen(self, carried: Numbers) -> Numbers:
        """Return the number ``[B]`` of the goal that each row of ``[B, M]`` chooses."""
        return array_namespace(carried).argmax(self.choice(carried), axis=-1)

    def __call__(self, rollout: Rollout, /) -> Numbers:
        """Return energies ``[B, S]``; see :class:`tacit.types.Cost`.

        Raises:
            SpecError: if the agent has no carrier, or the goals do not fit the latents.
        """
        if rollout.carried is None:
            raise SpecError("RecalledGoal reads the carrier of the agent, which has none: tc.Agent(..., carrier=...).")
        goals = like(self.goals, rollout.latents)
        return self._distance()(replace(rollout, goal=goals[self.chosen(rollout.carried)]))

    def _distance(self) -> CostTerm:
        """Return the cost of a given goal."""
        if self.critic is None:
            return Goal(reduce=self.reduce)
        return TemporalDistance(self.critic, self.reduce, self.near)

    def __repr__(self) -> str:
        critic = "" if self.critic is None else f", {self.critic.config.method!r}, near={self.near}"
        return f"RecalledGoal({self.choice.target!r}, {list(self.goals.shape)}, reduce={self.reduce!r}{critic})"
