"""Dense probe: a prediction from every token for its own place."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from functools import partial

import numpy as np
import numpy.typing as npt
import torch
from torch.nn import functional as F

from tacit.errors import ConfigError, DataError
from tacit.probing.features import Features
from tacit.probing.probes._probe import Prediction, Probe, Task, is_class
from tacit.probing.probes._results import ClassResult, ProbeResult, segmentation_result
from tacit.probing.probes.linear import Linear
from tacit.types import Array

__all__ = ["Dense"]


@dataclass(frozen=True)
class Dense(Probe):
    """One readout for all tokens ``[N, n, D]``: maps of classes or of quantities.

    A target is ``[N, n]`` or ``[N, n, P]``, or a map ``[N, H, W]`` at least as fine as the grid, which is
    reduced to the most frequent class of each token, the lowest among equals, or to its mean. Pixels at the right and
    the lower edge that fill no patch, and tokens of a negative class, are left out. The result has a row per token.

    Args:
        reader: The probe that is fitted to the tokens as rows; ``Constant()`` is the baseline.
        tokens: The largest number of tokens to fit on and to score, drawn as whole rows of the features.
    """

    reader: Probe = field(default_factory=Linear)
    tokens: int = 200_000

    def __post_init__(self) -> None:
        if self.tokens < 1:
            raise ConfigError(f"a dense probe needs at least one token; got tokens={self.tokens}.")

    @property
    def chooses(self) -> bool:
        """Return True if the readout has anything to choose."""
        return self.reader.chooses

    def suits(self, target: Array) -> bool:
        """Return True if a target may be a map.

        A map has more than one number a row, other than the components of a quantity.
        """
        numbers = target.size // max(len(target), 1)
        return target.dtype.kind in "iubf" and numbers > 1 and (target.ndim > 2 or is_class(target))

    def __call__(
        self,
        fit: Features,
        test: Features,
        target: str,
        *,
        validation: Features | None = None,
        seed: int = 0,
        device: str | torch.device = "cpu",
        progress: bool | None = None,
    ) -> ProbeResult:
        """Fit and score as :meth:`Probe.__call__`. Classes give a :class:`SegmentationResult`."""
        by_token = partial(self._by_token, target=target, seed=seed)
        others = None if validation is None else by_token(validation)
        parts = by_token(fit), by_token(test)
        result = self.reader(*parts, target, validation=others, seed=seed, device=device, progress=progress)
        named = replace(result, probe=type(self).__name__)
        return segmentation_result(named) if isinstance(named, ClassResult) else named

    def fit_predict(self, task: Task) -> Prediction:
        """Fit and predict tokens as rows with the readout."""
        return self.reader.fit_predict(task)

    def _by_token(self, features: Features, target: str, seed: int) -> Features:
        """Return features with a row for each token."""
        if len(features.values.shape) != 3:
            raise DataError(
                f"a dense probe reads tokens [N, n, D]; these features are {list(features.values.shape)}. "
                "Encode with tokens=True."
            )
        count = features.values.shape[1]
        features.target(target)
        most = max(self.tokens // count, 1)
        if most < len(features):
            features = features.select(np.sort(np.random.default_rng(seed).permutation(len(features))[:most]))
        values, grid = features.values[torch.arange(len(features))], features.grid
        if grid is not None and len(grid) == 3 and features.target(target).shape[1] != count:
            # A map describes the last frame of a window, so it is predicted from the tokens of that frame.
            grid, count = grid[1:], math.prod(grid[1:])
            values = values[:, -count:]
        found = per_token(features.target(target), count, grid, features.covered)
        found = found.reshape(-1, *found.shape[2:])
        values = values.flatten(0, 1)
        episode = features.episode.repeat(count)
        kept = replace(features, values=values, targets={target: found}, episode=episode, grid=None, covered=(1.0, 1.0))
        return kept.select(np.flatnonzero(found.astype(np.int64) >= 0)) if is_class(found) else kept


def per_token(
    target: Array, count: int, grid: tuple[int, ...] | None = None, covered: tuple[float, float] = (1.0, 1.0)
) -> Array:
    """Return a target of each of ``count`` tokens, ``[N, n]`` or ``[N, n, P]``.

    Args:
        target: Of each token, or maps.
        count: Tokens ``n``.
        grid: Their extents down and across.
        covered: Share of the height and the width of a map that they lie on; the rest is left out.

    Raises:
        DataError: if the target is neither one of each token nor a map as fine as the grid.
    """
    if target.ndim == 2 and target.shape[1] == count:
        return target
    height, width = token_grid(count, grid)
    maps = target.ndim == 3 and target.shape[1] >= height and target.shape[2] >= width
    quantities = target.ndim == 3 and target.shape[1] == count and not is_class(target)
    # Where it could be either, a map has the proportions of the grid.
    if quantities and not (maps and target.shape[1] * width == target.shape[2] * height):
        return target
    if maps:
        if target.shape[1:] == (height, width):
            return target.reshape(len(target), -1)
        down, across = (
            max(round(extent * share), cells)
            for extent, share, cells in zip(target.shape[1:], covered, (height, width), strict=True)
        )
        return _cells(target[:, :down, :across], height, width)
    raise DataError(
        f"a dense target is [N, {count}], [N, {count}, P] or a map [N, H, W] of at least {height} x {width}; got "
        f"{list(target.shape)}."
    )


def token_grid(count: int, grid: tuple[int, ...] | None = None) -> tuple[int, int]:
    """Return height and width of the grid of ``count`` tokens. It is a square where it is not given.

    Raises:
        ConfigError: if there is no such grid.
    """
    side = math.isqrt(count)
    extents = grid or (side, side)
    if len(extents) != 2 or math.prod(extents) != count:
        shape = " x ".join(map(str, extents))
        raise ConfigError(f"{count} tokens form no grid of {shape} with height and width; give Features(grid=(h, w)).")
    return extents[0], extents[1]


def _cells(maps: Array, height: int, width: int) -> Array:
    """Return the commonest class or mean in each grid cell of maps ``[N, H, W]``."""
    if not is_class(maps):
        averaged = F.adaptive_avg_pool2d(torch.from_numpy(maps.astype(np.float64))[:, None], (height, width))
        return averaged.flatten(1).numpy()
    down = np.arange(maps.shape[1]) * height // maps.shape[1]
    across = np.arange(maps.shape[2]) * width // maps.shape[2]
    cell = (down[:, None] * width + across).ravel()
    classes, number = np.unique(maps.reshape(len(maps), -1), return_inverse=True)
    return _commonest(classes, number.reshape(len(maps), -1), cell, height * width)


def _commonest(
    classes: npt.NDArray[np.generic], number: npt.NDArray[np.int64], cell: npt.NDArray[np.int64], cells: int
) -> Array:
    """Return the commonest of ``classes`` in each cell, -1 where none counts.

    The input is the number of the class ``[N, pixels]``.
    """
    votes = np.empty((len(number), cells), np.int64)
    counted = classes.astype(np.int64) >= 0
    for row, numbers in enumerate(number):
        counts = np.bincount(cell * len(classes) + numbers, minlength=cells * len(classes)).reshape(cells, -1)
        counts = np.where(counted, counts, 0)
        votes[row] = np.where(counts.any(axis=1), classes.astype(np.int64)[counts.argmax(axis=1)], -1)
    return votes
