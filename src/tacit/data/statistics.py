"""Mean and standard deviation of recorded episodes, one episode in memory at a time."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import numpy.typing as npt

from tacit.types import Array, Episode, Spec, Statistics

__all__ = ["fit"]

FLOOR = 1e-6


def fit(episodes: Iterable[Episode], spec: Spec) -> Statistics:
    """Statistics of every modality and of the actions; see :class:`tacit.types.Statistics`."""
    sums = {name: _Sums(modality.shape[0]) for name, modality in spec.modalities.items()}
    sums["action"] = _Sums(spec.action.size)
    for episode in episodes:
        for name, value in episode.observation.items():
            sums[name].add(_channels_last(value))
        sums["action"].add(episode.action)
    scale = {
        name: 255.0 if name in spec.modalities and spec.modalities[name].kind == "pixels" else 1.0 for name in sums
    }
    return Statistics(
        mean={name: tuple(float(x) for x in part.mean / scale[name]) for name, part in sums.items()},
        std={name: tuple(float(x) for x in np.maximum(part.std() / scale[name], FLOOR)) for name, part in sums.items()},
    )


class _Sums:
    """Count, mean and summed squared deviations, merged block by block (Chan, Golub and LeVeque, 1979)."""

    def __init__(self, size: int) -> None:
        self.count = 0
        self.mean = np.zeros(size)
        self.squares = np.zeros(size)

    def add(self, values: Array) -> None:
        """Merge ``values [n, size]``."""
        if not values.size:
            return
        count, mean, squares = _block(values)
        total = self.count + count
        shift = mean - self.mean
        self.mean = self.mean + shift * (count / total)
        self.squares = self.squares + squares + shift**2 * (self.count * count / total)
        self.count = total

    def std(self) -> npt.NDArray[np.float64]:
        return np.asarray(np.sqrt(self.squares / max(self.count, 1)))


def _block(values: Array) -> tuple[int, npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Count, mean and summed squared deviations of ``values [n, size]``; of bytes by an exact histogram."""
    if values.dtype != np.uint8:
        wide = values.astype(np.float64)
        mean = wide.mean(axis=0)
        return len(wide), mean, ((wide - mean) ** 2).sum(axis=0)
    level = np.arange(256.0)
    counts = np.stack([np.bincount(values[:, channel], minlength=256) for channel in range(values.shape[1])], axis=1)
    mean = level @ counts / len(values)
    return len(values), mean, (counts * (level[:, None] - mean) ** 2).sum(axis=0)


def _channels_last(value: Array) -> Array:
    """Pixels ``[T, C, H, W]`` as ``[n, C]``; everything else is ``[n, C]`` already."""
    return np.moveaxis(value, 1, -1).reshape(-1, value.shape[1]) if value.ndim == 4 else value
