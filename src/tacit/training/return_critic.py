"""Training of a critic of returns on the frozen latents of a world model."""

from __future__ import annotations

import copy
import time
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from tacit._threads import computing, suited_threads
from tacit.costs._return_critic import ReturnCritic
from tacit.errors import ConfigError, DataError
from tacit.models import Dynamics
from tacit.nn._tuning import tune_cpu
from tacit.training._critic_fit import fit_critic
from tacit.training._latents import RecordedBlocks
from tacit.training._rewards import BlockRewards
from tacit.training.config import ReturnTraining, configured
from tacit.training.report import FitReport

if TYPE_CHECKING:
    from tacit.data import Clips

__all__ = ["train_return_critic"]

SMALLEST = 1e-6
"""Smallest standard deviation."""


def train_return_critic(
    model: Dynamics,
    critic: ReturnCritic,
    clips: Clips,
    *,
    steps: int,
    seed: int,
    progress: bool | None = None,
    **options: Any,
) -> FitReport:
    """Train a critic, in place, to predict the rewards of blocks and the value of latents.

    The world model is frozen and every observation is encoded once, before the first step. Rewards are learned by
    regression; values by expectile regression to recorded rewards and the value of a later latent, so that no policy is
    needed (as the value of IQL, arXiv 2110.06169). Where the world ended an episode, the value is 0; where it was cut
    short, the value goes on. Batches are a function of ``(seed, step)``.

    Args:
        model: The world model that the critic will judge the rollouts of.
        critic: The critic; it is left in evaluation mode.
        clips: Their episodes, with rewards, and frameskip are used, their length is not.
        steps: The number of updates.
        seed: The seed of the run.
        progress: Show a progress bar; None: on a terminal and in a notebook.
        options: The fields of :class:`tacit.training.ReturnTraining`.

    Raises:
        ConfigError: if an option is unknown or out of range, or model, critic and clips do not fit together.
        DataError: if there are no rewards, or no episode is longer than a block.
        TrainingError: if a loss or a gradient is not finite.
    """
    started = time.perf_counter()
    tune_cpu()
    config = configured(ReturnTraining(), options)
    wanted = model.config.latent, model.frameskip * model.config.spec.action.size
    if (critic.config.latent, critic.config.block) != wanted:
        raise ConfigError(
            f"the critic is for latents and blocks of {critic.config.latent} and {critic.config.block} numbers; those "
            f"of the model have {wanted[0]} and {wanted[1]}."
        )
    if clips.frameskip != model.frameskip or steps < 1:
        raise ConfigError(
            f"training a critic needs clips with the model's frameskip={model.frameskip} and steps >= 1; "
            f"got {clips.frameskip} and {steps}."
        )
    if not (clips.episodes.lengths > clips.frameskip).any():
        raise DataError(
            f"no episode is longer than a block of {clips.frameskip} steps, so none shows the reward of a block. "
            "Record longer episodes."
        )
    rewards = BlockRewards(clips)
    with computing(suited_threads(model, critic)):
        data = RecordedBlocks(model, clips)
        critic.to(model.device)
        _standardise(critic, data, rewards.blocks)
        losses = fit_critic(_Returns(critic, data, rewards, config), steps, seed, config, progress)
    return FitReport(steps, time.perf_counter() - started, tuple(losses))


@torch.no_grad()
def _standardise(critic: ReturnCritic, data: RecordedBlocks, rewards: Tensor) -> None:
    """Set mean and standard deviation of the latents, blocks, rewards and recorded returns."""
    returns = rewards.double().numpy().copy()
    for row in reversed(data.row.tolist()):
        if data.blocks_left[row] > 1:
            returns[row] += critic.config.discount * returns[row + data.frameskip]
    found = {
        "latents": data.latents,
        "blocks": data.blocks,
        "rewards": rewards[data.row],
        "returns": torch.from_numpy(returns[data.row]),
    }
    for name, values in found.items():
        spread = values.std(dim=0, correction=0)
        critic.get_buffer(name).copy_(torch.stack([values.mean(dim=0), spread.clamp(min=SMALLEST)]))


class _Returns:
    """Loss of rewards and values; see :func:`train_return_critic`."""

    def __init__(
        self, critic: ReturnCritic, data: RecordedBlocks, rewards: BlockRewards, config: ReturnTraining
    ) -> None:
        self._critic, self._data, self._rewards, self._config = critic, data, rewards, config
        self._target = copy.deepcopy(critic).requires_grad_(False)
        self._states = np.flatnonzero((data.blocks_left > 0) | rewards.ended.numpy())

    @property
    def trained(self) -> nn.Module:
        """Return the critic."""
        return self._critic

    def __call__(self, rng: np.random.Generator) -> Tensor:
        """Return the loss of a batch."""
        critic, size = self._critic, self._config.batch_size
        moves = rng.integers(len(self._data.blocks), size=size)
        rows = self._data.row[moves]
        found = critic.reward(self._data.latents[rows], self._data.blocks[moves])
        loss = ((found - self._rewards.blocks[rows].to(found)) / critic.rewards[1]).square().mean()
        states = rng.choice(self._states, size)
        missing = (self._aims(states) - critic.values(self._data.latents[states])) / critic.returns[1]
        weights = torch.where(missing > 0, self._config.tau, 1 - self._config.tau)
        return loss + 2 * (weights * missing.square()).mean(dim=1).sum()

    @torch.no_grad()
    def _aims(self, states: npt.NDArray[np.int64]) -> Tensor:
        """Return the rewards from some rows on and the value where they are not known any more, ``[n]``."""
        known = np.minimum(self._data.blocks_left[states], self._config.bootstrap)
        discount, skip = self._critic.config.discount, self._data.frameskip
        total = torch.zeros(len(states))
        for ahead in range(self._config.bootstrap):
            within = torch.from_numpy(ahead < known)
            rows = states + np.minimum(ahead, known) * skip
            total += torch.where(within, discount**ahead * self._rewards.blocks[rows], 0.0)
        last = states + known * skip
        later = self._target.value(self._data.latents[last])
        ended, weights = self._rewards.ended[last].to(later.device), (discount ** torch.from_numpy(known)).to(later)
        later = torch.where(ended, self._rewards.blocks[last].to(later), later)
        return total.to(later) + weights * later

    def stepped(self) -> None:
        """Let the targets follow."""
        with torch.no_grad():
            for slow, fast in zip(self._target.parameters(), self._critic.parameters(), strict=True):
                slow.lerp_(fast, self._config.follow)
