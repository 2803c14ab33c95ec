"""Training of a goal-conditioned policy on the frozen latents of a world model."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
from torch import Tensor

from tacit._threads import computing, suited_threads
from tacit.errors import ConfigError, TrainingError
from tacit.models import Dynamics
from tacit.models.goal_policy import GoalPolicy
from tacit.nn._tuning import tune_cpu
from tacit.training.config import GoalPolicyTraining, configured
from tacit.training.encoded import RecordedBlocks
from tacit.training.optimizer import adamw, lr_factor, optimizer_step
from tacit.training.report import FitReport

if TYPE_CHECKING:
    from tacit.data import Clips

__all__ = ["check_fit", "fit_policy", "train_goal_policy"]


def train_goal_policy(
    model: Dynamics, policy: GoalPolicy, clips: Clips, *, steps: int, seed: int, **options: Any
) -> FitReport:
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
    check_fit(model, policy, clips, steps)
    policy.to(model.device)
    with computing(suited_threads(model, policy)):
        pairs = _Pairs(model, clips)

        def batch(step: int) -> tuple[Tensor, Tensor, Tensor]:
            return pairs.batch(seed, step, config.batch_size, config.ahead)

        losses = fit_policy(policy, batch, steps, config)
    return FitReport(steps, time.perf_counter() - started, tuple(losses))


def check_fit(model: Dynamics, policy: GoalPolicy, clips: Clips, steps: int) -> None:
    """Refuse a policy, a model and clips that do not fit together.

    Raises:
        ConfigError: if they do not, or there is no step.
    """
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


def fit_policy(
    policy: GoalPolicy, batch: Callable[[int], tuple[Tensor, Tensor, Tensor]], steps: int, config: GoalPolicyTraining
) -> list[float]:
    """Train a policy in place and return the loss of each step.

    Args:
        policy: The policy; it is left in evaluation mode.
        batch: Returns the latents, goals and action blocks of a step.
        steps: The number of updates.
        config: Learning rate and weight decay.

    Raises:
        TrainingError: if a loss or a gradient is not finite.
    """
    optimizer = adamw(policy.parameters(), config.lr, config.weight_decay)
    policy.train()
    parameters, losses = list(policy.parameters()), list[float]()
    for step in range(steps):
        loss = policy.loss(*batch(step))
        lr = config.lr * lr_factor(step, steps, warmup=0.05, end=0.01)
        norm, stepped = optimizer_step(optimizer, parameters, loss, lr, config.weight_decay, clip_norm=1.0)
        losses.append(loss.item())
        if not stepped:
            raise TrainingError(f"step {step}: the loss of the policy is {losses[-1]}, its gradient {norm.item()}.")
    policy.eval()
    return losses


class _Pairs(RecordedBlocks):
    """Recorded latents with the action block taken at each and a later latent as the goal."""

    def batch(self, seed: int, step: int, size: int, ahead: int) -> tuple[Tensor, Tensor, Tensor]:
        """Draw latents, goals ``[size, D]`` and action blocks ``[size, A']``: a pure function of the arguments."""
        rng = np.random.default_rng([seed, step])
        move = rng.integers(0, len(self.row), size)
        row = self.row[move]
        distance = rng.integers(1, np.minimum(self.blocks_left[row], ahead) + 1)
        return self.latents[row], self.latents[row + distance * self.frameskip], self.blocks[move]
