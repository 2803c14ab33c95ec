"""Distillation of a planner: training of a goal-conditioned policy on the plans of an agent."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor

from tacit._config import from_json
from tacit._limits import HORIZON, SAMPLES, limited
from tacit._seeds import derive_seed
from tacit._threads import computing, suited_threads
from tacit.agent import Agent
from tacit.agent._limits import ActionLimits
from tacit.agent._plans import checked_plan, failures
from tacit.data import Clips
from tacit.errors import ConfigError, PlanningError
from tacit.models import Dynamics
from tacit.models.goal_policy import GoalPolicy
from tacit.nn._tuning import tune_cpu
from tacit.planners import WorldNoise, world_seeds
from tacit.training.config import GoalPolicyTraining
from tacit.training.encoded import RecordedBlocks
from tacit.training.goal_policy import check_fit, fit_policy
from tacit.training.report import FitReport
from tacit.types import Context, Situation

__all__ = ["DistillationTraining", "distill_policy"]

Pairs = tuple[Tensor, Tensor, Tensor]
"""Latents and goals ``[N, D]``, and the action blocks ``[N, A']`` between them."""
WORLDS = 250
"""Worlds that are imagined at once."""


@dataclass(frozen=True)
class DistillationTraining:
    """The options of :func:`distill_policy`.

    Args:
        searches: Searches of the agent in each round.
        blocks: Blocks that are imagined from each recorded latent, with a search at each.
        rounds: Times that the agent searches and the policy is trained on all plans so far.
        other_episodes: Share of the goals that are latents of any episode; the others follow in the same one.
        training: Options of the training of the policy. ``ahead`` is the largest distance of a goal in the same
            episode.

    Raises:
        ConfigError: if a number is out of range.
    """

    searches: int = 4_000
    blocks: int = 10
    rounds: int = 2
    other_episodes: float = 0.5
    training: GoalPolicyTraining = field(default_factory=GoalPolicyTraining)

    def __post_init__(self) -> None:
        limited("distillation", SAMPLES, searches=self.searches)
        limited("distillation", HORIZON, blocks=self.blocks, rounds=self.rounds)
        if min(self.blocks, self.rounds) < 1 or self.searches < self.blocks or not 0 <= self.other_episodes <= 1:
            raise ConfigError(
                "distillation needs blocks and rounds >= 1, at least as many searches as blocks, and other_episodes "
                f"between 0 and 1; got {self.blocks}, {self.rounds}, {self.searches} and {self.other_episodes}."
            )


def distill_policy(
    agent: Agent, policy: GoalPolicy, clips: Clips, *, steps: int, seed: int, **options: Any
) -> FitReport:
    """Train a policy, in place, to act as an agent plans.

    The agent pursues goals from the data in the imagination of its model, from recorded latents. The policy learns the
    first block of each plan. In the first round the plans are executed. In later rounds the policy acts and the agent
    says what it would have done, so that the policy learns to correct its own errors (DAgger, Ross et al., 2011).

    Args:
        agent: The agent; its model, cost, constraints and proposals are used as they are, without its deadline.
        policy: The policy, which may be trained already; it is left in evaluation mode.
        clips: Their episodes and frameskip are used, their length is not.
        steps: The number of updates of each round.
        seed: The seed of the starts, the goals, the searches and the batches.
        options: Options of :class:`DistillationTraining`.

    Raises:
        ConfigError: if an option is unknown or out of range, or agent, policy and clips do not fit together.
        PlanningError: if the agent finds no plan.
        TrainingError: if a loss or a gradient is not finite.
    """
    started = time.perf_counter()
    tune_cpu()
    config, model = from_json(DistillationTraining, options, "distill_policy"), agent.model
    if not isinstance(model, Dynamics):
        raise ConfigError(f"distill_policy needs an agent with a model of tacit.models; got {type(model).__name__}.")
    check_fit(model, policy, clips, steps)
    policy.to(model.device).eval()
    model.eval()
    plans, losses, found = _Plans(agent), list[float](), list[Pairs]()
    with computing(suited_threads(model, policy)):
        recorded = RecordedBlocks(model, clips)
        for number in range(config.rounds):
            starts, goals = _tasks(recorded, model.history, config, np.random.default_rng([seed, number]))
            for first in range(0, len(goals), WORLDS):
                rows = slice(first, first + WORLDS)
                begin = Context(starts.latents[rows], None if starts.blocks is None else starts.blocks[rows])
                seeds = world_seeds(derive_seed(seed, number), len(goals))[rows]
                found.append(plans.imagine(begin, goals[rows], tuple(seeds), config.blocks, policy if number else None))
            pairs = _joined(found)
            losses += fit_policy(policy, _batches(pairs, seed + number, config.training), steps, config.training)
    return FitReport(len(losses), time.perf_counter() - started, tuple(losses))


class _Plans:
    """The plans of an agent in the imagination of its model."""

    def __init__(self, agent: Agent) -> None:
        self.agent, self.limits = agent, ActionLimits(agent.space, agent.constraints)

    @torch.no_grad()
    def imagine(
        self, context: Context, goals: Tensor, seeds: tuple[int, ...], blocks: int, policy: GoalPolicy | None
    ) -> Pairs:
        """Return what the agent plans at each of some blocks. The policy acts where there is one, else the agent."""
        agent, skip, size = self.agent, self.agent.frameskip, self.agent.space.size
        shape = len(goals), skip, size
        last, previous, made = goals.new_full((len(goals), size), torch.nan), None, list[Pairs]()
        for step in range(blocks):
            situation = Situation(
                context,
                (0,) * len(goals),
                WorldNoise(seeds, (step * skip,) * len(goals)),
                self.limits.space,
                goal=goals,
                project=self.limits.after(last),
                previous=previous,
            )
            plan = checked_plan(agent.decider(situation), shape, agent.model.device)
            known = torch.from_numpy(~failures(plan)[0]).to(goals.device)
            now, first = context.latents[:, -1], plan.actions[:, :skip].flatten(1)
            made.append((now[known], goals[known], first[known]))
            taken = first
            if policy is not None:
                taken = self.limits.project(policy(now, goals).unflatten(1, (skip, size)), last).flatten(1)
            taken = torch.where(known[:, None], taken, 0.0)
            following = agent.model.rollout(context, taken[:, None])
            past = taken[:, None] if context.blocks is None else torch.cat([context.blocks, taken[:, None]], dim=1)
            kept = min(context.latents.shape[1] + 1, agent.model.history)
            latents = torch.cat([context.latents, following], dim=1)[:, -kept:]
            context = Context(latents, past[:, past.shape[1] - kept + 1 :] if kept > 1 else None)
            last, previous = taken[:, -size:], plan.actions[:, skip:] if plan.actions.shape[1] > skip else None
        return _joined(made)


def _tasks(
    recorded: RecordedBlocks, history: int, config: DistillationTraining, rng: np.random.Generator
) -> tuple[Context, Tensor]:
    """Draw recorded contexts and goals ``[N, D]`` for one round."""
    count = config.searches // config.blocks
    left = recorded.blocks_left[recorded.row]
    possible = np.flatnonzero(left >= history)
    if not len(possible):
        raise ConfigError(f"distill_policy needs episodes of at least {history} whole blocks.")
    move = rng.choice(possible, count)
    latents, blocks = recorded.sequences(move, history)
    now = recorded.row[move] + (history - 1) * recorded.frameskip
    ahead = rng.integers(1, np.minimum(recorded.blocks_left[now], config.training.ahead) + 1)
    anywhere = rng.integers(0, len(recorded.latents), count)
    goal = np.where(rng.random(count) < config.other_episodes, anywhere, now + ahead * recorded.frameskip)
    past = blocks[:, : history - 1] if history > 1 else None
    return Context(latents[:, :history], past), recorded.latents[goal]


def _joined(pairs: list[Pairs]) -> Pairs:
    latents, goals, blocks = (torch.cat(parts) for parts in zip(*pairs, strict=True))
    return latents, goals, blocks


def _batches(pairs: Pairs, seed: int, config: GoalPolicyTraining) -> Any:
    """Return a function from a step to its batch.

    Raises:
        PlanningError: if there is no plan.
    """
    count = len(pairs[0])
    if not count:
        raise PlanningError("the agent found no plan in any of its searches; look at the reason of agent.act.")

    def batch(step: int) -> Pairs:
        rows = np.random.default_rng([seed, step]).integers(0, count, config.batch_size)
        latents, goals, blocks = (part[rows] for part in pairs)
        return latents, goals, blocks

    return batch
