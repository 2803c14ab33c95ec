"""Ranking of episodes by the surprise of a trained model, to find unusual recordings."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from tacit.errors import ConfigError, DataError
from tacit.evaluation.expectation import frame_surprise
from tacit.evaluation.surprise import surprise
from tacit.models import MaskedModel, Model, WorldModel

if TYPE_CHECKING:
    from tacit.data import Episodes

__all__ = ["EpisodeSurprise", "rank_episodes"]


@dataclass(frozen=True)
class EpisodeSurprise:
    """Surprise of one episode.

    Attributes:
        episode: Its number.
        mean: The mean energy of its predictions.
        largest: The largest energy.
        step: The observation that has the largest one.
        ratio: ``mean`` divided by its median over the episodes.
    """

    episode: int
    mean: float
    largest: float
    step: int
    ratio: float


def rank_episodes(model: Model, episodes: Episodes, *, steps: int = 1) -> list[EpisodeSurprise]:
    """Rank episodes by the mean surprise of a model, the largest first.

    The surprise of a world model is the error of its predictions, with the recorded actions; see
    :func:`tacit.evaluation.expectation.frame_surprise`. That of a masked model is
    :func:`tacit.evaluation.surprise.surprise`. One episode is held at a time. Episodes that are too short are left out.

    Args:
        model: A trained world model, or a masked model of videos or signals.
        episodes: The episodes; those of the training are ranked as well, with a smaller surprise.
        steps: Blocks of the longest prediction of a world model.

    Raises:
        ConfigError: if the model predicts nothing.
        DataError: if no episode is long enough.
    """
    if isinstance(model, WorldModel):
        found = list(_predicted(model, episodes, steps))
    elif isinstance(model, MaskedModel):
        result = surprise(model, episodes)
        pairs = enumerate(zip(result.energies, result.last, strict=True))
        found = [_summary(index, energy, last) for index, (energy, last) in pairs if len(energy)]
    else:
        raise ConfigError(f"rank_episodes needs a world model or a masked model; got {type(model).__name__}.")
    if not found:
        raise DataError("no episode is long enough for a prediction.")
    usual = float(np.median([mean for _, mean, _, _ in found]))
    ranked = [EpisodeSurprise(*one, one[1] / usual if usual > 0 else float("nan")) for one in found]
    return sorted(ranked, key=lambda one: (-one.mean, one.episode))


def _predicted(model: WorldModel, episodes: Episodes, steps: int) -> Iterator[tuple[int, float, float, int]]:
    """Yield number, mean and largest energy and its step of each episode that is long enough."""
    skip, inputs = model.config.frameskip, model.config.inputs
    for length in np.unique(episodes.lengths):
        chosen = np.flatnonzero(episodes.lengths == length)
        part = episodes.select(chosen)
        if length <= skip or not len(pair := part.clips(2, skip, inputs)):
            continue
        first = int(pair.windows(np.array([0]))[1][0])  # a fast sensor may have no samples before
        blocks = (int(length) - 1 - first) // skip
        clips = part.clips(blocks + 1, skip, inputs)
        for place, index in enumerate(chosen.tolist()):
            clip = clips.cut(np.array([place]), np.array([first]))
            observation = {name: values.numpy() for name, values in clip.observation.items()}
            energy = frame_surprise(model, observation, clip.action.numpy(), steps=steps)[0, 1:]
            yield _summary(index, energy, first + skip * (1 + np.arange(blocks)))


def _summary(index: int, energy: npt.NDArray[np.float64], step: npt.NDArray[np.int64]) -> tuple[int, float, float, int]:
    return index, float(energy.mean()), float(energy.max()), int(step[np.argmax(energy)])
