"""Random rectangles on a grid that leave enough tokens free in all batches and processes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import sqrt

import numpy as np

from tacit.errors import ConfigError
from tacit.masking._draw import Bools, Ints, uniform

__all__ = ["Layouts", "Rectangles", "draw_size", "settle"]

POOL = 64
"""Number of layouts that every process draws alike, to estimate how many tokens such a layout leaves free."""
TAIL = 0.05
"""Share of the layouts in each tail (fewest and most free tokens) that is not used."""
ROUNDS = 20
"""Limit on redraws, of sizes without a valid layout and of layouts with too few or too many free tokens."""


def draw_size(
    rng: np.random.Generator,
    grid: tuple[int, int],
    scale: tuple[float, float],
    aspect: tuple[float, float],
    largest: tuple[int, int],
) -> tuple[int, int]:
    """Draw height and width in tokens of a rectangle with random area share and aspect.

    A rectangle that would exceed ``largest`` along one axis is cut there and grows along the other.

    Args:
        rng: Source of randomness.
        grid: Tokens ``(H, W)``.
        scale: Range of the share of the tokens.
        aspect: Range of height over width.
        largest: The largest height and width.
    """
    area = uniform(rng, scale) * grid[0] * grid[1]
    height = min(sqrt(area * uniform(rng, aspect)), largest[0])
    width = min(area / height, largest[1])
    height = min(area / width, largest[0])
    return max(round(height), 1), max(round(width), 1)


@dataclass(frozen=True)
class Rectangles:
    """Context rectangle and target rectangles of given sizes, with random places.

    A layout is the top left corner of each, the context's first: ``[1 + blocks, 2]``. Each place within the grid
    is equally likely for each rectangle.

    Attributes:
        grid: Tokens ``(H, W)``.
        context: Height and width of the context rectangle.
        target: Height and width of each target rectangle.
        blocks: The number of target rectangles.
    """

    grid: tuple[int, int]
    context: tuple[int, int]
    target: tuple[int, int]
    blocks: int

    @property
    def area(self) -> int:
        """Return the number of tokens of the grid."""
        return self.grid[0] * self.grid[1]

    @property
    def sizes(self) -> Ints:
        """Return height and width of each rectangle, the context's first: ``[1 + blocks, 2]``."""
        return np.array([self.context, *[self.target] * self.blocks])

    def draw(self, rng: np.random.Generator, count: int) -> Ints:
        """Draw layouts ``[count, 1 + blocks, 2]``."""
        highest = np.array(self.grid) - self.sizes
        return rng.integers(0, highest, size=(count, *highest.shape), endpoint=True)

    def free(self, corners: Ints) -> Bools:
        """Return the tokens ``[B, H * W]`` of each layout's context rectangle that no target covers."""
        first, end = corners[..., None], (corners + self.sizes)[..., None]
        height, width = (np.arange(length) for length in self.grid)
        rows = ((height >= first[:, :, 0]) & (height < end[:, :, 0]))[:, :, :, None]
        columns = ((width >= first[:, :, 1]) & (width < end[:, :, 1]))[:, :, None, :]
        free: Bools = rows[:, 0] & columns[:, 0]
        for block in range(1, 1 + self.blocks):
            free &= ~(rows[:, block] & columns[:, block])
        return free.reshape(len(corners), self.area)

    def draw_within(self, rng: np.random.Generator, count: int, low: int, high: int) -> tuple[Ints, Bools, Bools]:
        """Draw layouts, a bounded number of times until they leave ``low`` to ``high`` tokens free.

        Returns:
            Layouts ``[count, 1 + blocks, 2]``, their free tokens ``[count, H * W]``, and their validity ``[count]``.
        """
        corners = self.draw(rng, count)
        free = self.free(corners)
        fits = _within(free, low, high)
        for _ in range(ROUNDS):
            again = np.flatnonzero(~fits)
            if not len(again):
                break
            corners[again] = self.draw(rng, len(again))
            free[again] = self.free(corners[again])
            fits[again] = _within(free[again], low, high)
        return corners, free, fits


def _within(free: Bools, low: int, high: int) -> Bools:
    counts = free.sum(axis=1)
    within: Bools = (counts >= low) & (counts <= high)
    return within


@dataclass(frozen=True)
class Layouts:
    """Places of the rectangles of a batch.

    Attributes:
        rectangles: Their sizes.
        corners: ``[B, 1 + blocks, 2]``.
        free: ``[B, H * W]`` tokens of the context rectangle that no target covers.
        fewest: Minimum of free tokens over all items of all processes.
        most: Maximum of free tokens.
    """

    rectangles: Rectangles
    corners: Ints
    free: Bools
    fewest: int
    most: int


def settle(
    method: str,
    draw: Callable[[np.random.Generator], Rectangles],
    min_keep: int,
    batch: int,
    streams: tuple[np.random.Generator, np.random.Generator],
) -> Layouts:
    """Draw layouts that all leave nearly the same number of tokens free.

    The number of free tokens of a layout depends on the overlap of its rectangles, but all processes must keep equally
    many. So all draw the same layouts first and drop the tails of their counts; then each process draws its own layouts
    repeatedly until they lie within. A layout that never does is replaced by one of the first.

    Args:
        method: Name of the calling method, for messages.
        draw: Draws the sizes.
        min_keep: Fewest tokens to leave free.
        batch: Layouts B.
        streams: The random stream that all processes share, and that of this process.

    Raises:
        ConfigError: if no layout leaves enough tokens; on all processes.
    """
    shared, own = streams
    for _ in range(ROUNDS):
        rectangles = draw(shared)
        pool, free, fits = rectangles.draw_within(shared, POOL, min_keep, rectangles.area)
        if fits.any():
            break
    else:
        height, width = rectangles.target
        raise ConfigError(
            f"{method} finds no place for {rectangles.blocks} targets of {height} x {width} tokens on a grid of "
            f"{rectangles.grid[0]} x {rectangles.grid[1]} that leaves {min_keep} tokens of context. "
            "Lower blocks, scale or min_keep, or take smaller patches."
        )
    counts = np.sort(free[fits].sum(axis=1))
    tail = int(TAIL * len(counts))
    low, high = int(counts[tail]), int(counts[-1 - tail])
    pool = pool[_within(free, low, high)]
    corners, free, fits = rectangles.draw_within(own, batch, low, high)
    missing = np.flatnonzero(~fits)
    corners[missing] = pool[own.integers(len(pool), size=len(missing))]
    free[missing] = rectangles.free(corners[missing])
    return Layouts(rectangles, corners, free, low, high)
