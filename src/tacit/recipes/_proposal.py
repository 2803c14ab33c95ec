"""Proposals of a recipe's agent: a policy, distilled or not, and recorded actions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch

from tacit._config import to_json
from tacit.agent import Agent, MixedProposals, Proposal
from tacit.data import Clips
from tacit.errors import ConfigError
from tacit.models import Dynamics
from tacit.models.goal_policy import GoalPolicy, GoalPolicyConfig
from tacit.training import GoalPolicyTraining, distill_policy, record_proposals

__all__ = ["RecipeProposal", "new_policy"]


@dataclass(frozen=True)
class RecipeProposal:
    """The source of the candidates that an agent rates besides those of its planner.

    Args:
        policy: ``actions``: the policy learns from recorded actions; ``distilled``: and then from the plans of the
            agent, for as many updates in each round; see :func:`tacit.training.distill_policy`.
        searches: Searches of the agent in each round of the distillation.
        recorded: Share of the proposals that are recorded actions; see :class:`tacit.agent.RecordedProposals`.
        recordings: Recorded sequences that are saved with the agent.

    Raises:
        ConfigError: if a number is out of range.
    """

    policy: Literal["actions", "distilled"] = "actions"
    searches: int = 4_000
    recorded: float = 0.0
    recordings: int = 2_000

    def __post_init__(self) -> None:
        if not 0 <= self.recorded <= 1 or min(self.searches, self.recordings) < 1:
            raise ConfigError(
                "proposals need recorded between 0 and 1, and searches and recordings >= 1; got "
                f"{self.recorded}, {self.searches} and {self.recordings}."
            )

    def train(
        self,
        model: Dynamics,
        agent: Agent,
        policy: GoalPolicy | None,
        clips: Clips,
        steps: int,
        *,
        seed: int,
        training: GoalPolicyTraining,
    ) -> Proposal | None:
        """Return the proposals of an agent from a policy that learned from recorded actions, or without one.

        Args:
            model: The model of the agent.
            agent: The agent, with the policy as its proposal.
            policy: The policy, which is trained further in place.
            clips: Their episodes and frameskip are used.
            steps: Updates of each round of the distillation.
            seed: The seed of the distillation and of the recordings.
            training: Options of the training of the policy.
        """
        if policy is not None and self.policy == "distilled":
            options = {"searches": self.searches, "training": to_json(training)}
            distill_policy(agent, policy, clips, steps=steps, seed=seed, **options)
        if self.recorded == 0:
            return policy
        horizon = agent.config.horizon
        recorded = record_proposals(model, clips, horizon=horizon, count=self.recordings, seed=seed)
        if policy is None or self.recorded == 1:
            return recorded
        return MixedProposals((policy, recorded), (1 - self.recorded, self.recorded))


def new_policy(model: Dynamics, seed: int) -> GoalPolicy:
    """Return a policy for a model. Its weights are drawn from ``seed``."""
    config = GoalPolicyConfig(model.config.latent, model.config.spec.action, model.config.frameskip)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return GoalPolicy(config)
