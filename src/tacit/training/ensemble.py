"""Training of the members of an ensemble on recorded latents."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from tacit._config import from_json
from tacit.errors import ConfigError
from tacit.guard import Ensemble, Recording

__all__ = ["EnsembleTraining", "train_ensemble"]


@dataclass(frozen=True)
class EnsembleTraining:
    """The options of :func:`train_ensemble`.

    Attributes:
        members: The number of members.
        width: The width of their hidden layer.
        batch: Transitions in a batch, for each member its own.
        lr: Learning rate of Adam.

    Raises:
        ConfigError: if a number is out of range.
    """

    members: int = 5
    width: int = 128
    batch: int = 256
    lr: float = 1e-3

    def __post_init__(self) -> None:
        if self.members < 2 or min(self.width, self.batch) < 1 or not self.lr > 0:
            raise ConfigError(f"an ensemble needs members >= 2, and width, batch and lr above 0; got {self}.")


def train_ensemble(recording: Recording, *, steps: int, seed: int, **options: Any) -> Ensemble:
    """Train predictors of the next latent from different weights on different transitions.

    Each member draws its weights and its bootstrap sample of the episodes, so that the members differ where the
    recording has little data (Lakshminarayanan et al., 2017).

    Args:
        recording: Latents and blocks of training episodes; see :func:`tacit.guard.record`.
        steps: The number of updates.
        seed: The seed of weights and batches.
        options: Options of :class:`EnsembleTraining`.

    Raises:
        ConfigError: if an option is unknown or out of range.
    """
    chosen = from_json(EnsembleTraining, options, "train_ensemble")
    if steps < 1:
        raise ConfigError(f"train_ensemble needs steps >= 1; got {steps}.")
    draw = torch.Generator().manual_seed(seed)
    given, changes, episode = _transitions(recording)
    mean, std = given.mean(dim=0), given.std(dim=0).clamp_min(1e-6)
    inputs = (given - mean) / std
    scale = changes.std()
    sizes = inputs.shape[1], chosen.width, changes.shape[1]
    hidden = torch.randn(chosen.members, sizes[0], sizes[1], generator=draw) * (2 / sizes[0]) ** 0.5
    output = torch.randn(chosen.members, sizes[1], sizes[2], generator=draw) * (1 / sizes[1]) ** 0.5 * scale
    parameters = [hidden, torch.zeros(chosen.members, 1, sizes[1]), output, torch.zeros(chosen.members, 1, sizes[2])]
    for one in parameters:
        one.requires_grad_()
    # The weight of a transition is the number of times that its episode is in the member's bootstrap sample.
    count = int(episode.max()) + 1
    drawn = torch.randint(count, (chosen.members, count), generator=draw)
    weights = torch.stack([torch.bincount(one, minlength=count)[episode].float() for one in drawn])
    optimizer = torch.optim.Adam(parameters, lr=chosen.lr)
    for _ in range(steps):
        rows = torch.multinomial(weights, chosen.batch, replacement=True, generator=draw)
        predicted = _predicted(inputs[rows], *parameters)
        loss = (predicted - changes[rows]).square().mean() / scale.square()
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
    first, bias, second, end = (one.detach().numpy() for one in parameters)
    return Ensemble(mean.numpy(), std.numpy(), first, bias[:, 0], second, end[:, 0])


def _predicted(inputs: Tensor, hidden: Tensor, bias: Tensor, output: Tensor, end: Tensor) -> Tensor:
    """Return the changes ``[M, B, D]`` that the members predict for inputs ``[M, B, I]``."""
    return torch.baddbmm(end, torch.relu(torch.baddbmm(bias, inputs, hidden)), output)


def _transitions(recording: Recording) -> tuple[Tensor, Tensor, Tensor]:
    """Return latents with blocks ``[n, D + A']``, the changes ``[n, D]``, and the episode of each ``[n]``."""
    before, after = recording.latents[:, :-1], recording.latents[:, 1:]
    given = np.concatenate([before, recording.blocks], axis=2)
    known = np.isfinite(given).all(axis=2) & np.isfinite(after).all(axis=2)
    if not known.any():
        raise ConfigError("train_ensemble needs episodes of one block or more; got none.")
    episode = torch.from_numpy(np.nonzero(known)[0])
    return torch.from_numpy(given[known]), torch.from_numpy((after - before)[known]), episode
