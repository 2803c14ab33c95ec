"""Random rectangles on a grid, so drawn that all of a batch, and of all processes, leave enough tokens."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import sqrt

import numpy as np

from tacit.errors import ConfigError
from tacit.masking._draw import Bools, Ints, uniform

__all__ = ["Layouts", "Rectangles", "draw_size", "settle"]

POOL = 64
"""Layouts that every process draws alike, to learn how many tokens a layout of these sizes leaves free."""
TAIL = 0.05
"""Share of the layouts that is not used because they leave the fewest tokens free, and of those that leave most."""
ROUNDS = 20
"""How often sizes are drawn again for which there is no layout, and a layout that leaves too few tokens or too many."""


def draw_size(
    rng: np.random.Generator,
    grid: tuple[int, int],
    scale: tuple[float, float],
    aspect: tuple[float, float],
    largest: tuple[int, int],
) -> tuple[int, int]:
    """Height and width in tokens of a rectangle that has a random share of the grid and a random aspect.

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
    """One context rectangle and some target rectangles of given sizes, at places that are drawn.

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
        """Tokens of the grid."""
        return self.grid[0] * self.grid[1]

    @property
    def sizes(self) -> Ints:
        """Height and width of each rectangle, the context's first: ``[1 + blocks, 2]``."""
        return np.array([self.context, *[self.target] * self.blocks])

    def draw(self, rng: np.random.Generator, count: int) -> Ints:
        """Layouts ``[count, 1 + blocks, 2]``."""
        highest = np.array(self.grid) - self.sizes
        return rng.integers(0, highest, size=(count, *highest.shape), endpoint=True)

    def free(self, corners: Ints) -> Bools:
        """Tokens ``[B, H * W]`` of the context rectangle of each layout that no target covers."""
        first, end = corners[..., None], (corners + self.sizes)[..., None]
        height, width = (np.arange(length) for length in self.grid)
        rows = ((height >= first[:, :, 0]) & (height < end[:, :, 0]))[:, :, :, None]
        columns = ((width >= first[:, :, 1]) & (width < end[:, :, 1]))[:, :, None, :]
        free: Bools = rows[:, 0] & columns[:, 0]
        for block in range(1, 1 + self.blocks):
            free &= ~(rows[:, block] & columns[:, block])
        return free.reshape(len(corners), self.area)

    def draw_within(self, rng: np.random.Generator, count: int, low: int, high: int) -> tuple[Ints, Bools, Bools]:
        """Layouts, drawn again a bounded number of times where they do not leave ``low`` to ``high`` tokens free.

        Returns:
            Layouts ``[count, 1 + blocks, 2]``, their free tokens ``[count, H * W]``, and which do, ``[count]``.
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
    """Where the rectangles of a batch lie.

    Attributes:
        rectangles: Their sizes.
        corners: ``[B, 1 + blocks, 2]``.
        free: ``[B, H * W]`` tokens of the context rectangle that no target covers.
        fewest: The fewest that are free for any item of any process.
        most: The most.
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
    """Layouts that all leave nearly the same number of tokens free.

    How many tokens a layout leaves depends on where its rectangles overlap, but all processes must keep equally
    many. So all draw the same layouts first and drop the tails of their counts; then each draws layouts of its own,
    again and again, until they lie within. One that never does becomes one of the first.

    Args:
        method: Who asks, for messages.
        draw: Draws the sizes.
        min_keep: Fewest tokens to leave free.
        batch: Layouts B.
        streams: What all processes draw alike, and what this one draws for itself.

    Raises:
        ConfigError: if no layout leaves enough tokens; on all processes alike.
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
