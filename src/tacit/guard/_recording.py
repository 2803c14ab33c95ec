"""Latents of whole episodes, and the scores along them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from tacit._arrays import as_numbers
from tacit.errors import DataError, SpecError
from tacit.guard._guard import reach_of
from tacit.guard._measure import measured
from tacit.guard._trail import Trail
from tacit.types import Episode, GuardScore, WorldModel

__all__ = ["Recording", "ScoreSeries", "record", "score_series"]

BATCH = 1024
"""The number of episodes that are scored at a time."""


@dataclass(frozen=True, eq=False)
class Recording:
    """Latents of ``N`` episodes at block boundaries, and the blocks between them; NaN after the end of an episode.

    Attributes:
        latents: ``[N, T, D]``.
        blocks: ``[N, T - 1, A']`` raw actions.
    """

    latents: npt.NDArray[np.float32] = field(repr=False)
    blocks: npt.NDArray[np.float32] = field(repr=False)

    def __post_init__(self) -> None:
        shapes = self.latents.shape, self.blocks.shape
        if self.latents.ndim != 3 or self.blocks.ndim != 3 or shapes[1][:2] != (shapes[0][0], shapes[0][1] - 1):
            raise SpecError(f"a recording has latents [N, T, D] and blocks [N, T - 1, A']; got {shapes}.")

    def __len__(self) -> int:
        return len(self.latents)

    @property
    def known(self) -> npt.NDArray[np.float32]:
        """Return all finite latents ``[n, D]``."""
        rows = self.latents.reshape(-1, self.latents.shape[-1])
        return rows[np.isfinite(rows).all(axis=1)]

    def select(self, episodes: slice | npt.NDArray[np.int64]) -> Recording:
        """Return the recording of some episodes."""
        return Recording(self.latents[episodes], self.blocks[episodes])


@dataclass(frozen=True, eq=False)
class ScoreSeries:
    """Calibrated scores along episodes.

    Attributes:
        names: The ``C`` scores.
        values: ``[N, T, C]``; NaN where undefined and after the end of an episode.
    """

    names: tuple[str, ...]
    values: npt.NDArray[np.float64] = field(repr=False)

    def __len__(self) -> int:
        return len(self.values)


def record(model: WorldModel, episodes: Iterable[Episode]) -> Recording:
    """Encode recorded episodes at block boundaries.

    Args:
        model: The source of latents.
        episodes: Recorded episodes; what follows the last whole block is left out.

    Raises:
        DataError: if an episode is shorter than one block, or there is none.
    """
    import torch

    latents, blocks, skip = [], [], model.frameskip
    for episode in episodes:
        count = len(episode.action) // skip
        if count < 1:
            raise DataError(f"episode {episode.index} has {len(episode.action)} actions; one block has {skip}.")
        frames = {name: values[: count * skip + 1 : skip] for name, values in episode.observation.items()}
        with torch.no_grad():
            latents.append(as_numbers(model.encode(frames), None))
        blocks.append(episode.action[: count * skip].reshape(count, -1))
    if not latents:
        raise DataError("a recording needs at least one episode; got none.")
    return Recording(_padded(latents), _padded(blocks))


def score_series(scores: Sequence[GuardScore], model: WorldModel, recording: Recording) -> ScoreSeries:
    """Return the calibrated scores along episodes, computed as an agent computes them.

    Args:
        scores: The scores; those with limits of their own are left out.
        model: The source of forecasts.
        recording: The episodes.
    """
    chosen = tuple(score for score in scores if score.limits is None)
    parts = [_series(chosen, model, recording.select(slice(i, i + BATCH))) for i in range(0, len(recording), BATCH)]
    return ScoreSeries(parts[0].names, np.concatenate([part.values for part in parts]))


def _series(scores: tuple[GuardScore, ...], model: WorldModel, recording: Recording) -> ScoreSeries:
    import torch

    reach = reach_of(scores)
    latents = torch.from_numpy(recording.latents).to(model.device)
    blocks = torch.from_numpy(recording.blocks).to(model.device)
    trail, found = Trail.begin(latents[:, 0]), []
    with torch.no_grad():
        for step in range(latents.shape[1]):
            if step:
                trail = trail.extended(latents[:, step], blocks[:, step - 1], reach, model.history)
            readings = measured(scores, trail.sensed(model, reach))
            found.append(np.stack([reading.values for reading in readings], axis=1))
    values = np.stack(found, axis=1)
    ended = ~np.isfinite(recording.latents).all(axis=2)
    values[ended] = np.nan
    return ScoreSeries(tuple(reading.name for reading in readings), values)


def _padded(parts: Sequence[npt.NDArray[np.float32]]) -> npt.NDArray[np.float32]:
    """Stack arrays ``[t, ...]`` of different lengths as ``[n, T, ...]``, with NaN after their ends."""
    out = np.full((len(parts), max(map(len, parts)), *parts[0].shape[1:]), np.nan, np.float32)
    for row, part in enumerate(parts):
        out[row, : len(part)] = part
    return out
