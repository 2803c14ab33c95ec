"""Feature sources of a comparison: a model, its untrained twin and its raw input, on the same rows."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING, TypeAlias

import torch
from torch import Tensor

from tacit.probing.baselines import baselines
from tacit.probing.encoder import Encoder, Trainable, encode_windows, windows
from tacit.probing.features import Features, draw_rows, features

if TYPE_CHECKING:
    from tacit.data import Clips, Episodes

__all__ = ["FeaturePair", "feature_sources"]

FeaturePair: TypeAlias = tuple[Features, Features]
"""Features to fit on, and held-out features."""


def feature_sources(
    model: Trainable,
    *,
    fit_on: Episodes,
    test_on: Episodes,
    tokens: bool = False,
    frames: int | None = 8192,
    seed: int = 0,
    progress: bool | None = None,
) -> dict[str, FeaturePair]:
    """Encode episodes with a model and its baselines.

    Args:
        model: The model to evaluate.
        fit_on: Episodes to fit probes on.
        test_on: Held-out episodes.
        tokens: Encode tokens; ``raw`` has as many where they form a square or the model has a grid.
        frames: The largest number of observations of each of the two; None: all.
        seed: Seed of the drawn observations and of the untrained weights.
        progress: Show progress bars; None: on a terminal and in a notebook.

    Returns:
        Features by source: ``model``, ``untrained`` (new weights) and ``raw`` (the input without a network).
    """
    fit, test = (
        features(model, part, tokens=tokens, frames=frames, seed=seed, progress=progress) for part in (fit_on, test_on)
    )
    side = math.isqrt(fit.values.shape[1])
    square = (side, side) if side * side == fit.values.shape[1] else None
    known = fit.grid or square
    plane = (known[-2], known[-1]) if tokens and known is not None and len(known) > 1 else None
    found = {"model": (fit, test)}
    for name, baseline in baselines(model, seed, tokens=tokens, grid=plane, covered=fit.covered).items():
        values = [_values(baseline, windows(model, part), tokens, frames, seed, progress) for part in (fit_on, test_on)]
        grid = fit.grid
        if name == "raw" and plane is not None and grid is not None and len(grid) == 3:
            grid = (values[0].shape[1] // math.prod(plane), *plane)  # every frame has patches, not every tubelet
        found[name] = (replace(fit, values=values[0], grid=grid), replace(test, values=values[1], grid=grid))
    return found


def _values(model: Encoder, clips: Clips, tokens: bool, frames: int | None, seed: int, progress: bool | None) -> Tensor:
    """Return the values of :func:`features` alone."""
    index = draw_rows(len(clips), frames, seed)
    return torch.cat([latents.float() for latents in encode_windows(model, clips, index, tokens, progress=progress)])
