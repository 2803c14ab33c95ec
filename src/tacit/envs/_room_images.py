"""Images of a grid of rooms, rendered natively at any size: each pixel by the area that ground and marks cover."""

from __future__ import annotations

from colorsys import hsv_to_rgb

import numpy as np
import numpy.typing as npt

from tacit.envs._discs import Discs
from tacit.envs._room_cues import paint_cues
from tacit.envs._room_grid import WORLD, Floats, door_sizes, room_extents
from tacit.types import State

__all__ = ["Scene"]

MARK = 0.15
"""Half the side of a mark as a share of the smaller side of its room."""
GOLDEN = 0.618034
VIEW = 32.0
"""World units across in the egocentric view."""
DISTRACTOR_COLOR = (70.0, 110.0, 220.0)


class Scene:
    """Images of worlds whose layouts stay as they are.

    Args:
        state: States with these layouts.
        size: Height and width of an image.
        egocentric: Show the square around the disc instead of the world.
        cues: Draw a mark in the middle of every room.
        goal_cue: The step at which the cue of a goal appears and the number of steps that it stays.
    """

    def __init__(
        self, state: State, size: int, egocentric: bool, cues: bool, goal_cue: tuple[int, int] | None = None
    ) -> None:
        self._size, self._egocentric, self._cues, self._goal_cue = size, egocentric, cues, goal_cue
        self._still = None if egocentric else self._rooms(state)
        paper = self._still if self._still is not None else np.zeros((len(state["position"]), 3, size, size), np.uint8)
        radius = np.asarray(state["agent_radius"], np.float64) * (size / (VIEW if egocentric else WORLD))
        self._agent = Discs(paper, radius, np.asarray(state["agent_color"], np.float64))
        self._others = Discs(paper, radius, np.tile(DISTRACTOR_COLOR, (len(radius), 1)))

    def frames(self, state: State) -> npt.NDArray[np.uint8]:
        """Render images ``[B, 3, size, size]``."""
        frames = self._rooms(state) if self._still is None else self._still.copy()
        frame = self._frame(state)
        for index in range(state["distractors"].shape[1] if "distractors" in state else 0):
            self._others.draw(frames, frame.pixels(np.asarray(state["distractors"][:, index, :2], np.float64)))
        self._agent.draw(frames, frame.pixels(np.asarray(state["position"], np.float64)))
        if self._goal_cue:
            paint_cues(frames, state, self._goal_cue)
        return frames

    def _rooms(self, state: State) -> npt.NDArray[np.uint8]:
        return _rooms_image(state, self._frame(state), self._cues)

    def _frame(self, state: State) -> _Frame:
        position = np.asarray(state["position"], np.float64)
        if self._egocentric:
            return _Frame(self._size, VIEW, position - VIEW / 2)
        return _Frame(self._size, WORLD, np.zeros_like(position))


class _Frame:
    """The square of the world that an image shows, for ``B`` worlds.

    Args:
        size: Pixels along a side.
        span: World units along a side.
        corner: ``[B, 2]`` the top left corner in world units.
    """

    def __init__(self, size: int, span: float, corner: Floats) -> None:
        self._corner, self.scale, self._pixel = corner, size / span, span / size
        self._edges = corner[:, :, None] + np.arange(size) * self._pixel

    def pixels(self, position: Floats) -> Floats:
        """Return positions ``[B, 2]`` in pixels."""
        return (position - self._corner) * self.scale

    def cover(self, axis: int, low: Floats, high: Floats) -> Floats:
        """Return the share of each pixel along an axis that intervals ``[B, K]`` cover, ``[B, K, size]``."""
        edge = self._edges[:, axis, None]
        overlap = np.minimum(edge + self._pixel, high[:, :, None]) - np.maximum(edge, low[:, :, None])
        return np.clip(overlap * self.scale, 0.0, 1.0)


def _rooms_image(state: State, frame: _Frame, marked: bool) -> npt.NDArray[np.uint8]:
    """Render walls and spans ``[B, 3, size, size]``.

    Args:
        state: The states.
        frame: The part of the world to show.
        marked: Draw a mark of its own colour in the middle of every room.
    """
    right, down = (np.asarray(state[name], np.float64) for name in ("door_right", "door_down"))
    thickness, size = (np.asarray(state[name], np.float64)[:, 0] for name in ("wall_thickness", "door_size"))
    count, rows, columns = len(right), right.shape[1], down.shape[2]
    spans = room_extents(columns, thickness), room_extents(rows, thickness)
    covers = [frame.cover(axis, *spans[axis]) for axis in (0, 1)]
    ground = covers[1].sum(axis=1)[:, :, None] * covers[0].sum(axis=1)[:, None, :]
    for axis, doors in ((0, right), (1, down.swapaxes(1, 2))):
        along, across = spans[axis], spans[1 - axis]
        half = door_sizes(size, across)[:, None] / 2
        places = doors.reshape(count, -1)
        wall = frame.cover(axis, along[1][:, :-1], along[0][:, 1:])
        walls = np.broadcast_to(wall[:, None], (count, doors.shape[1], *wall.shape[1:])).reshape(
            count, places.shape[1], -1
        )
        gaps = frame.cover(1 - axis, places - half, places + half) * (places > 0)[:, :, None]
        vertical, horizontal = (gaps, walls) if axis == 0 else (walls, gaps)
        ground = ground + np.matmul(vertical.swapaxes(1, 2), horizontal)
    ink, paper = (np.asarray(state[name], np.float64) for name in ("wall_color", "background_color"))
    image = ink[:, :, None, None] + ground[:, None] * (paper - ink)[:, :, None, None]
    if marked:
        middles = [(low + high) / 2 for low, high in spans]
        reach = MARK * np.minimum(*((high - low)[:, :1] for low, high in spans))
        x, y = (frame.cover(axis, middles[axis] - reach, middles[axis] + reach) for axis in (0, 1))
        colors = np.asarray(_palette(rows, columns)) - paper[:, :, None, None]
        image = image + np.matmul(y.swapaxes(1, 2)[:, None], np.matmul(colors, x[:, None]))
    return np.asarray(image + 0.5, np.uint8)


def _palette(rows: int, columns: int) -> Floats:
    """Return a colour for each room, ``[3, R, C]`` in 0 to 255; neighbours differ in hue."""
    colors = [hsv_to_rgb(index * GOLDEN % 1.0, 0.55 + 0.15 * (index % 4), 0.9) for index in range(rows * columns)]
    return np.array(colors).T.reshape(3, rows, columns) * 255.0
