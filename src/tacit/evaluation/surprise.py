"""Surprise of a masked model: prediction errors, and detection of impossible events with them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from tacit.errors import ConfigError, DataError
from tacit.masking import Future
from tacit.models import MaskedModel
from tacit.probing.encoder import frozen, window_ends, windows
from tacit.statistics.intervals import Estimate, Rate, wilson
from tacit.training import DrawMasks

if TYPE_CHECKING:
    from tacit.data import Episodes

__all__ = ["Detection", "Surprise", "detection", "surprise"]

Floats = npt.NDArray[np.float64]
Steps = npt.NDArray[np.int64]

CHUNK = 64
"""Windows at a time: the tokens of videos are many."""
RESAMPLES = 2000


@dataclass(frozen=True, eq=False)
class Surprise:
    """Energy of observations under the expectations of a model, window by window.

    Attributes:
        energies: Mean absolute error of the predicted tokens, ``[W]`` for each episode, its windows in the order of
            time; empty if it is too short.
        last: ``[W]`` step of the last observation of each window.
        share: Share of a window that the model received.
    """

    energies: tuple[Floats, ...] = field(repr=False)
    last: tuple[Steps, ...] = field(repr=False)
    share: float

    @property
    def mean(self) -> Floats:
        """Return the mean over the windows of each episode ``[E]``.

        Use it to compare matched episodes; NaN without windows.
        """
        return np.array([found.mean() if len(found) else np.nan for found in self.energies])

    @property
    def largest(self) -> Floats:
        """Return the largest energy of the windows of each episode ``[E]``.

        Use it to score a single episode; NaN without windows.
        """
        return np.array([found.max() if len(found) else np.nan for found in self.energies])

    def at(self, step: npt.ArrayLike) -> Floats:
        """Return the energy of the window that ends at a step of each episode ``[E]``. NaN where none does."""
        wanted = np.broadcast_to(np.asarray(step), (len(self.last),))
        found = np.full(len(self.last), np.nan)
        for episode, (ends, energies) in enumerate(zip(self.last, self.energies, strict=True)):
            there = energies[ends == wanted[episode]]
            if len(there):
                found[episode] = there[0]
        return found


@dataclass(frozen=True)
class Detection:
    """Detection of impossible episodes by energy, against the possible ones that they are matched with.

    Attributes:
        paired: Share of the pairs whose impossible episode has the higher energy, with its Wilson interval; where
            both have the same, it was missed.
        auroc: Chance that any impossible episode has a higher energy than any possible one, equal ones counting half;
            its interval is bootstrapped over pairs.
    """

    paired: Rate
    auroc: Estimate


def surprise(
    model: MaskedModel, episodes: Episodes, *, share: float = 0.75, stride: int = 1, batch: int = CHUNK
) -> Surprise:
    """Slide a window over each episode and measure the error of its predicted end.

    The model receives the beginning of the window, and its predictions are compared with the rest.

    As intuitive physics is measured in V-JEPA (arXiv 2502.11831): the mean absolute error of the predicted latents of
    the target encoder, or of the pixels of a model that predicts those. The model receives all tokens of the first
    steps and predicts all others at once, which may differ from its training masks.

    Args:
        model: A masked model of videos or signals, frozen; its weights and its mode do not change.
        episodes: Videos or signals that it was not trained on.
        share: Share of the steps of a window that the model receives, rounded to whole ones; one step of a video is
            a tubelet.
        stride: Observations from the beginning of a window to that of the next.
        batch: Windows at a time.

    Raises:
        ConfigError: if the model is of images, or an option is out of range.
        DataError: if no episode is long enough or an energy is not finite.
    """
    if not isinstance(model, MaskedModel) or len(model.grid) == 2:
        raise ConfigError("surprise needs a masked model of videos or signals; images have no future to predict.")
    if min(stride, batch) < 1 or not 0 < share < 1:
        raise ConfigError(
            f"surprise needs 0 < share < 1 and stride and batch of at least 1; got {share}, {stride} and {batch}."
        )
    clips = windows(model, episodes)
    episode, last = window_ends(clips, np.arange(len(clips)))
    first = last - (clips.length - 1) * clips.frameskip
    earliest = first[np.searchsorted(episode, episode)]
    chosen = np.flatnonzero((first - earliest) % stride == 0)
    future = DrawMasks(Future((share, share)), model.grid)
    parts = []
    for rows in np.split(chosen, range(batch, len(chosen), batch)):
        clip = future(clips.cut(*clips.windows(rows)), seed=0, rank=0)
        with frozen(model):
            predicted = model.forecast(clip)
        parts.append(_energy(predicted.predictions[0], predicted.targets[0]))
    energy, episode, last = np.concatenate(parts), episode[chosen], last[chosen]
    if not np.isfinite(energy).all():
        worst = int(np.argmin(np.isfinite(energy)))
        raise DataError(
            f"the energy of the window of episode {episode[worst]} that ends at step {last[worst]} is not finite. "
            "Check the model's weights and statistics."
        )
    bounds = np.searchsorted(episode, np.arange(1, len(episodes)))
    return Surprise(tuple(np.split(energy, bounds)), tuple(np.split(last, bounds)), share)


def detection(possible: Floats, impossible: Floats, seed: int = 0) -> Detection:
    """Compare the energies ``[n]`` of impossible episodes with those of their possible matches.

    Args:
        possible: Energies of possible episodes.
        impossible: Energies of the same episodes with an impossible event, in the same order.
        seed: Seed of the bootstrap.

    Raises:
        ConfigError: if their numbers differ, or one is not finite.
    """
    lower, upper = np.asarray(possible, np.float64), np.asarray(impossible, np.float64)
    if lower.shape != upper.shape or lower.ndim != 1 or not len(lower):
        raise ConfigError(f"pairs need energies of one shape [n], n >= 1; got {lower.shape} and {upper.shape}.")
    if not (np.isfinite(lower).all() and np.isfinite(upper).all()):
        raise ConfigError("pairs need finite energies; leave out episodes without a window there.")
    count = len(lower)
    higher = (upper[:, None] > lower) + 0.5 * (upper[:, None] == lower)
    drawn = np.random.default_rng(seed).multinomial(count, np.full(count, 1 / count), RESAMPLES)
    resampled = ((drawn @ higher) * drawn).sum(axis=1) / count**2
    low, high = np.quantile(resampled, [0.025, 0.975])
    auroc = Estimate(float(higher.mean()), float(low), float(high), count)
    return Detection(wilson(int((upper > lower).sum()), count), auroc)


def _energy(predicted: Tensor, target: Tensor) -> npt.NDArray[Any]:
    """Compute the mean absolute error ``[B]`` of tokens ``[B, M, D]``."""
    error: Tensor = (predicted - target).abs().mean(dim=(1, 2), dtype=torch.float64)
    return error.cpu().numpy()
