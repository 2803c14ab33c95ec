"""Survey of recordings: what a recipe needs to know of them before it is trained."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from tacit.types import Array

if TYPE_CHECKING:
    from tacit.data import Episodes

__all__ = ["Survey", "survey"]

Floats = npt.NDArray[np.float64]
EPISODES, CELLS = 64, 8
"""Episodes that are read, and cells along each axis to which images are averaged."""
STILL, DIFFERENT = 0.004, 0.04
"""Standard deviation, as a share of the range of all values, up to which a component stands still and from which its
values differ."""
PENALTY = 1e-3


@dataclass(frozen=True)
class Survey:
    """Properties of recordings.

    Attributes:
        movement: ``[K]`` mean squared change over 1 to ``K`` steps, over that between two times far apart.
        velocity: Share of the error of a linear one-block forecast that goes with the observation before; near 0 where
            a single observation tells all.
        fixed: Share of the components that stand still in an episode and differ between episodes, such as walls.
        length: Median number of observations of an episode.
    """

    movement: Floats
    velocity: float
    fixed: float
    length: int

    def steps_to(self, share: float) -> int:
        """Return the number of steps after which observations have changed by a share of what they can."""
        there = self.movement >= share
        return int(np.argmax(there)) + 1 if there.any() else len(self.movement)


def survey(episodes: Episodes, block: int = 1) -> Survey:
    """Read some episodes and measure how they move.

    Images are averaged to 8 x 8 cells; vectors and series of one sample a step are taken as they are. Faster and slower
    series are left out, unless there is nothing else: then one sample counts for each step.

    Args:
        episodes: The recordings.
        block: Steps between two observations of the forecast.
    """
    chosen = np.unique(np.linspace(0, len(episodes) - 1, min(EPISODES, len(episodes))).astype(int))
    spec = episodes.spec
    names = tuple(name for name, one in spec.modalities.items() if one.rate in (None, spec.fps))
    names = names or tuple(spec.modalities)
    values, actions = [], []
    for number in chosen:
        read = episodes.read(int(number), names)
        values.append(np.concatenate([_cells(_each_step(read.observation[name], len(read))) for name in names], axis=1))
        actions.append(np.asarray(read.action, np.float64))
    length = int(np.median([len(one) for one in values]))
    together = np.concatenate(values)
    spread = np.maximum(np.ptp(together, axis=0), 1e-9)
    values = [one / spread for one in values]
    return Survey(_movement(values, max(1, length // 2)), _velocity(values, actions, block), _fixed(values), length)


def _each_step(stream: Array, steps: int) -> Array:
    """Return one sample of a stream for each of some steps."""
    return stream if len(stream) == steps else stream[np.linspace(0, len(stream) - 1, steps).astype(int)]


def _cells(stream: Array) -> Floats:
    """Return a stream ``[T, ...]`` as vectors ``[T, F]``."""
    if stream.ndim != 4:
        return np.asarray(stream, np.float64)
    steps, _, *size = stream.shape
    rows, columns = (np.arange(extent) * min(CELLS, extent) // extent for extent in size)
    cells = np.stack([stream[:, :, rows == row].mean(axis=2) for row in range(rows[-1] + 1)], axis=2)
    cells = np.stack([cells[..., columns == column].mean(axis=3) for column in range(columns[-1] + 1)], axis=3)
    return np.asarray(cells.reshape(steps, -1), np.float64)


def _movement(values: list[Floats], longest: int) -> Floats:
    """Return the mean squared change by steps, over twice the variance of all values around their episode's."""
    varied = np.concatenate([one - one.mean(axis=0) for one in values]).var(axis=0)
    usable = varied > 1e-12
    found = []
    for step in range(1, longest + 1):
        changes = [np.square(one[step:] - one[:-step])[:, usable] for one in values if len(one) > step]
        found.append(float((np.concatenate(changes).mean(axis=0) / (2 * varied[usable])).mean()) if changes else 0.0)
    return np.array(found)


def _velocity(values: list[Floats], actions: list[Floats], block: int) -> float:
    """Return the share of the error of a linear forecast that the change before removes."""
    rows: list[tuple[Floats, Floats, Floats]] = []
    for one, action in zip(values, actions, strict=True):
        at = np.arange(block, len(one) - block)
        if len(at):
            taken = np.stack([action[step : step + block].ravel() for step in at])
            rows.append((np.c_[one[at], taken], one[at] - one[at - block], one[at + block] - one[at]))
    if len(rows) < 4:
        return 0.0
    half = len(rows) // 2
    fit, test = (tuple(np.concatenate(part) for part in zip(*some, strict=True)) for some in (rows[:half], rows[half:]))
    alone = _linear_error(fit[0], fit[2], test[0], test[2])
    both = _linear_error(np.c_[fit[0], fit[1]], fit[2], np.c_[test[0], test[1]], test[2])
    return max(0.0, 1 - both / max(alone, 1e-30))


def _linear_error(x: Floats, y: Floats, new: Floats, actual: Floats) -> float:
    """Return the mean squared error of a ridge regression ``x -> y`` on other rows."""
    mean, std = x.mean(axis=0), np.maximum(x.std(axis=0), 1e-9)
    fitted, asked = (np.c_[(one - mean) / std, np.ones(len(one))] for one in (x, new))
    solved = np.linalg.solve(fitted.T @ fitted + PENALTY * len(x) * np.eye(fitted.shape[1]), fitted.T @ y)
    return float(np.square(asked @ solved - actual).mean())


def _fixed(values: list[Floats]) -> float:
    """Return the share of components whose still values differ between episodes."""
    still = np.stack([one.std(axis=0) < STILL for one in values])
    means = np.stack([one.mean(axis=0) for one in values])
    count = still.sum(axis=0)
    middle = np.where(still, means, 0).sum(axis=0) / np.maximum(count, 1)
    apart = np.sqrt(np.where(still, np.square(means - middle), 0).sum(axis=0) / np.maximum(count, 1))
    return float(((count > 1) & (apart > DIFFERENT)).mean())
