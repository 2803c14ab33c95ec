"""Training of a goal-conditioned policy on the frozen latents of a world model."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from tacit._threads import computing, suited_threads
from tacit.errors import ConfigError, TrainingError
from tacit.models import Dynamics
from tacit.models.goal_policy import GoalPolicy
from tacit.nn._tuning import tune_cpu
from tacit.training._latents import EncodedEpisodes, chunks
from tacit.training.config import GoalPolicyTraining, configured
from tacit.training.optimizer import adamw, lr_factor, optimizer_step

if TYPE_CHECKING:
    from tacit.data import Clips

__all__ = ["GoalPolicyReport", "train_goal_policy"]


@dataclass(frozen=True)
class GoalPolicyReport:
    """The result of training a goal-conditioned policy.

    Attributes:
        steps: The number of updates.
        seconds: Time of the call, including encoding.
        losses: The loss of each step.
    """

    steps: int
    seconds: float
    losses: tuple[float, ...]


def train_goal_policy(
    model: Dynamics, policy: GoalPolicy, clips: Clips, *, steps: int, seed: int, **options: Any
) -> GoalPolicyReport:
    """Train a policy, in place, to predict the action taken between a latent and a later one.

    Goal-conditioned inverse dynamics (GC-IDM, arXiv 2605.08732): from latents ``z_t`` and ``z_{t+k}`` of one episode
    to the action block at ``t``, with ``k`` uniform from 1 to ``ahead`` model steps or to the end of the episode. The
    world model is frozen and every observation is encoded once, before the first step. Batches are a function of
    ``(seed, step)``.

    Args:
        model: The world model that the policy will act for.
        policy: The policy; it is left in evaluation mode.
        clips: Their episodes and frameskip are used, their length is not.
        steps: The number of updates.
        seed: The seed of the run.
        options: The fields of :class:`tacit.training.GoalPolicyTraining`.

    Raises:
        ConfigError: if an option is unknown or out of range, or model, policy and clips do not fit together.
        TrainingError: if a loss or a gradient is not finite.
    """
    started = time.perf_counter()
    tune_cpu()
    config = configured(GoalPolicyTraining(), options)
    if policy.config.latent != model.config.latent or policy.config.action_size != model.config.action_size:
        raise ConfigError(
            f"the policy is for latents of {policy.config.latent} and action blocks of {policy.config.action_size} "
            f"numbers; the model has {model.config.latent} and {model.config.action_size}."
        )
    if clips.frameskip != model.config.frameskip or steps < 1:
        raise ConfigError(
            f"training a policy needs clips with the model's frameskip={model.config.frameskip} and steps >= 1; "
            f"got {clips.frameskip} and {steps}."
        )
    with computing(suited_threads(model, policy)):
        losses = _fit(policy, _Pairs(model, clips), steps, seed, config)
    return GoalPolicyReport(steps, time.perf_counter() - started, tuple(losses))


def _fit(policy: GoalPolicy, pairs: _Pairs, steps: int, seed: int, config: GoalPolicyTraining) -> list[float]:
    """Train the policy and return the loss of each step."""
    optimizer = adamw(policy.parameters(), config.lr, config.weight_decay)
    policy.to(pairs.device).train()
    parameters, losses = list(policy.parameters()), list[float]()
    for step in range(steps):
        loss = policy.loss(*pairs.batch(seed, step, config.batch_size, config.ahead))
        lr = config.lr * lr_factor(step, steps, warmup=0.05, end=0.01)
        norm, stepped = optimizer_step(optimizer, parameters, loss, lr, config.weight_decay, clip_norm=1.0)
        losses.append(loss.item())
        if not stepped:
            raise TrainingError(f"step {step}: the loss of the policy is {losses[-1]}, its gradient {norm.item()}.")
    policy.eval()
    return losses


class _Pairs:
    """All latents of some episodes, with the action block taken at each."""

    def __init__(self, model: Dynamics, clips: Clips) -> None:
        encoded = EncodedEpisodes(model, clips)
        self.device, self._skip, self._latents = model.device, clips.frameskip, encoded.latents
        moves = clips.episodes.clips(2, clips.frameskip, model.config.inputs)
        blocks = [moves.cut(*moves.windows(index)).action[:, 0] for index in chunks(len(moves))]
        self._blocks = torch.cat(blocks).to(model.device)
        episode, _ = moves.windows(np.arange(len(moves)))
        # Windows are numbered by episode and by step, so the moves of an episode begin at its first frame.
        within = np.arange(len(moves)) - np.searchsorted(episode, episode)
        self._row = np.searchsorted(encoded.episode, episode) + within
        self._left = encoded.blocks_left[self._row]

    def batch(self, seed: int, step: int, size: int, ahead: int) -> tuple[Tensor, Tensor, Tensor]:
        """Draw latents, goals ``[size, D]`` and action blocks ``[size, A']``: a pure function of the arguments."""
        rng = np.random.default_rng([seed, step])
        move = rng.integers(0, len(self._row), size)
        distance = rng.integers(1, np.minimum(self._left[move], ahead) + 1)
        row = self._row[move]
        return self._latents[row], self._latents[row + distance * self._skip], self._blocks[move]
