"""Statistics that LeRobot stores for each episode and for the whole dataset."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from tacit.types import Array

__all__ = ["FeatureStats", "column_stats", "merge", "pixel_stats"]

FeatureStats = Mapping[str, npt.NDArray[Any]]
QUANTILES = {"q01": 0.01, "q10": 0.1, "q50": 0.5, "q90": 0.9, "q99": 0.99}
SAMPLED_FRAMES = 100
SAMPLED_SIDE = 128


def column_stats(values: Array) -> FeatureStats:
    """Compute statistics of numbers ``[T, D]``, one value for each component."""
    wide = values.astype(np.float64)
    if len(wide) == 1:  # all statistics of a single row are its values; there may be very many such episodes
        summary = dict.fromkeys(("min", "max", "mean", *QUANTILES), wide[0])
        return summary | {"std": np.zeros_like(wide[0]), "count": np.array([1])}
    ascending = np.sort(np.ascontiguousarray(wide.T))  # quantiles of sorted numbers take half the time
    summary = {"min": ascending[:, 0], "max": ascending[:, -1], "mean": wide.mean(0), "std": wide.std(0)}
    summary |= dict(zip(QUANTILES, np.quantile(ascending, list(QUANTILES.values()), axis=1), strict=True))
    return summary | {"count": np.array([len(wide)])}


def pixel_stats(frames: npt.NDArray[np.uint8]) -> FeatureStats:
    """Compute statistics of pixels ``[T, C, H, W]`` as ``[C, 1, 1]`` in ``[0, 1]``.

    They cover up to 100 frames of about 128 pixels a side.
    """
    step = -(-len(frames) // SAMPLED_FRAMES)
    thin = max(1, min(frames.shape[2:]) // SAMPLED_SIDE)
    sample = frames[::step, :, ::thin, ::thin]
    counts = np.stack([np.bincount(sample[:, c].ravel(), minlength=256) for c in range(frames.shape[1])])
    level = np.arange(256.0) / 255.0
    share = np.cumsum(counts, axis=1) / counts.sum(1, keepdims=True)
    mean = counts @ level / counts.sum(1)
    deviation = np.sqrt((counts * (level - mean[:, None]) ** 2).sum(1) / counts.sum(1))
    low, high = (counts > 0).argmax(1), 255 - (counts[:, ::-1] > 0).argmax(1)
    summary = {"min": level[low], "max": level[high], "mean": mean, "std": deviation}
    summary |= {name: level[(share >= q).argmax(1)] for name, q in QUANTILES.items()}
    shaped = {name: value.reshape(-1, 1, 1) for name, value in summary.items()}
    return shaped | {"count": np.array([len(sample)])}


def merge(parts: Sequence[FeatureStats]) -> FeatureStats:
    """Merge the statistics of all parts; quantiles are averaged by count, as LeRobot does."""
    count = np.stack([part["count"] for part in parts])
    weight = (count / count.sum()).reshape(-1, *[1] * (parts[0]["mean"].ndim))
    mean = (weight * np.stack([part["mean"] for part in parts])).sum(0)
    variance = np.stack([part["std"] ** 2 + (part["mean"] - mean) ** 2 for part in parts])
    merged = {
        "min": np.min([part["min"] for part in parts], axis=0),
        "max": np.max([part["max"] for part in parts], axis=0),
        "mean": mean,
        "std": np.sqrt((weight * variance).sum(0)),
    }
    merged |= {name: (weight * np.stack([part[name] for part in parts])).sum(0) for name in QUANTILES}
    return merged | {"count": count.sum(0)}
