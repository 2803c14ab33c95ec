"""Unpredictable detail of images: kinds of it, each with a state that moves by chance."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Protocol

import numpy as np
import numpy.typing as npt

__all__ = ["DETAILS", "Detail"]

Floats = npt.NDArray[np.float64]


class Detail(Protocol):
    """A kind of detail. Its state is a vector of ``K`` numbers for each world.

    Attributes:
        beside: Whether it stands to the right of an image, which becomes twice as wide, instead of over it.
    """

    beside: ClassVar[bool]

    def first(self, generator: np.random.Generator) -> Floats:
        """Draw a state ``[K]``."""

    def following(self, values: Floats, generator: np.random.Generator) -> Floats:
        """Draw the state ``[K]`` one step later."""

    def label(self, values: Floats) -> Floats:
        """Return what an image shows of states ``[B, K]``, as numbers ``[B, L]``."""

    def paint(self, images: Floats, values: Floats) -> Floats:
        """Return images ``[B, C, H, W]`` with the detail; of noise, the half beside them."""


class Noise:
    """A square of blocks whose greys are drawn anew at each step."""

    beside: ClassVar[bool] = True
    blocks: ClassVar[int] = 8

    def first(self, generator: np.random.Generator) -> Floats:
        """See :class:`Detail`."""
        return generator.uniform(0.0, 1.0, self.blocks**2)

    def following(self, values: Floats, generator: np.random.Generator) -> Floats:
        """See :class:`Detail`."""
        del values
        return self.first(generator)

    def label(self, values: Floats) -> Floats:
        """Return the greys, from 0 to 1."""
        return values

    def paint(self, images: Floats, values: Floats) -> Floats:
        """See :class:`Detail`."""
        rows, columns = (np.arange(size) * self.blocks // size for size in images.shape[2:])
        greys = 255 * values.reshape(-1, 1, self.blocks, self.blocks)[:, :, rows[:, None], columns]
        return np.broadcast_to(greys, images.shape)


class Rain:
    """Drops that fall; each disappears at a random step and another one appears anywhere.

    The state holds the places of the drops as shares of the image, all columns before all rows.
    """

    beside: ClassVar[bool] = False
    drops: ClassVar[int] = 16
    size: ClassVar[tuple[float, float]] = (0.04, 0.10)
    """Width and height of a drop, shares of the image."""
    fall: ClassVar[float] = 0.06
    gone: ClassVar[float] = 0.25
    """The probability that a drop disappears at a step."""
    color: ClassVar[tuple[float, float, float]] = (70.0, 120.0, 210.0)
    cells: ClassVar[int] = 4

    def first(self, generator: np.random.Generator) -> Floats:
        """See :class:`Detail`."""
        return generator.uniform(0.0, 1.0, 2 * self.drops)

    def following(self, values: Floats, generator: np.random.Generator) -> Floats:
        """See :class:`Detail`."""
        column, row = values.reshape(2, -1)
        fallen, anew = row + self.fall, self.first(generator).reshape(2, -1)
        lost = (generator.uniform(size=self.drops) < self.gone) | (fallen > 1.0)
        return np.where(lost, anew, np.stack([column, fallen])).ravel()

    def label(self, values: Floats) -> Floats:
        """Return the number of drops in each cell of a grid over the image."""
        column, row = self._places(np.minimum((values * self.cells).astype(int), self.cells - 1))
        there = (row * self.cells + column)[:, :, None] == np.arange(self.cells**2)
        return np.asarray(there.sum(axis=1), np.float64)

    def paint(self, images: Floats, values: Floats) -> Floats:
        """See :class:`Detail`."""
        height, width = images.shape[2:]
        column, row = self._places(values)
        across = np.abs((np.arange(width) + 0.5) / width - column[:, :, None]) < self.size[0] / 2
        down = np.abs((np.arange(height) + 0.5) / height - row[:, :, None]) < self.size[1] / 2
        wet = (down[:, :, :, None] & across[:, :, None, :]).any(axis=1)
        color = np.resize(self.color, images.shape[1])[:, None, None]
        return np.where(wet[:, None], color, images)

    @staticmethod
    def _places(values: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """Return columns and rows ``[2, B, drops]``."""
        return values.reshape(len(values), 2, -1).swapaxes(0, 1)


class Texture:
    """Waves of fixed direction and color over the image, whose phases walk at random."""

    beside: ClassVar[bool] = False
    waves: ClassVar[Floats] = np.array([[2.0, 1.0], [-1.0, 3.0], [4.0, -2.0]])
    colors: ClassVar[Floats] = np.array([[1.0, -0.5, 0.2], [-0.3, 1.0, -0.6], [0.4, 0.3, 1.0]])
    share: ClassVar[float] = 0.4
    pace: ClassVar[float] = 0.0
    walk: ClassVar[float] = 1.0
    """The standard deviation of the change of a phase at a step, in radians."""

    def first(self, generator: np.random.Generator) -> Floats:
        """See :class:`Detail`."""
        return generator.uniform(0.0, 2 * np.pi, len(self.waves))

    def following(self, values: Floats, generator: np.random.Generator) -> Floats:
        """See :class:`Detail`."""
        moved = values + self.pace + self.walk * generator.normal(size=len(values))
        return np.asarray(moved % (2 * np.pi))

    def label(self, values: Floats) -> Floats:
        """Return cosines and sines of the phases."""
        return np.concatenate([np.cos(values), np.sin(values)], axis=1)

    def paint(self, images: Floats, values: Floats) -> Floats:
        """See :class:`Detail`."""
        rows, columns = (2 * np.pi * np.arange(size) / size for size in images.shape[2:])
        angle = self.waves[:, 0, None, None] * rows[:, None] + self.waves[:, 1, None, None] * columns
        colors = np.resize(self.colors, (len(self.waves), images.shape[1]))
        waves = np.einsum("bnhw,nc->bchw", np.cos(angle + values[:, :, None, None]), colors) / len(self.waves)
        return np.asarray(images + self.share * (127.5 + 127.5 * waves - images))


class Drift(Texture):
    """The same waves at a constant pace: detail that a model can predict."""

    pace: ClassVar[float] = 0.3
    walk: ClassVar[float] = 0.0


DETAILS: Mapping[str, Detail] = {"noise": Noise(), "rain": Rain(), "texture": Texture(), "drift": Drift()}
