"""Samples of a series as rows of fixed width, one for each step, and back."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from tacit.types import Array, Spec

__all__ = ["pack", "unpack"]


def _taken(spec: Spec, name: str, steps: int) -> npt.NDArray[np.bool_]:
    """Return ``[T, R]`` a mask of the places that hold a sample of the step, in order."""
    counts = np.diff(spec.starts(name, steps))
    taken: npt.NDArray[np.bool_] = np.arange(spec.samples(name, 1)) < counts[:, None]
    return taken


def pack(samples: Array, spec: Spec, name: str, steps: int) -> npt.NDArray[np.float32]:
    """Return samples ``[N, C]`` as rows ``[T, R * C]``, padded with zeros."""
    taken = _taken(spec, name, steps)
    rows = np.zeros((*taken.shape, samples.shape[1]), np.float32)
    rows[taken] = samples
    return rows.reshape(steps, -1)


def unpack(rows: npt.NDArray[np.float32], spec: Spec, name: str) -> npt.NDArray[np.float32]:
    """Return rows ``[T, R * C]`` as samples ``[N, C]``."""
    taken = _taken(spec, name, len(rows))
    return rows.reshape(*taken.shape, -1)[taken]
