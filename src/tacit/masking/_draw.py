"""Random streams of a mask, and random subsets of equal size."""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from tacit._seeds import CounterStream, counter_rng

__all__ = ["Bools", "Ints", "generators", "in_frames", "split", "uniform"]

Bools: TypeAlias = npt.NDArray[np.bool_]
Ints: TypeAlias = npt.NDArray[np.int64]


def generators(seed: int, rank: int) -> tuple[np.random.Generator, np.random.Generator]:
    """Return the random stream that all processes share, and that of process ``rank``."""
    return counter_rng(seed, CounterStream.MASKS, 0), counter_rng(seed, CounterStream.MASKS, rank + 1)


def uniform(rng: np.random.Generator, bounds: tuple[float, float]) -> float:
    """Draw a number between the bounds; consume a draw even where they are equal."""
    return bounds[0] + (bounds[1] - bounds[0]) * float(rng.random())


def split(rng: np.random.Generator, mask: Bools, inside: int, outside: int) -> tuple[Tensor, Tensor]:
    """Draw random places of each row, ``inside`` where ``mask [B, N]`` holds and ``outside`` elsewhere.

    Every subset of its size is equally likely. A row with too few places of one kind is filled up with the other kind.

    Returns:
        The indices, ascending: int64 ``[B, inside]`` and ``[B, outside]``, disjoint if they fit into N together.
    """
    batch, length = mask.shape
    # Bits from the top: the kind, a random number, the index. So no two keys of a row are equal, and a threshold
    # selects exactly the wanted number.
    bits = length.bit_length()
    keys = np.asarray(rng.bit_generator.random_raw((batch, length)), dtype=np.uint64)
    keys = (keys >> np.uint64(bits + 1) << np.uint64(bits)) | np.arange(length, dtype=np.uint64)
    keys |= (~mask).astype(np.uint64) << np.uint64(63)
    return _smallest(keys, inside), _smallest(~keys, outside)


def _smallest(keys: npt.NDArray[np.uint64], count: int) -> Tensor:
    """Return the indices of the ``count`` smallest ``keys [B, N]`` per row, ascending: int64 ``[B, count]``."""
    batch, length = keys.shape
    if count == 0:
        return torch.empty(batch, 0, dtype=torch.int64)
    # One threshold at a time, and flat: numpy has fast paths for these, several times faster than for the general case.
    chosen = keys <= np.partition(keys, count - 1, axis=1)[:, count - 1, None]
    return torch.from_numpy(np.flatnonzero(chosen).reshape(batch, count) - length * np.arange(batch)[:, None])


def in_frames(places: Tensor, frames: range, area: int) -> Tensor:
    """Repeat ``places [B, P]`` in each of ``frames``, of ``area`` tokens each: ``[B, len(frames) * P]``."""
    return (torch.tensor(frames)[:, None] * area + places[:, None]).flatten(1)
