"""Learned temporal distance to a goal."""

from __future__ import annotations

from dataclasses import dataclass

from tacit._arrays import array_namespace
from tacit.costs._base import CostTerm
from tacit.costs._horizon import Reduce, check_reduce, considered, over_horizon
from tacit.costs._temporal_critic import TemporalCritic
from tacit.costs.goal import Goal
from tacit.errors import ConfigError, SpecError
from tacit.types import Numbers, Rollout

__all__ = ["TemporalDistance"]


@dataclass(frozen=True, eq=False)
class TemporalDistance(CostTerm):
    """The learned distance in time of the imagined latents to a goal, which knows the ways around walls.

    It is measured in blocks, and reduced over the horizon as :class:`tacit.costs.Goal`. Near the goal, where it is
    coarse, the distance of latents is the better guide: a world whose current latent is within ``near`` blocks of its
    goal is scored by ``Goal`` instead, scaled to blocks by the calibration of the critic.

    Args:
        critic: A trained critic (:func:`tacit.training.train_critic`); it is saved with the agent.
        reduce: ``last``, ``sum`` or ``min`` over the horizon. ``last`` is the fastest, ``sum`` also rewards progress
            on the way.
        near: Blocks from the goal at which latent distance takes over; 0: nowhere.

    Raises:
        ConfigError: if an option is unknown, or the critic is not calibrated at ``near`` blocks.
    """

    critic: TemporalCritic
    reduce: Reduce = "sum"
    near: int = 0

    def __post_init__(self) -> None:
        check_reduce(self.reduce, "TemporalDistance")
        if self.near < 0:
            raise ConfigError(f"near of TemporalDistance is at least 0; got {self.near}.")
        if self.near:
            self.critic.distance_at(self.near)

    def __call__(self, rollout: Rollout, /) -> Numbers:
        """Return energies ``[B, S]``; see :class:`tacit.types.Cost`.

        Raises:
            SpecError: if there is no goal, or it does not fit the latents.
        """
        goal = rollout.goal
        if goal is None:
            raise SpecError("TemporalDistance needs a goal: start(goal=...).")
        goals = goal[:, None, None]
        energy = over_horizon(self.critic(considered(rollout.latents, self.reduce), goals), self.reduce)
        if not self.near:
            return energy
        xp = array_namespace(energy)
        arriving = self.critic(rollout.start, goal) <= self.critic.distance_at(self.near)
        latent = Goal(reduce=self.reduce)(rollout) * (self.near / self.critic.square_at(self.near))
        return xp.where(arriving[:, None], latent, energy)

    def __repr__(self) -> str:
        return f"TemporalDistance({self.critic.config.method!r}, reduce={self.reduce!r}, near={self.near})"
