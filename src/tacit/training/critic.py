"""Training of critics on the frozen latents of a world model."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from tacit._threads import computing, suited_threads
from tacit.costs._return_critic import ReturnCritic
from tacit.costs._temporal_critic import TemporalCritic
from tacit.errors import ConfigError, DataError
from tacit.models import Dynamics
from tacit.nn._tuning import tune_cpu
from tacit.training._critic_fit import fit_critic
from tacit.training._critic_losses import CriticLoss, Expectile, PairRegression, Quasimetric
from tacit.training._return_loss import ReturnLoss
from tacit.training.config import CriticTraining, ReturnTraining, configured
from tacit.training.encoded import EncodedEpisodes
from tacit.training.report import FitReport

if TYPE_CHECKING:
    from tacit.data import Clips

__all__ = ["train_critic"]

LOSSES: dict[str, Callable[[TemporalCritic, EncodedEpisodes, CriticTraining], CriticLoss]] = {
    "expectile": Expectile,
    "pair": PairRegression,
    "quasimetric": Quasimetric,
}
PAIRS = 4096
"""Pairs of states that calibrate a distance."""


def train_critic(
    model: Dynamics,
    critic: TemporalCritic | ReturnCritic,
    clips: Clips,
    *,
    steps: int,
    seed: int,
    progress: bool | None = None,
    **options: Any,
) -> FitReport:
    """Train a critic of distances or of returns, in place.

    The world model is frozen and every observation is encoded once, before the first step. Batches are a function of
    ``(seed, step)``.

    A :class:`tacit.costs.TemporalCritic` learns how many blocks it takes from one latent to another. It needs no
    rewards: any recorded episodes do that cover the world. Afterwards it is calibrated: it knows its median distance of
    states 1, 2, ... blocks apart. A :class:`tacit.costs.ReturnCritic` learns the rewards of blocks and the value of
    latents from episodes with rewards.

    Args:
        model: The world model that the critic will judge the rollouts of.
        critic: The critic. It is left in evaluation mode.
        clips: Their episodes and frameskip are used, their length is not.
        steps: The number of updates.
        seed: The seed of the run.
        progress: Show a progress bar; None: on a terminal and in a notebook.
        options: The fields of :class:`tacit.training.CriticTraining`, or for returns those of
            :class:`tacit.training.config.ReturnTraining`.

    Raises:
        ConfigError: if an option is unknown or out of range, or model, critic and clips do not fit together.
        DataError: if no episode is longer than a block, or a critic of returns finds no rewards.
        TrainingError: if a loss or a gradient is not finite.
    """
    started = time.perf_counter()
    tune_cpu()
    _check(model, critic, clips, steps)
    with computing(suited_threads(model, critic)):
        if isinstance(critic, ReturnCritic):
            returns = configured(ReturnTraining(), options)
            losses = fit_critic(ReturnLoss(model, critic, clips, returns), steps, seed, returns, progress)
        else:
            losses = _fit_distances(model, critic, clips, steps, seed, configured(CriticTraining(), options), progress)
    return FitReport(steps, time.perf_counter() - started, tuple(losses))


def _check(model: Dynamics, critic: TemporalCritic | ReturnCritic, clips: Clips, steps: int) -> None:
    """Refuse what does not fit together, before the episodes are encoded."""
    if critic.config.latent != model.config.latent:
        raise ConfigError(
            f"the critic is for latents of {critic.config.latent} numbers; the model has {model.config.latent}."
        )
    block = model.frameskip * model.config.spec.action.size
    if isinstance(critic, ReturnCritic) and critic.config.block != block:
        raise ConfigError(f"the critic is for blocks of {critic.config.block} numbers; the model has {block}.")
    if clips.frameskip != model.frameskip or steps < 1:
        raise ConfigError(
            f"training a critic needs clips with the model's frameskip={model.frameskip} and steps >= 1; "
            f"got {clips.frameskip} and {steps}."
        )
    if not (clips.episodes.lengths > clips.frameskip).any():
        raise DataError(
            f"no episode is longer than a block of {clips.frameskip} steps, so none shows what a block does. "
            "Record longer episodes."
        )


def _fit_distances(
    model: Dynamics,
    critic: TemporalCritic,
    clips: Clips,
    steps: int,
    seed: int,
    config: CriticTraining,
    progress: bool | None,
) -> list[float]:
    """Train and calibrate a critic of distances and return the loss of each step."""
    data = EncodedEpisodes(model, clips)
    critic.to(model.device)
    critic.mean.copy_(data.latents.mean(dim=0))
    critic.scale.copy_(data.latents.std(dim=0).clamp(min=1e-6))
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        loss_of = LOSSES[critic.config.method](critic, data, config)
    losses = fit_critic(loss_of, steps, seed, config, progress)
    _calibrate(critic, data, seed)
    return losses


@torch.no_grad()
def _calibrate(critic: TemporalCritic, data: EncodedEpisodes, seed: int) -> None:
    """Set the median distances of states that are 1, 2, ... blocks apart."""
    rng = np.random.default_rng([seed])
    for blocks in range(1, critic.config.calibrated + 1):
        starts = np.flatnonzero(data.blocks_left >= blocks)
        if not len(starts):
            return
        rows = rng.choice(starts, PAIRS)
        one, other = data.latents[rows], data.latents[rows + blocks * data.frameskip]
        critic.distances[blocks - 1] = critic(one, other).median()
        critic.squares[blocks - 1] = (other - one).square().mean(dim=-1).median()
