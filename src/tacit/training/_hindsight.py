"""Hindsight loss: what was salient and left the window is predicted from memory alone."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from tacit._limits import BATCH, LENGTH
from tacit.errors import ConfigError, DataError
from tacit.memory.carriers._module import CarrierModule
from tacit.models import Dynamics
from tacit.nn.mlp import MLP
from tacit.training.encoded import RecordedBlocks
from tacit.types import Context

__all__ = ["CarrierTraining", "Hindsight", "whitening_of"]

CHUNK = 4096
"""Blocks that are predicted at once."""
FLOOR = 1e-3
"""The smallest variance of a direction, as a share of the mean one."""


@dataclass(frozen=True)
class CarrierTraining:
    """The options of :func:`train_carrier`, which trains a carrier.

    Args:
        batch_size: Sequences in a batch.
        length: Blocks of a sequence; shorter episodes make it shorter.
        times: Points of each sequence at which the memory is read.
        window: Latents before such a point that are not asked for: the world model sees them itself.
        bins: Parts of the past before the window; of each, the greatest surprise is asked for.
        temperature: Temperature of the contrast with the latents of the other sequences.
        cosine: Weight of the cosine distance to the latent.
        spread: Weight of the term that keeps the predictions apart.
        ahead: Weight of the error of the next latent, predicted from the memory before it and the block.
        width: Width of the hidden layers of what predicts.
        lr: Largest learning rate of AdamW, with a warm-up of 2 % of the steps.
        weight_decay: Decoupled decay of matrices.
        cooldown: Last share of the steps over which the learning rate falls to 5 %.

    Raises:
        ConfigError: if a value is out of range.
    """

    batch_size: int = 64
    length: int = 32
    times: int = 4
    window: int = 4
    bins: int = 3
    temperature: float = 0.1
    cosine: float = 1.0
    spread: float = 1.0
    ahead: float = 1.0
    width: int = 256
    lr: float = 1e-3
    weight_decay: float = 1e-4
    cooldown: float = 0.3

    def __post_init__(self) -> None:
        for name, low, high in (
            ("batch_size", 2, BATCH),
            ("length", 1, LENGTH),
            ("times", 1, LENGTH),
            ("window", 0, LENGTH),
            ("bins", 1, LENGTH),
            ("width", 1, LENGTH),
        ):
            if not low <= vars(self)[name] <= high:
                raise ConfigError(f"{name} is from {low} to {high}; got {vars(self)[name]}.")
        for name in ("cosine", "spread", "ahead", "lr", "weight_decay"):
            if not 0 <= vars(self)[name] < float("inf"):
                raise ConfigError(f"{name} is a finite number >= 0; got {vars(self)[name]}.")
        if not self.temperature > 0 or not 0 <= self.cooldown <= 1:
            raise ConfigError(f"temperature is above 0 and cooldown from 0 to 1; got {self}.")


class Hindsight:
    """Loss of a carrier on recorded sequences; see :func:`tacit.training.train_carrier`.

    The surprise at a latent is the part of it that the world model did not predict from the one before, in coordinates
    in which its usual errors have the identity covariance. Its squared length is the salience of the latent, and its
    direction is asked for.

    Args:
        model: The frozen world model.
        carrier: The carrier.
        data: Recorded latents and blocks.
        config: Options.

    Raises:
        DataError: if no episode is long enough for one latent of each bin before the window.
    """

    def __init__(self, model: Dynamics, carrier: CarrierModule, data: RecordedBlocks, config: CarrierTraining) -> None:
        self.data, self.carrier, self.config = data, carrier, config
        self.left = data.blocks_left[data.row]
        self.length = int(min(config.length, self.left.max(initial=0)))
        self.first = config.window + config.bins + 1
        if self.length < self.first:
            raise DataError(
                f"a carrier learns from episodes of {self.first} blocks or more: a window of {config.window} and "
                f"one for each of {config.bins} bins before it; the longest has {self.length}. Record longer episodes."
            )
        self.starts = np.flatnonzero(self.left >= self.length)
        self.surprises = _surprises(model, data)
        inputs = carrier.size + config.bins
        self.trained = nn.ModuleDict(
            {
                "carrier": carrier,
                "recall": MLP(inputs, (config.width,), carrier.latent, activation="silu"),
                "ahead": MLP(
                    carrier.size + data.blocks.shape[1], (config.width, config.width), carrier.latent, activation="silu"
                ),
            }
        ).to(data.device)

    def __call__(self, rng: np.random.Generator) -> Tensor:
        """Return the loss of a batch that is drawn from ``rng``."""
        move = rng.choice(self.starts, self.config.batch_size)
        latents, blocks = self.data.sequences(move, self.length)
        reads = self.carrier.read_along(latents, blocks)
        times = rng.integers(self.first, self.length + 2, self.config.times)
        surprises = self.surprises[torch.from_numpy(move[:, None] + np.arange(self.length) * self.data.frameskip)]
        salience = surprises.square().sum(dim=2)
        questions, targets = [], []
        for time in np.unique(times):
            # The memory at this time has seen the latents before it; the surprise at the first is unknown.
            parts = np.array_split(np.arange(time - self.config.window - 1), self.config.bins)
            for index, part in enumerate(parts):
                chosen = int(part[0]) + salience[:, part].argmax(dim=1)
                targets.append(surprises[torch.arange(len(move)), chosen])
                label = torch.eye(self.config.bins, device=reads.device)[index].expand(len(move), -1)
                questions.append(torch.cat([reads[:, time], label], dim=1))
        loss = self._recall_loss(torch.stack(questions), torch.stack(targets))
        if self.config.ahead:
            given = torch.cat([reads[:, 1:-1], blocks], dim=2)
            error = self.trained["ahead"](given) - self.carrier.whitened(latents[:, 1:])
            loss = loss + self.config.ahead * error.square().mean()
        return loss

    def stepped(self) -> None:
        """Do nothing: no network follows."""

    def _recall_loss(self, given: Tensor, target: Tensor) -> Tensor:
        """Return the loss of recalled surprises: contrast with those of other sequences, angle and spread.

        Great surprises weigh more.

        Args:
            given: ``[G, N, M + bins]`` the memory of each sequence and the part of the past, for ``G`` questions.
            target: ``[G, N, D]`` the surprises to recall.
        """
        found = self.trained["recall"](given)
        similar = F.normalize(found, dim=2) @ F.normalize(target, dim=2).mT
        own = torch.arange(found.shape[1], device=found.device).repeat(len(found))
        salience = target.square().sum(dim=2)
        weights = salience / salience.mean()
        contrast = F.cross_entropy(similar.flatten(0, 1) / self.config.temperature, own, reduction="none")
        contrast = (weights.flatten() * contrast).mean()
        spread = F.relu(1 - (found.var(dim=1) + 1e-4).sqrt()).mean()
        angle = (weights * (1 - similar.diagonal(dim1=1, dim2=2))).mean()
        return contrast + self.config.cosine * angle + self.config.spread * spread


@torch.no_grad()
def _surprises(model: Dynamics, data: RecordedBlocks) -> Tensor:
    """Return the unpredicted part ``[M, D]`` of the latent after each block, whitened."""
    found = []
    for some in np.array_split(np.arange(len(data.blocks)), -(-len(data.blocks) // CHUNK)):
        row = data.row[some]
        predicted = model.rollout(Context(data.latents[row, None]), data.blocks[some, None])[:, 0]
        found.append(data.latents[row + data.frameskip] - predicted)
    errors = torch.cat(found)
    return (errors - errors.mean(dim=0)) @ whitening_of(errors)


def whitening_of(values: Tensor) -> Tensor:
    """Return the matrix ``[D, D]`` that maps deviations of values ``[N, D]`` to the identity covariance.

    Directions that hardly vary are amplified by at most a factor of 30 more than the mean one.
    """
    covariance = torch.cov(values.T.double()).reshape(values.shape[1], -1)
    floor = max(FLOOR * float(covariance.trace()) / len(covariance), torch.finfo(torch.float32).tiny)
    spread, vectors = torch.linalg.eigh(covariance)
    out: Tensor = (vectors * spread.clamp(min=floor).rsqrt()).float()
    return out
