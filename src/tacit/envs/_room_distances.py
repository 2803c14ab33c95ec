"""Shortest ways of a disc through a grid of rooms, exact in the metric of its steps.

A step moves the disc by up to its speed along both axes at once, so the length of a straight way is its larger
component. In this metric a passage through a wall costs its length wherever the disc enters and leaves it, as long as
the passage is at least as long as its opening is wide (:class:`tacit.envs.Rooms` refuses others). The distance to a
goal from everywhere in a door is then one number, and shortest ways are paths in a graph of doors.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tacit.envs._room_grid import Floats, Grid, Indices

__all__ = ["Distances", "door_points"]

LEFT, RIGHT, UP, DOWN = range(4)
"""The sides of a room, in the order of its doors."""


@dataclass(frozen=True)
class _Anchors:
    """Positions as their rooms see them.

    From a room, a position in one of its passages is an interval of the door at the price of the way to it. A position
    has two anchors: in a passage one in each of its rooms, in a room the second has an infinite price.

    Attributes:
        column: ``[N, 2]`` the room.
        row: ``[N, 2]``.
        box: ``[N, 2, 4]`` lowest x, highest x, lowest y and highest y.
        price: ``[N, 2]``.
        passage: ``[N]`` -1 in a room, 0 in a passage to the right of the first room, 1 in one below it.
    """

    column: Indices
    row: Indices
    box: Floats
    price: Floats
    passage: Indices


class Distances:
    """Distances to one goal in each of ``B`` worlds.

    Args:
        grid: The worlds.
        goals: ``[B, 2]`` positions in their free space.
    """

    def __init__(self, grid: Grid, goals: Floats) -> None:
        self._grid, self._goals = grid, goals
        self._doors, self._open = _doors(grid)
        worlds = np.arange(len(goals))
        self._anchors = _anchors(grid, worlds, goals)
        self._beyond = self._solved(worlds)

    def __call__(self, worlds: Indices, positions: Floats) -> Floats:
        """Return the lengths ``[N]`` of the shortest ways from ``positions [N, 2]`` in the given worlds ``[N]``."""
        here, there = _anchors(self._grid, worlds, positions), self._anchors
        found = np.full(len(worlds), np.inf)
        for one in (0, 1):
            at = (worlds, here.row[:, one], here.column[:, one])
            by_door = _gap(here.box[:, one, None], self._doors[at]) + self._beyond[at]
            found = np.minimum(found, here.price[:, one] + by_door.min(axis=1))
            for two in (0, 1):
                same = (here.row[:, one] == there.row[worlds, two]) & (here.column[:, one] == there.column[worlds, two])
                direct = _gap(here.box[:, one], there.box[worlds, two]) + here.price[:, one] + there.price[worlds, two]
                found = np.where(same, np.minimum(found, direct), found)
        together = (here.passage == there.passage[worlds]) & (here.passage >= 0)
        together &= (here.row[:, 0] == there.row[worlds, 0]) & (here.column[:, 0] == there.column[worlds, 0])
        straight = np.abs(positions - self._goals[worlds]).max(axis=1)
        return np.where(together, np.minimum(found, straight), found)

    def _solved(self, worlds: Indices) -> Floats:
        """Return the distance ``[B, R, C, 4]`` to the goal from each door of each room when it leaves the room."""
        doors, goal = self._doors, self._anchors
        across = _gap(doors[..., :, None, :], doors[..., None, :, :])
        direct = np.full(doors.shape[:-1], np.inf)
        for one in (0, 1):
            at = (worlds, goal.row[:, one], goal.column[:, one])
            direct[at] = np.minimum(direct[at], _gap(doors[at], goal.box[:, one, None]) + goal.price[:, one, None])
        beyond, passage = np.full_like(direct, np.inf), self._grid.passage[:, None, None]
        while True:
            inside = np.minimum(direct, (across + beyond[..., None, :]).min(axis=-1))
            further = np.full_like(beyond, np.inf)
            further[:, :, :-1, RIGHT], further[:, :, 1:, LEFT] = inside[:, :, 1:, LEFT], inside[:, :, :-1, RIGHT]
            further[:, :-1, :, DOWN], further[:, 1:, :, UP] = inside[:, 1:, :, UP], inside[:, :-1, :, DOWN]
            further = np.where(self._open, further + passage[..., None], np.inf)
            if np.array_equal(further, beyond):
                return beyond
            beyond = further


def door_points(grid: Grid, positions: Floats) -> Floats:
    """Return the nearest point ``[B, 4, 2]`` of each door of the rooms of positions; 0 where there is no door."""
    column, row = grid.cells(positions)
    boxes = _doors(grid)[0][np.arange(len(positions)), row, column]
    return np.clip(positions[:, None], boxes[..., 0::2], boxes[..., 1::2])


def _doors(grid: Grid) -> tuple[Floats, npt.NDArray[np.bool_]]:
    """Return the doors of each room as boxes ``[B, R, C, 4, 4]``, and flags of those that exist.

    A box lies on the side of the wall on which the room is.
    """
    (low_x, low_y), (high_x, high_y) = grid.low, grid.high
    (from_y, to_y), (from_x, to_x) = grid.gates[0], (gate.swapaxes(1, 2) for gate in grid.gates[1])
    shape = (len(low_x), grid.rows, grid.columns)
    boxes = np.empty((*shape, 4, 4))
    for side, x, first in ((LEFT, low_x, 0), (RIGHT, high_x, 1)):
        columns = slice(first, first + grid.columns)
        boxes[..., side, 0] = boxes[..., side, 1] = x[:, None, :]
        boxes[..., side, 2], boxes[..., side, 3] = from_y[:, :, columns], to_y[:, :, columns]
    for side, y, first in ((UP, low_y, 0), (DOWN, high_y, 1)):
        rows = slice(first, first + grid.rows)
        boxes[..., side, 2] = boxes[..., side, 3] = y[:, :, None]
        boxes[..., side, 0], boxes[..., side, 1] = from_x[:, rows], to_x[:, rows]
    exists = np.asarray(np.isfinite(boxes).all(axis=-1))
    return np.where(exists[..., None], boxes, 0.0), exists


def _anchors(grid: Grid, worlds: Indices, position: Floats) -> _Anchors:
    """Return the anchors of positions ``[N, 2]``."""
    cells = grid.cells(position, worlds)
    rest = [position[:, axis] - grid.high[axis][worlds, cells[axis]] for axis in (0, 1)]
    passage = np.where(rest[0] > 0, 0, np.where(rest[1] > 0, 1, -1))
    box = np.repeat(np.repeat(position, 2, axis=1)[:, None], 2, axis=1)
    price = np.zeros((len(position), 2))
    price[passage < 0, 1] = np.inf
    place = [np.stack([cell, cell], axis=1) for cell in cells]
    for axis in (0, 1):
        some = np.flatnonzero(passage == axis)
        if not len(some):
            continue
        world, cell, other = worlds[some], cells[axis][some], cells[1 - axis][some]
        ways = np.stack([rest[axis][some], grid.low[axis][world, cell + 1] - position[some, axis]], axis=1)
        ends = np.stack([grid.high[axis][world, cell], grid.low[axis][world, cell + 1]], axis=1)
        begin, end = (gate[world, other, cell + 1][:, None] for gate in grid.gates[axis])
        box[some, :, 2 * axis] = box[some, :, 2 * axis + 1] = ends
        box[some, :, 2 * (1 - axis)] = np.maximum(position[some, 1 - axis, None] - ways, begin)
        box[some, :, 2 * (1 - axis) + 1] = np.minimum(position[some, 1 - axis, None] + ways, end)
        price[some] = ways
        place[axis][some, 1] += 1
    return _Anchors(place[0], place[1], box, price, passage)


def _gap(one: Floats, other: Floats) -> Floats:
    """Return the distance of boxes ``[..., 4]``, the larger of their gaps along x and along y."""
    x = np.maximum(one[..., 0] - other[..., 1], other[..., 0] - one[..., 1])
    y = np.maximum(one[..., 2] - other[..., 3], other[..., 2] - one[..., 3])
    return np.maximum(np.maximum(x, y), 0.0)
