"""Rewards of the blocks of some episodes, row by row as their latents."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from tacit.data import Clips, Episodes
from tacit.data.episodes import lightest
from tacit.errors import DataError
from tacit.types import REWARD

__all__ = ["BlockRewards", "require_rewards"]


def require_rewards(episodes: Episodes) -> None:
    """Refuse episodes that a critic of returns cannot learn from.

    Raises:
        DataError: if they have no rewards.
    """
    if REWARD not in episodes.labels:
        raise DataError(
            f"a critic of returns learns from rewards, and the episodes have no label {REWARD!r}. Record them with "
            "tc.collect from an environment that gives rewards, or write them as that label."
        )


class BlockRewards:
    """The reward of the block that begins at each observation of some episodes, and where worlds ended.

    Args:
        clips: Their episodes and frameskip are used, their length is not.

    Attributes:
        blocks: ``[N]`` the sum of the rewards of the block, as far as it was carried out.
        ended: ``[N]`` whether the world ended here or within the block, so that no value follows.

    Raises:
        DataError: if the episodes have no rewards.
    """

    def __init__(self, clips: Clips) -> None:
        episodes, skip = clips.episodes, clips.frameskip
        require_rewards(episodes)
        rewards, ended = [], []
        for episode in episodes.stream((lightest(episodes.spec),)):
            steps, first = len(episode.action), np.arange(len(episode))
            given = np.asarray(episode.labels[REWARD], np.float64).reshape(-1)[:steps]
            before = np.concatenate([[0.0], np.cumsum(given)])
            rewards.append(before[np.minimum(first + skip, steps)] - before)
            ended.append(episode.terminated & (first + skip > steps))
        self.blocks: Tensor = torch.from_numpy(np.concatenate(rewards).astype(np.float32))
        self.ended: Tensor = torch.from_numpy(np.concatenate(ended))
