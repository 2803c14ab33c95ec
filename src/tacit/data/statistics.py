"""Mean and standard deviation of recorded episodes, with at most one episode in memory."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Iterator, Mapping
from itertools import islice

import numpy as np
import numpy.typing as npt

from tacit._scales import varies
from tacit.data.storage import Storage, Streamed, checked
from tacit.data.threads import prefetch_map
from tacit.types import Array, Episode, Statistics

__all__ = ["fit"]

NAMED = 5
ROWS = 2**24
"""Number of values of each component that are merged at a time."""
LARGE = 2**28
"""Size of an episode in bytes from which its images are read in parts."""


def fit(storage: Storage, indices: Iterable[int]) -> Statistics:
    """Compute the statistics of every modality and of the actions; see :class:`tacit.types.Statistics`.

    Images of a large episode are never all in memory if the storage decodes them one at a time. A component that
    does not vary has standard deviation 1, and a warning names it.
    """
    spec = storage.spec
    sums = {name: _Sums(modality.shape[0]) for name, modality in spec.modalities.items()}
    sums["action"] = _Sums(spec.action.size)
    for observation, action in _parts(storage, indices):
        for name, value in observation.items():
            sums[name].add(_channels_last(value))
        if action is not None:
            sums["action"].add(action)
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


def _parts(storage: Storage, indices: Iterable[int]) -> Iterator[tuple[Mapping[str, Array], Array | None]]:
    """Yield observations and actions of episodes; a large one in several parts, one of which has the actions."""
    spec, names = storage.spec, tuple(storage.spec.modalities)
    frame = {name: int(np.prod(spec.modalities[name].shape)) for name in spec.cameras}

    def large(index: int) -> bool:
        return isinstance(storage, Streamed) and int(storage.lengths[index]) * sum(frame.values()) > LARGE

    def read(index: int) -> Episode:
        return checked(storage, index, [name for name in names if not (large(index) and name in frame)])

    for index, episode in zip(
        indices, prefetch_map(read, indices) if storage.parallel else map(read, indices), strict=True
    ):
        yield episode.observation, episode.action
        for name in frame if large(index) else ():
            images = storage.frames(index, name)  # type: ignore[attr-defined]
            while some := list(islice(images, max(1, ROWS // frame[name]))):
                yield {name: np.stack(some)}, None


def _warn_of_constants(constant: Mapping[str, npt.NDArray[np.int64]], sums: Mapping[str, _Sums]) -> None:
    """Warn of the components that do not vary, with their values."""
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
        if len(values) > ROWS:
            for start in range(0, len(values), ROWS):
                self.add(values[start : start + ROWS])
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
    """Compute count, mean and summed squared deviations of ``values [n, size]``; of bytes by an exact histogram."""
    if values.dtype != np.uint8:
        wide = values.astype(np.float64)
        mean = wide.mean(axis=0)
        return len(wide), mean, ((wide - mean) ** 2).sum(axis=0)
    level = np.arange(256.0)
    counts = np.stack([np.bincount(values[:, channel], minlength=256) for channel in range(values.shape[1])], axis=1)
    mean = level @ counts / len(values)
    return len(values), mean, (counts * (level[:, None] - mean) ** 2).sum(axis=0)


def _channels_last(value: Array) -> Array:
    """Return pixels ``[T, C, H, W]`` as ``[n, C]``; other values already are ``[n, C]``."""
    return np.moveaxis(value, 1, -1).reshape(-1, value.shape[1]) if value.ndim == 4 else value
