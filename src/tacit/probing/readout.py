"""Readouts of a physical quantity from latents: probes that are saved and used later."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch

from tacit.errors import ConfigError, DataError
from tacit.nn.readout import LinearReadout
from tacit.probing._lazy_rows import pooled
from tacit.probing.features import Encoder, features
from tacit.probing.probes._probe import is_class, readable, set_aside
from tacit.probing.probes.linear import RIDGE, ridge

if TYPE_CHECKING:
    from tacit.data import Episodes

__all__ = ["fit"]

CPU = torch.device("cpu")


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
    """Fit a linear readout of a quantity from frozen latents.

    Its error is measured on episodes that it was not fitted on.

    It is a ridge regression on standardised latents, as of :class:`tacit.probing.probes.Linear`, whose penalty a fifth
    of the fitted episodes choose. A readout is differentiable, so a cost (:class:`tacit.costs.Target`) or a constraint
    can use it, and it is saved with the agent that does.

    Args:
        model: The encoder; its weights do not change.
        episodes: Recordings with the quantity.
        target: The name of a label, or of a vector modality.
        held_out: Where the error is measured. None: a fifth of the episodes, which are then not fitted on.
        frames: The most frames to encode of each.
        seed: Of the drawn frames and of the episodes that are set aside.
        progress: Show a progress bar; None: on a terminal and in a notebook.

    Raises:
        ConfigError: if there is no such target, or it is a class.
        DataError: if there are too few episodes to set some aside, ``held_out`` shares some, or the target does not
            vary.
    """
    found = features(model, episodes, frames=frames, seed=seed, progress=progress)
    if held_out is None:
        rows = set_aside(found.units, seed)
        fitted, test = found.select(~rows), found.select(rows)
    else:
        fitted, test = found, features(model, held_out, frames=frames, seed=seed, progress=progress)
        if shared := test.shared(fitted):
            raise DataError(
                f"{len(shared)} held-out episodes are also fitted on, or pieces of a recording that is (the first is "
                f"number {shared[0]}). Split with episodes.split(0.9, seed=0)."
            )
    if is_class(fitted.target(target)):
        raise ConfigError(f"{target!r} holds whole numbers, which are classes; a readout reads quantities (floats).")
    x, y = pooled(fitted.values, torch.float64, CPU).numpy(), readable(fitted.target(target), target).astype(np.float64)
    chosen = set_aside(fitted.units, seed + 1)
    mean, std = x.mean(axis=0), x.std(axis=0)
    scale = np.where(std > 1e-6 * (np.abs(mean) + std.max()), std, 1.0)
    standard = (x - mean) / scale
    tried = ridge(standard[~chosen], y[~chosen], np.array(RIDGE))
    best = int(np.argmin([np.square(one(standard[chosen]) - y[chosen]).sum() for one in tried]))
    (solution,) = ridge(standard, y, np.array(RIDGE[best : best + 1]))
    weight = solution.weight / scale[:, None]
    bias = solution.offset - (mean / scale + solution.middle) @ solution.weight
    actual = readable(test.target(target), target).astype(np.float64)
    squares = np.square(pooled(test.values, torch.float64, CPU).numpy() @ weight + bias - actual).mean(axis=0)
    variance = actual.var(axis=0)
    if not (y.var(axis=0) > 0).any():
        raise DataError(f"the target {target!r} does not vary over the rows to fit on; nothing can be learned.")
    r2 = np.where(variance > 0, 1 - squares / np.where(variance > 0, variance, 1.0), np.nan)
    return LinearReadout(
        target,
        torch.from_numpy(weight.astype(np.float32)),
        torch.from_numpy(bias.astype(np.float32)),
        tuple(np.sqrt(squares).tolist()),
        tuple(r2.tolist()),
    )
