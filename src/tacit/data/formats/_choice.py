"""Shared options of formats: the choice of features and the size of images."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace
from fnmatch import fnmatchcase
from itertools import chain

import numpy as np
import numpy.typing as npt

from tacit._registry import suggest
from tacit._resize import wanted_size
from tacit._resources import amount, available_memory
from tacit.errors import ConfigError, DataError
from tacit.types import Modality, Spec

__all__ = ["at_size", "gathered", "matched"]

LARGE = 2**29
"""Size of an array in bytes from which the free memory is checked first."""


def matched(patterns: Sequence[str], keys: Collection[str], option: str) -> Iterator[str]:
    """Yield the keys that match the patterns, in the order of the patterns.

    Raises:
        ConfigError: for a pattern that no key matches.
    """
    for pattern in patterns:
        found = [key for key in keys if key == pattern] or [key for key in keys if fnmatchcase(key, pattern)]
        if not found:
            hint = suggest(pattern, keys) or f" It has {', '.join(keys)}."
            raise ConfigError(f"{option}= names {pattern!r}, and the dataset has no such feature.{hint}")
        yield from found


def at_size(spec: Spec, size: int | tuple[int, int] | None) -> Spec:
    """Return ``spec`` with images of another size, keeping the recorded size."""
    wanted = wanted_size(size)
    if wanted is None:
        return spec
    modalities = dict(spec.modalities)
    for name in spec.cameras:
        channels, *recorded = modalities[name].shape
        if tuple(recorded) != wanted:
            modalities[name] = Modality("pixels", (channels, *wanted), source=(recorded[0], recorded[1]))
    return replace(spec, modalities=modalities)


def gathered(frames: Iterator[npt.NDArray[np.uint8]], length: int, where: str) -> npt.NDArray[np.uint8]:
    """Return frames as one array, allocated after the first of them is decoded.

    Args:
        frames: ``length`` images ``[C, H, W]``.
        length: The number of frames.
        where: Their description, for an error.

    Raises:
        DataError: if they do not fit the memory.
    """
    first = next(frames)
    size, memory = length * first.nbytes, available_memory() if length * first.nbytes > LARGE else None
    if memory is not None and size > memory:
        raise DataError(
            f"{where}: its {length} images of {first.shape[2]} x {first.shape[1]} take {amount(size)} of memory, and "
            f"{amount(memory)} are available. Read them at a smaller size, for example size=64."
        )
    whole = np.empty((length, *first.shape), np.uint8)
    for place, frame in zip(whole, chain([first], frames), strict=True):
        place[:] = frame
    return whole
