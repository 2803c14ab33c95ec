"""Antialiased images of a table, an object and a screen, drawn from states alone."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from tacit.envs._table_physics import GROUND, LEG, NORMALS, OFFSETS, SHAPES, SLAB, WORLD
from tacit.types import State

__all__ = ["frames"]

Floats = npt.NDArray[np.float64]
INK = (70.0, 70.0, 78.0)
SCREEN = (120.0, 150.0, 120.0)
SCREEN_TOP = 8.0


def frames(state: State, size: int) -> npt.NDArray[np.uint8]:
    """Render images ``[B, 3, size, size]``. A pixel has the colour of the shapes by the area that they cover."""
    given = {name: np.asarray(values, np.float64) for name, values in state.items()}
    count = len(given["book"])
    image = np.broadcast_to(given["background_color"][:, :, None, None], (count, 3, size, size)).copy()
    everywhere = np.zeros(count), np.full(count, WORLD)
    _paint(image, _rectangle(*everywhere, np.full(count, GROUND), everywhere[1], size), np.tile(INK, (count, 1)))
    _paint(image, _table(given, size), given["table_color"])
    _paint(image, _object(given, size) * given["visible"][:, :, None], given["book_color"])
    middle, half = given["screen"][:, 0], given["screen"][:, 1] / 2
    top, bottom = np.full(count, SCREEN_TOP), np.full(count, GROUND)
    _paint(image, _rectangle(middle - half, middle + half, top, bottom, size), np.tile(SCREEN, (count, 1)))
    return (image + 0.5).astype(np.uint8)


def _paint(image: Floats, cover: Floats, color: Floats) -> None:
    """Draw a colour ``[B, 3]`` on images with a cover ``[B, size, size]``, in place."""
    image += cover[:, None] * (color[:, :, None, None] - image)


def _rectangle(left: Floats, right: Floats, top: Floats, bottom: Floats, size: int) -> Floats:
    """Return the covered share of each pixel, exactly; edges ``[B]`` are in units of the world."""
    edge = np.arange(size) * (WORLD / size)

    def along(low: Floats, high: Floats) -> Floats:
        overlap = np.minimum(edge + WORLD / size, high[:, None]) - np.maximum(edge, low[:, None])
        return np.asarray(np.clip(overlap * (size / WORLD), 0.0, 1.0))

    return np.asarray(along(top, bottom)[:, :, None] * along(left, right)[:, None, :])


def _table(given: dict[str, Floats], size: int) -> Floats:
    """Return the cover of the top and of both legs."""
    x, half = given["table"][:, 0], given["table_width"][:, 0] / 2
    top = GROUND - given["table_height"][:, 0]
    ground = np.full(len(x), GROUND)
    cover = _rectangle(x - half, x + half, top, top + SLAB, size)
    cover += _rectangle(x - half, x - half + LEG, top + SLAB, ground, size)
    cover += _rectangle(x + half - LEG, x + half, top + SLAB, ground, size)
    return np.asarray(np.minimum(cover, 1.0) * (1.0 - given["removed"][:, :, None]))


def _object(given: dict[str, Floats], size: int) -> Floats:
    """Return the cover of the object, from the signed distance of each pixel's centre to its edge."""
    center = (np.arange(size) + 0.5) * (WORLD / size)
    across = center[None, None, :] - given["book"][:, 0, None, None]
    down = center[None, :, None] - given["book"][:, 1, None, None]
    cosine, sine = np.cos(given["book"][:, 2, None, None]), np.sin(given["book"][:, 2, None, None])
    local = np.stack([cosine * across + sine * down, cosine * down - sine * across], axis=-1)
    scale = given["size"][:, 0, None, None]
    distance = np.empty((len(across), size, size))
    kinds = given["shape"][:, 0].astype(np.int64)
    for kind, corners in enumerate(SHAPES.values()):
        rows = np.flatnonzero(kinds == kind)
        if isinstance(corners, float):
            distance[rows] = np.linalg.norm(local[rows], axis=-1) - corners * scale[rows]
        elif len(rows):
            planes = local[rows] @ NORMALS[kind].T - OFFSETS[kind] * scale[rows][..., None]
            distance[rows] = planes.max(axis=-1)
    return np.asarray(np.clip(0.5 - distance * (size / WORLD), 0.0, 1.0))
