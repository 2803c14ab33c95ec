"""Negative return: predicted rewards and the value of the last latent."""

from __future__ import annotations

from dataclasses import dataclass

from tacit.costs._base import CostTerm
from tacit.costs._return_critic import ReturnCritic
from tacit.types import Numbers, Rollout

__all__ = ["ExpectedReturn"]


@dataclass(frozen=True, eq=False)
class ExpectedReturn(CostTerm):
    """The negative discounted return of the imagined latents: rewards of the blocks and the value of the last latent.

    It needs no goal. As the score of TD-MPC2's planner (arXiv 2310.16828), with a value that needs no policy.

    Args:
        critic: A trained critic (:func:`tacit.training.train_critic`); it is saved with the agent.
    """

    critic: ReturnCritic

    def __call__(self, rollout: Rollout, /) -> Numbers:
        """Return energies ``[B, S]``; see :class:`tacit.types.Cost`.

        Raises:
            SpecError: if the latents or blocks are not those that the critic was trained for.
        """
        return -self.critic(rollout.start, rollout.latents, rollout.blocks)

    def __repr__(self) -> str:
        return f"ExpectedReturn(discount={self.critic.config.discount})"
