"""The decider that executes a policy without a search."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from tacit.agent._proposal import Proposal, propose
from tacit.errors import SpecError
from tacit.types import Plan, Situation, WorldModel

__all__ = ["PolicyDecider"]

NOT_FINITE = "latent, goal or proposal is not finite"


@dataclass(frozen=True)
class PolicyDecider:
    """A decider that takes the first proposal of a goal-conditioned policy, one block ahead.

    Args:
        model: The source of the latents.
        policy: The policy, whose actions are projected into the space.
    """

    model: WorldModel
    policy: Proposal

    def __call__(self, situation: Situation, /) -> Plan:
        """See :class:`tacit.types.Decider`."""
        if situation.goal is None:
            raise SpecError("PolicyActor needs a goal: start(goal=...).")
        actions = propose(self.policy, situation, 1, 1, self.model)[:, 0, 0].float()
        inputs = torch.cat([situation.context.latents[:, -1], situation.goal, actions.flatten(1)], dim=1)
        known = inputs.isfinite().all(dim=1)
        energy = torch.where(known, 0.0, torch.inf)
        return Plan(actions, energy, (), 1, reasons=tuple("" if one else NOT_FINITE for one in known.tolist()))
