"""Loop that trains a module on frozen latents, such as a critic, whatever its loss."""

from __future__ import annotations

from typing import Protocol

import numpy as np

from tacit._progress import track
from tacit.errors import TrainingError
from tacit.training._critic_losses import CriticLoss
from tacit.training.optimizer import adamw, lr_factor, optimizer_step

__all__ = ["fit_critic"]


class _Options(Protocol):
    """Options of the optimizer."""

    @property
    def lr(self) -> float: ...
    @property
    def weight_decay(self) -> float: ...
    @property
    def cooldown(self) -> float: ...


def fit_critic(
    loss_of: CriticLoss, steps: int, seed: int, config: _Options, progress: bool | None, what: str = "critic"
) -> list[float]:
    """Train what a loss trains and return the loss of each step. Batches are a function of ``(seed, step)``.

    Args:
        loss_of: The loss.
        steps: The number of updates.
        seed: The seed of the batches.
        config: Options of the optimizer.
        progress: Show a progress bar.
        what: The name of what is trained.

    Raises:
        TrainingError: if a loss or a gradient is not finite.
    """
    parameters, losses = list(loss_of.trained.parameters()), list[float]()
    optimizer = adamw(parameters, config.lr, config.weight_decay)
    loss_of.trained.train()
    for step in track(range(steps), steps, f"steps of the {what}", show=progress):
        loss = loss_of(np.random.default_rng([seed, step]))
        lr = config.lr * lr_factor(step, steps, warmup=0.02, end=0.05, cooldown=config.cooldown, falls=False)
        norm, stepped = optimizer_step(optimizer, parameters, loss, lr, config.weight_decay, clip_norm=None)
        losses.append(loss.item())
        if not stepped:
            raise TrainingError(f"step {step}: the loss of the {what} is {losses[-1]}, its gradient {norm.item()}.")
        loss_of.stepped()
    loss_of.trained.eval()
    return losses
