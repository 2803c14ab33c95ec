"""Policies that suggest plans."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

from torch import Tensor

from tacit.errors import SpecError
from tacit.types import Context, Noise, Situation, Store, WorldModel

__all__ = ["Proposal", "Recalling", "propose"]

STREAM = 1
"""The stream of noise of policies that make proposals."""


class Proposal(Protocol):
    """A policy that suggests plans, for example a :class:`tacit.models.GoalPolicy`."""

    def propose(
        self, context: Context, goal: Tensor, horizon: int, count: int, noise: Noise, model: WorldModel
    ) -> Tensor:
        """Return ``count`` plans of raw action blocks ``[B, count, horizon, A']`` towards goals ``[B, D]``."""


@runtime_checkable
class Recalling(Protocol):
    """A policy that reads the memory of the agent."""

    def recalling(self, memories: Sequence[Store] | None, /) -> Proposal:
        """Return the policy with the memory of each world; None: there is none."""


def propose(policy: Proposal, situation: Situation, horizon: int, count: int, model: WorldModel) -> Tensor:
    """Return proposals ``[B, count, horizon, frameskip, A]``.

    Rows with non-finite latents or goals are undefined.

    Raises:
        SpecError: if there is no goal.
    """
    context, goal = situation.context, situation.goal
    if goal is None:
        raise SpecError(
            "a policy needs a goal: start(goal=...). Where the cost holds the goal, leave the policy out: "
            "agent.replace(proposal=None)."
        )
    # Replace NaN by numbers, since a policy may refuse NaN and then fails for all worlds.
    latents, goal = (part.nan_to_num(0.0, 0.0, 0.0) for part in (context.latents, goal))
    past = context.blocks
    if past is None:
        past = latents.new_zeros(len(latents), 0, model.frameskip * situation.space.size)
    noise = situation.noise.spawn(STREAM)
    if isinstance(policy, Recalling):
        policy = policy.recalling(situation.memory)
    blocks = policy.propose(Context(latents, past, context.carry), goal, horizon, count, noise, model)
    return blocks.reshape(*blocks.shape[:3], model.frameskip, situation.space.size)
