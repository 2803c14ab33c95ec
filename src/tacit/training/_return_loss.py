"""Loss of a critic of returns: rewards and values of recorded blocks."""

from __future__ import annotations

import copy

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from tacit.costs._return_critic import ReturnCritic
from tacit.data import Clips
from tacit.models import Dynamics
from tacit.training._rewards import BlockRewards
from tacit.training.config import ReturnTraining
from tacit.training.encoded import RecordedBlocks

__all__ = ["ReturnLoss"]

SMALLEST = 1e-6
"""Smallest standard deviation."""


class ReturnLoss:
    """Regression of the rewards of blocks, and expectile regression of values, which needs no policy.

    A value follows recorded rewards and the value of a later latent (as in IQL, arXiv 2110.06169). Where the world
    ended an episode, it is 0; where the recording was cut short, the value of the last latent follows.

    Args:
        model: The world model that encodes the episodes.
        critic: The critic to train; its statistics are set.
        clips: Their episodes, with rewards, and frameskip are used.
        config: Options of the training.

    Raises:
        DataError: if there are no rewards.
    """

    def __init__(self, model: Dynamics, critic: ReturnCritic, clips: Clips, config: ReturnTraining) -> None:
        rewards, data = BlockRewards(clips), RecordedBlocks(model, clips)
        critic.to(model.device)
        _standardise(critic, data, rewards.blocks)
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
