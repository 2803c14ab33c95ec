"""Geometry of a grid of rooms: where its walls and doors are, and how a disc moves between them."""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from tacit.types import State

__all__ = ["BORDER", "GEOMETRY", "WORLD", "Floats", "Grid", "Indices", "door_sizes", "draw_doors", "room_extents"]

Floats: TypeAlias = npt.NDArray[np.float64]
Indices: TypeAlias = npt.NDArray[np.int64]

WORLD = 64.0
BORDER = 2.0
GEOMETRY = ("door_right", "door_down", "wall_thickness", "door_size", "agent_radius")
"""The entries of a state that say where the disc can be."""


def room_extents(count: int, thickness: Floats) -> tuple[Floats, Floats]:
    """Return where the spans of ``count`` equal rooms begin and end along one axis, ``[B, count]`` each.

    Args:
        count: Rooms along the axis.
        thickness: ``[B]`` thickness of the walls between them.
    """
    width = ((WORLD - 2 * BORDER - (count - 1) * thickness) / count)[:, None]
    low = BORDER + np.arange(count) * (width + thickness[:, None])
    return low, low + width


def door_sizes(size: Floats, spans: tuple[Floats, Floats]) -> Floats:
    """Return the widths ``[B]`` of doors: as asked for, or as wide as the room where that is narrower."""
    low, high = spans
    return np.minimum(size, (high - low)[:, 0])


def place_doors(places: Floats, size: Floats, spans: tuple[Floats, Floats]) -> Floats:
    """Return the centres ``[B, n, m]`` of doors, 0 where there is none.

    Args:
        places: ``[B, n, m]`` above 0 and at most 1, the place along the wall; 0 where there is no door.
        size: ``[B]`` widths of the doors as asked for.
        spans: Begin and end ``[B, n]`` of the rooms along the wall.
    """
    low, high = (bound[:, :, None] for bound in spans)
    half = door_sizes(size, spans)[:, None, None] / 2
    return np.where(places > 0, low + half + places * (high - low - 2 * half), 0.0)


def draw_doors(rng: np.random.Generator, rows: int, columns: int, extra: float) -> tuple[Floats, Floats]:
    """Draw which walls have a door, and where along the wall it is.

    A random spanning tree makes every room reachable; each other wall has a door with probability ``extra``.

    Returns:
        ``[rows, columns - 1]`` for the walls to the right of a room and ``[rows - 1, columns]`` for those below it: a
        number above 0 and at most 1, the place of the door along the wall; 0 where there is no door.
    """
    across = rows * (columns - 1)
    rooms = np.arange(rows * columns).reshape(rows, columns)
    first = np.concatenate([rooms[:, :-1].ravel(), rooms[:-1].ravel()])
    second = np.concatenate([rooms[:, 1:].ravel(), rooms[1:].ravel()])
    group = np.arange(rows * columns)
    door = rng.random(len(first)) < extra
    for wall in rng.permutation(len(first)):
        one, other = group[first[wall]], group[second[wall]]
        if one != other:
            door[wall] = True
            group[group == other] = one
    place = np.where(door, 1.0 - rng.random(len(first)), 0.0)
    return place[:across].reshape(rows, columns - 1), place[across:].reshape(rows - 1, columns)


class Grid:
    """The free space of the disc's centre in grids of rooms, for ``[B]`` worlds at once.

    A room is a rectangle; a door is a rectangular passage between two rooms, as long as the wall is thick and two
    radii.

    Attributes:
        rows: Rooms ``R`` from top to bottom.
        columns: Rooms ``C`` from left to right.
        low: ``[B, C]`` and ``[B, R]``, the lowest x of the centre in each column and the lowest y in each row.
        high: The highest.
        gates: The lowest and the highest y of the centre in each passage from left to right, ``[B, R, C + 1]`` each,
            and the lowest and the highest x in those from top to bottom, ``[B, C, R + 1]``. The gate ``k`` of a row
            leads from its room ``k - 1`` to its room ``k``. A wall without a door has the interval from inf to -inf.
        passage: ``[B]`` the length of a passage.
    """

    def __init__(self, state: State) -> None:
        right, down, *column = (np.asarray(state[name], np.float64) for name in GEOMETRY)
        thickness, size, radius = (values[:, 0] for values in column)
        self.rows, self.columns = right.shape[1], down.shape[2]
        self.passage = thickness + 2 * radius
        counts = self.columns, self.rows
        spans = [room_extents(count, thickness) for count in counts]
        self.low = tuple(low + radius[:, None] for low, _ in spans)
        self.high = tuple(high - radius[:, None] for _, high in spans)
        doors = right, down.swapaxes(1, 2)
        self.gates = tuple(
            _gates(doors[axis], door_sizes(size, spans[1 - axis]) / 2 - radius, self.low[1 - axis], self.high[1 - axis])
            for axis in (0, 1)
        )
        self._worlds = np.arange(len(radius))

    def cells(self, position: Floats, worlds: Indices | None = None) -> tuple[Indices, Indices]:
        """Return column and row ``[N]`` of the room of each position ``[N, 2]``; a passage belongs to its first room.

        Args:
            position: Positions.
            worlds: ``[N]`` their worlds; None: one position for each world.
        """
        low = self.low if worlds is None else (self.low[0][worlds], self.low[1][worlds])
        column, row = ((position[:, axis, None] >= low[axis][:, 1:]).sum(axis=1) for axis in (0, 1))
        return column, row

    def move(self, position: Floats, step: Floats) -> Floats:
        """Return the positions ``[B, 2]`` after moving along x and then along y, each until a wall stops it."""
        x, y = position[:, 0], position[:, 1]
        x = self._slide(0, x, y, x + step[:, 0])
        y = self._slide(1, y, x, y + step[:, 1])
        return np.stack([x, y], axis=1)

    def sample(self, rng: np.random.Generator, rooms: Indices) -> Floats:
        """Draw positions ``[B, 2]`` uniform over a room of each world, numbered row by row."""
        cells = rooms % self.columns, rooms // self.columns
        spans = [
            (self.low[axis][self._worlds, cells[axis]], self.high[axis][self._worlds, cells[axis]]) for axis in (0, 1)
        ]
        return np.stack([rng.uniform(low, high) for low, high in spans], axis=1)

    def _slide(self, axis: int, along: Floats, across: Floats, target: Floats) -> Floats:
        """Return the coordinates along an axis after a move to ``target`` that walls stop."""
        low, high, rows = self.low[axis], self.high[axis], len(self.low[1 - axis][0])
        cell = (along[:, None] >= low[:, 1:]).sum(axis=1)
        other = (across[:, None] >= self.low[1 - axis][:, 1:]).sum(axis=1)
        count = low.shape[1]
        room, gate = self._worlds * count + cell, (self._worlds * rows + other) * (count + 1) + cell
        begin, end = (bound.reshape(-1) for bound in self.gates[axis])
        before = (begin[gate] <= across) & (across <= end[gate])
        after = (begin[gate + 1] <= across) & (across <= end[gate + 1])
        least, most = low.reshape(-1)[room - before], high.reshape(-1)[room + after]
        inside = across > self.high[1 - axis].reshape(-1)[self._worlds * rows + other]
        if inside.any():
            passage = (self._worlds * count + cell) * (rows + 1) + other + 1
            begin, end = (bound.reshape(-1) for bound in self.gates[1 - axis])
            least, most = np.where(inside, begin[passage], least), np.where(inside, end[passage], most)
        return np.asarray(np.minimum(np.maximum(target, least), most))


def _gates(doors: Floats, half: Floats, least: Floats, most: Floats) -> tuple[Floats, Floats]:
    """Return the free intervals ``[B, rows, columns + 1]`` of doors ``[B, rows, columns - 1]``, shut at both ends.

    They stay within the free intervals ``least`` to ``most [B, rows]`` of their rooms, up to the last bit.
    """
    outside = ((0, 0), (0, 0), (1, 1))
    low = np.where(doors > 0, np.maximum(doors - half[:, None, None], least[:, :, None]), np.inf)
    high = np.where(doors > 0, np.minimum(doors + half[:, None, None], most[:, :, None]), -np.inf)
    return np.pad(low, outside, constant_values=np.inf), np.pad(high, outside, constant_values=-np.inf)
