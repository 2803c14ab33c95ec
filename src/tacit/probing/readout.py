"""Readouts of a physical quantity from latents: fitted probes that are saved and used later."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import torch

from tacit._registry import suggest
from tacit.errors import ConfigError, DataError
from tacit.nn.readout import LinearReadout
from tacit.probing.encoder import Encoder
from tacit.probing.features import Features, features, target_names
from tacit.probing.lazy_rows import pooled
from tacit.probing.probes._probe import as_target, is_class, validation_split
from tacit.probing.probes.linear import RIDGE, ridge

if TYPE_CHECKING:
    from tacit.data import Episodes

__all__ = ["fit", "fit_features"]

Floats = npt.NDArray[np.float64]


def fit(
    model: Encoder,
    episodes: Episodes,
    target: str,
    *,
    held_out: Episodes | None = None,
    frames: int = 8192,
    seed: int = 0,
    progress: bool | None = None,
) -> LinearReadout:
    """Fit a linear readout of a quantity from frozen latents, and measure its held-out error.

    It is a ridge regression on standardised latents, as :class:`tacit.probing.probes.Linear`; a fifth of the fitted
    episodes chooses the penalty. A readout is differentiable, so a cost (:class:`tacit.costs.Target`) or a constraint
    can use it, and it is saved with the agent that does.

    Args:
        model: The encoder; its weights do not change.
        episodes: Recordings with the quantity.
        target: The name of a label, of a vector, or of a series of one sample a step.
        held_out: Episodes to measure the error on. None: a fifth of the episodes, which are then not fitted on.
        frames: The largest number of frames to encode of each.
        seed: Seed of the drawn frames and of the splits.
        progress: Show a progress bar; None: on a terminal and in a notebook.

    Raises:
        ConfigError: if there is no such target, or it is a class.
        DataError: if there are too few episodes for validation, ``held_out`` shares some, or the target does not vary.
    """
    if target not in (known := target_names(episodes)):
        there = f"There are: {', '.join(known)}." if known else "There are none."
        raise ConfigError(f"the episodes have no target {target!r}.{suggest(target, known)} {there}")
    found = features(model, episodes, frames=frames, seed=seed, progress=progress)
    if held_out is None:
        rows = validation_split(found.units, seed)
        fitted, test = found.select(~rows), found.select(rows)
    else:
        fitted, test = found, features(model, held_out, frames=frames, seed=seed, progress=progress)
        if shared := test.shared(fitted):
            raise DataError(
                f"{len(shared)} held-out episodes are also fitted on, or pieces of a recording that is (the first is "
                f"number {shared[0]}). Split with episodes.split(0.9, seed=0)."
            )
    return fit_features(fitted, test, target, seed=seed)


def fit_features(fitted: Features, test: Features, target: str, *, seed: int = 0) -> LinearReadout:
    """Fit a linear readout on features, and measure its error on others; see :func:`fit`.

    Args:
        fitted: The features to fit on.
        test: Held-out features.
        target: The name of a target.
        seed: Seed of the split that chooses the penalty.

    Raises:
        ConfigError: if there is no such target, or it is a class.
        DataError: if there are too few episodes for validation, or the target does not vary.
    """
    if is_class(fitted.target(target)):
        raise ConfigError(f"{target!r} has whole numbers, which are classes; a readout needs a quantity (floats).")
    weight, bias = _solve(fitted, target, seed)
    actual = as_target(test.target(target), target).astype(np.float64)
    squares = np.square(_latents(test) @ weight + bias - actual).mean(axis=0)
    variance = actual.var(axis=0)
    r2 = np.where(variance > 0, 1 - squares / np.where(variance > 0, variance, 1.0), np.nan)
    return LinearReadout(
        target,
        torch.from_numpy(weight.astype(np.float32)),
        torch.from_numpy(bias.astype(np.float32)),
        tuple(np.sqrt(squares).tolist()),
        tuple(r2.tolist()),
    )


def _solve(fitted: Features, target: str, seed: int) -> tuple[Floats, Floats]:
    """Return weight ``[D, P]`` and bias ``[P]`` of the ridge regression whose penalty is best on a fifth of the rows.

    Raises:
        DataError: if the target does not vary.
    """
    x, y = _latents(fitted), as_target(fitted.target(target), target).astype(np.float64)
    held = validation_split(fitted.units, seed + 1)
    if not (y.var(axis=0) > 0).any():
        raise DataError(f"the target {target!r} does not vary over the fitted rows; nothing can be learned.")
    mean, std = x.mean(axis=0), x.std(axis=0)
    scale = np.where(std > 1e-6 * (np.abs(mean) + std.max()), std, 1.0)
    standard = (x - mean) / scale
    tried = ridge(standard[~held], y[~held], np.array(RIDGE))
    best = int(np.argmin([np.square(one(standard[held]) - y[held]).sum() for one in tried]))
    (solution,) = ridge(standard, y, np.array(RIDGE[best : best + 1]))
    weight: npt.NDArray[Any] = solution.weight / scale[:, None]
    return weight, solution.offset - (mean / scale + solution.middle) @ solution.weight


def _latents(features: Features) -> Floats:
    """Return the latents ``[N, D]`` in double precision."""
    return pooled(features.values, torch.float64, torch.device("cpu")).numpy()
