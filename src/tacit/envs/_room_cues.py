"""Cues of grids of rooms: a colored edge of the image names one of four goals for some steps."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from tacit.envs._room_grid import BORDER, WORLD, Floats, Grid
from tacit.errors import ConfigError
from tacit.types import State

__all__ = ["CUES", "checked_cue", "cue_labels", "cued_goals", "draw_cues", "hidden", "paint_cues"]

CUES = 4
COLORS = np.array([(220, 40, 40), (40, 180, 60), (50, 90, 230), (240, 180, 30)], np.uint8)


def checked_cue(cue: Sequence[int] | None) -> tuple[int, int] | None:
    """Return the first step and the number of steps of a cue.

    Raises:
        ConfigError: if they are none.
    """
    if cue is None:
        return None
    whole = isinstance(cue, Sequence) and all(isinstance(one, int) and not isinstance(one, bool) for one in cue)
    if not whole or len(cue) != 2 or cue[0] < 0 or cue[1] < 1:
        raise ConfigError(
            f"goal_cue is the step at which a cue appears and the number of steps that it stays, such as (10, 5); got "
            f"{cue!r}."
        )
    return cue[0], cue[1]


def draw_cues(rng: np.random.Generator, count: int) -> Floats:
    """Draw the cues ``[B, 2]`` of new episodes: the number of the goal, and the steps since the start."""
    return np.stack([rng.integers(0, CUES, count), np.zeros(count)], axis=1).astype(np.float64)


def cued_goals(grid: Grid, cue: Floats) -> Floats:
    """Return the goals ``[B, 2]`` of cues ``[B, 2]``: the middles of the rooms in the corners, row by row."""
    which, worlds = cue[:, 0].astype(np.int64), np.arange(len(cue))
    middles = [(low + high) / 2 for low, high in zip(grid.low, grid.high, strict=True)]
    return np.stack([middles[0][worlds, -(which % 2)], middles[1][worlds, -(which // 2)]], axis=1)


def cue_labels(cue: npt.NDArray[np.float64]) -> npt.NDArray[np.float32]:
    """Return ``[B, 4]``, 1 for the goal of the cue and 0 for the others."""
    return np.eye(CUES, dtype=np.float32)[cue[:, 0].astype(np.int64)]


def hidden(cue: Floats, when: tuple[int, int]) -> Floats:
    """Return cues ``[B, 2]`` that are no longer shown."""
    return np.stack([cue[:, 0], np.full(len(cue), float(sum(when)))], axis=1)


def paint_cues(frames: npt.NDArray[np.uint8], state: State, when: tuple[int, int]) -> None:
    """Paint the edges of images ``[B, 3, size, size]`` in the color of the cue where it is shown, in place.

    Args:
        frames: Images.
        state: States with cues.
        when: The step at which a cue appears, and the number of steps that it stays.
    """
    cue, size = np.asarray(state["cue"], np.float64), frames.shape[-1]
    shown = np.flatnonzero((cue[:, 1] >= when[0]) & (cue[:, 1] < sum(when)))
    width = max(round(size * BORDER / WORLD), 1)
    edge = np.ones((size, size), np.bool_)
    edge[width:-width, width:-width] = False
    colors = COLORS[cue[shown, 0].astype(np.int64)]
    frames[shown] = np.where(edge, colors[:, :, None, None], frames[shown])
