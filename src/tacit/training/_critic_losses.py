"""Losses of the three methods that learn a temporal distance."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from tacit.costs._temporal_critic import TemporalCritic
from tacit.training.config import CriticTraining
from tacit.training.encoded import EncodedEpisodes

__all__ = ["CriticLoss", "Expectile", "PairRegression", "Quasimetric"]


class CriticLoss(Protocol):
    """A loss of a critic, with what it learns besides and what follows a step."""

    @property
    def trained(self) -> nn.Module:
        """Return the module whose parameters are optimised."""

    def __call__(self, rng: np.random.Generator) -> Tensor:
        """Return the loss of a batch that is drawn from ``rng``."""

    def stepped(self) -> None:
        """Update what follows the parameters."""


@dataclass(frozen=True)
class _Batch:
    """States ``[n, D]``, the states a block later, and goals ``[n, D]``, of the same episodes where there are any.

    Attributes:
        states: States.
        following: The states a block later.
        goals: Later states of the same episodes.
        reached: ``[n, m]`` whether a state is the goal of the anchor that a shift leads to.
        shifts: ``m`` shifts along the batch that pair states with goals, the first one 0.
    """

    states: Tensor
    following: Tensor
    goals: Tensor
    reached: Tensor
    shifts: tuple[int, ...]

    def paired(self, goals: Tensor) -> Tensor:
        """Return for each state its own goal and those of others, ``[n, m, E]`` of embeddings ``[n, E]``."""
        return torch.stack([goals.roll(shift, 0) for shift in self.shifts], dim=1)


class _Draw:
    """Drawn pairs of states and goals.

    A goal of the same episode lies a geometric number of blocks ahead; the goals of other states of the batch are the
    uniform ones.
    """

    def __init__(self, data: EncodedEpisodes, config: CriticTraining) -> None:
        self.data, self.config = data, config
        self._starts = np.flatnonzero(data.blocks_left > 0)

    def __call__(self, rng: np.random.Generator) -> _Batch:
        size, skip, latents = self.config.batch_size, self.data.frameskip, self.data.latents
        rows = rng.choice(self._starts, size)
        ahead = np.minimum(rng.geometric(1 - self.config.gamma, size), self.data.blocks_left[rows])
        goals = rows + ahead * skip
        shifts = tuple(np.linspace(0, size, self.config.goals, endpoint=False).astype(int).tolist())
        reached = np.stack([rows == np.roll(goals, shift) for shift in shifts], axis=1)
        found = torch.from_numpy(reached).to(latents.device)
        return _Batch(latents[rows], latents[rows + skip], latents[goals], found, shifts)


class Expectile:
    """Bootstrapped distances whose expectile regression keeps the short ways (as GCIVL, OGBench, arXiv 2410.20092).

    The target of the distance from a state to a goal is one block and the discounted distance from the next state,
    by the larger of two slowly following copies. Distances that are too long weigh ``tau``, too short ones ``1 - tau``.
    """

    def __init__(self, critic: TemporalCritic, data: EncodedEpisodes, config: CriticTraining) -> None:
        second = TemporalCritic(critic.config).to(critic.mean.device)
        second.mean.copy_(critic.mean)
        second.scale.copy_(critic.scale)
        self._nets = nn.ModuleList([critic, second])
        self._targets = copy.deepcopy(self._nets).requires_grad_(False)
        self._draw, self._config = _Draw(data, config), config

    @property
    def trained(self) -> nn.Module:
        """Return the critic and its twin."""
        return self._nets

    def __call__(self, rng: np.random.Generator) -> Tensor:
        """Return the loss of a batch."""
        batch, config = self._draw(rng), self._config
        with torch.no_grad():
            beyond = torch.stack([_distances(net, batch.following, batch) for net in self._targets]).amax(dim=0)
            aim = 1 + config.gamma * beyond
        total = batch.states.new_zeros(())
        weights = torch.full((len(batch.shifts),), (1 - config.same_episode) / max(len(batch.shifts) - 1, 1))
        weights[0] = config.same_episode
        for net in self._nets:
            excess = (_distances(net, batch.states, batch) - aim).masked_fill(batch.reached, 0.0)
            squares = torch.where(excess > 0, config.tau, 1 - config.tau) * excess.square()
            total = total + squares.mean(dim=0) @ weights.to(squares)
        return total

    def stepped(self) -> None:
        """Let the copies follow."""
        with torch.no_grad():
            for slow, fast in zip(self._targets.parameters(), self._nets.parameters(), strict=True):
                slow.lerp_(fast, self._config.follow)


class PairRegression:
    """Regression on the blocks between two states of an episode, every separation equally often.

    It needs no bootstrapping, and learns how long the recorded ways took, there and back alike, not how long the
    shortest would.
    """

    def __init__(self, critic: TemporalCritic, data: EncodedEpisodes, config: CriticTraining) -> None:
        self._critic, self._data, self._config = critic, data, config
        self._by_room = np.argsort(data.blocks_left, kind="stable")
        self._room = data.blocks_left[self._by_room]

    @property
    def trained(self) -> nn.Module:
        """Return the critic."""
        return self._critic

    def __call__(self, rng: np.random.Generator) -> Tensor:
        """Return the loss of a batch."""
        size = self._config.batch_size * self._config.goals
        blocks = rng.integers(1, self._room[-1] + 1, size)
        first = np.searchsorted(self._room, blocks)
        rows = self._by_room[rng.integers(first, len(self._room))]
        ends = np.stack([rows, rows + blocks * self._data.frameskip])
        one, other = self._data.latents[rng.permuted(ends, axis=0)]
        found = self._critic(one, other)
        wanted = torch.from_numpy(blocks).to(found)
        return F.smooth_l1_loss(found / wanted.mean(), wanted / wanted.mean())

    def stepped(self) -> None:
        """Do nothing."""


class Quasimetric:
    """The largest distances under which a block costs at most one (QRL, arXiv 2304.01203).

    Distances of random pairs grow, while a multiplier, learned by ascent, holds recorded blocks to a distance of 1.
    """

    def __init__(self, critic: TemporalCritic, data: EncodedEpisodes, config: CriticTraining) -> None:
        self._critic, self._config, self._draw = critic, config, _Draw(data, config)
        self._multiplier = torch.zeros((), device=critic.mean.device)
        self._violation = torch.zeros((), device=critic.mean.device)

    @property
    def trained(self) -> nn.Module:
        """Return the critic."""
        return self._critic

    def __call__(self, rng: np.random.Generator) -> Tensor:
        """Return the loss of a batch."""
        batch = self._draw(rng)
        states, following, goals = (self._critic.embed(part) for part in (batch.states, batch.following, batch.goals))
        apart = self._critic.between(states[:, None], batch.paired(goals)[:, 1:])
        grown = F.softplus(self._config.reach - apart, beta=10 / self._config.reach).mean()
        local = F.relu(self._critic.between(states, following) - 1).square().mean()
        self._violation = local.detach() - self._config.slack**2
        return grown + F.softplus(self._multiplier) * local

    def stepped(self) -> None:
        """Raise the multiplier while blocks cost more than one, else lower it."""
        self._multiplier = self._multiplier + self._config.dual_lr * self._violation.clamp(-1, 1).sign()


def _distances(net: nn.Module, states: Tensor, batch: _Batch) -> Tensor:
    """Return the distances ``[n, m]`` of states to their goals."""
    assert isinstance(net, TemporalCritic)
    return net.between(net.embed(states)[:, None], batch.paired(net.embed(batch.goals)))
