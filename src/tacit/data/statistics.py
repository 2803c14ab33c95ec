"""Mean and standard deviation of recorded episodes, one episode in memory at a time."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Mapping

import numpy as np
import numpy.typing as npt

from tacit._scales import varies
from tacit.types import Array, Episode, Spec, Statistics

__all__ = ["fit"]

NAMED = 5


def fit(episodes: Iterable[Episode], spec: Spec) -> Statistics:
    """Compute the statistics of every modality and of the actions; see :class:`tacit.types.Statistics`.

    A component that does not vary has standard deviation 1, and a warning names it.
    """
    sums = {name: _Sums(modality.shape[0]) for name, modality in spec.modalities.items()}
    sums["action"] = _Sums(spec.action.size)
    for episode in episodes:
        for name, value in episode.observation.items():
            sums[name].add(_channels_last(value))
        sums["action"].add(episode.action)
    scale = {
        name: 255.0 if name in spec.modalities and spec.modalities[name].kind == "pixels" else 1.0 for name in sums
    }
    constant = {name: np.flatnonzero(~varies(part.std(), part.size)) for name, part in sums.items() if part.count}
    _warn_of_constants({name: found for name, found in constant.items() if len(found)}, sums)
    std = {name: part.std() / scale[name] for name, part in sums.items()}
    for name, found in constant.items():
        std[name][found] = 1.0
    return Statistics(
        mean={name: tuple(float(x) for x in part.mean / scale[name]) for name, part in sums.items()},
        std={name: tuple(float(x) for x in values) for name, values in std.items()},
    )


def _warn_of_constants(constant: Mapping[str, npt.NDArray[np.int64]], sums: Mapping[str, _Sums]) -> None:
    """Name the components that do not vary, with their values."""
    if not constant:
        return
    named = []
    for name, components in constant.items():
        values = [f"{index} (always {sums[name].mean[index]:.6g})" for index in components[:NAMED]]
        more = f" and {len(components) - NAMED} more" if len(components) > NAMED else ""
        named.append(f"{name!r} component {', '.join(values)}{more}")
    warnings.warn(
        f"constant in these episodes: {'; '.join(named)}. They are not scaled, and a model cannot learn from them. "
        "Record episodes in which they vary, or leave them out.",
        stacklevel=3,
    )


class _Sums:
    """Count, mean and summed squared deviations, merged block by block (Chan, Golub and LeVeque, 1979)."""

    def __init__(self, size: int) -> None:
        self.count = 0
        self.mean = np.zeros(size)
        self.squares = np.zeros(size)
        self.size = np.zeros(size)  # the largest magnitude

    def add(self, values: Array) -> None:
        """Merge ``values [n, size]``."""
        if not values.size:
            return
        count, mean, squares = _block(values)
        self.size = np.maximum(self.size, np.abs(values).max(axis=0))
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
