"""Physics of a table and an object on it in pymunk; one step is a pure function of state and action."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt

from tacit.errors import MissingExtra
from tacit.types import State

__all__ = [
    "GROUND",
    "LEG",
    "NORMALS",
    "OFFSETS",
    "REMOVE",
    "SHAPES",
    "SLAB",
    "WORLD",
    "advanced",
    "bottom_of",
    "load_pymunk",
]

Floats = npt.NDArray[np.float64]

WORLD, GROUND = 64.0, 58.0
"""Width and height of the world, and the height of the ground; y points down."""
SLAB, LEG = 3.0, 2.5
"""Thickness of the table top, and width of a leg."""
GRAVITY = 160.0
SUBSTEPS, SECONDS = 10, 0.01
TABLE_MASS, TABLE_FORCE, TABLE_DRAG = 6.0, 600.0, 0.96
"""Mass of the table, force of a full action, and share of its speed that remains after 0.01 s."""
BOOK_FORCE, FRICTION, ELASTICITY = 220.0, 0.9, 0.1
THICK = 4.0
WALLS = (
    ((-WORLD, GROUND + THICK), (2 * WORLD, GROUND + THICK)),
    ((-THICK, -WORLD), (-THICK, WORLD)),
    ((WORLD + THICK, -WORLD), (WORLD + THICK, WORLD)),
)
"""Ends of the middle lines of the ground and of both walls, and half of their thickness."""
REMOVE = 0.8
"""The table is removed by an action above this."""


def _regular(corners: int, radius: float) -> list[tuple[float, float]]:
    turns = [2 * math.pi * (corner + 0.5) / corners for corner in range(corners)]
    return [(radius * math.cos(turn), radius * math.sin(turn)) for turn in turns]


def _box(width: float, height: float) -> list[tuple[float, float]]:
    return [(x * width / 2, y * height / 2) for x, y in ((1, 1), (-1, 1), (-1, -1), (1, -1))]


SHAPES: dict[str, list[tuple[float, float]] | float] = {
    "book": _box(12.0, 5.0),
    "box": _box(8.0, 8.0),
    "ball": 4.5,
    "prism": _regular(6, 5.5),
}
"""Corners of each shape of size 1, or its radius. A state holds the number of a shape in this order."""


def _half_planes(corners: list[tuple[float, float]] | float) -> tuple[Floats, Floats]:
    """Return outward normals ``[k, 2]`` and offsets ``[k]`` of the edges of a convex polygon; none for a disc."""
    if isinstance(corners, float):
        return np.zeros((0, 2)), np.zeros(0)
    points = np.array(corners)
    edge = np.roll(points, -1, axis=0) - points
    normal = np.stack([edge[:, 1], -edge[:, 0]], axis=1) / np.linalg.norm(edge, axis=1)[:, None]
    return normal, (normal * points).sum(axis=1)


NORMALS, OFFSETS = zip(*(_half_planes(corners) for corners in SHAPES.values()), strict=True)


def bottom_of(shape: int, size: float) -> float:
    """Return the distance from the centre of an unturned object to its lowest point."""
    corners = list(SHAPES.values())[shape]
    return size * (corners if isinstance(corners, float) else max(y for _, y in corners))


def load_pymunk(purpose: str) -> Any:
    """Import and return the module ``pymunk``.

    Raises:
        MissingExtra: if the package is not installed.
    """
    try:
        import pymunk
    except ModuleNotFoundError as error:
        raise MissingExtra("pymunk", "physics", purpose) from error
    return pymunk


def advanced(pymunk: Any, state: State, action: npt.NDArray[np.float32], *, solid: bool = True) -> dict[str, Floats]:
    """Compute the states ``[B, ...]`` after one step of 0.1 s.

    Each world is simulated in a new space, so that the result depends on the arguments alone.

    Args:
        pymunk: The module.
        state: States of :class:`tacit.envs.TableAndBook`.
        action: ``[B, 3]``, clipped to -1 to 1.
        solid: The object collides with the table; False: it passes through.
    """
    after = {name: np.array(values, np.float64) for name, values in state.items()}
    pushes = np.clip(np.asarray(action, np.float64), -1.0, 1.0)
    after["removed"] = np.maximum(after["removed"], pushes[:, 2:] > REMOVE)
    for world in range(len(pushes)):
        one = {name: values[world] for name, values in after.items()}
        after["book"][world], after["table"][world] = _stepped(pymunk, one, pushes[world], solid)
    return after


def _stepped(pymunk: Any, one: dict[str, Floats], push: Floats, solid: bool) -> tuple[list[float], list[float]]:
    """Return ``book [6]`` and ``table [2]`` of one world after one step."""
    space = pymunk.Space()
    space.gravity, space.iterations, space.collision_slop = (0.0, GRAVITY), 20, 0.05
    for start, end in WALLS:
        wall = pymunk.Segment(space.static_body, start, end, THICK)
        wall.friction, wall.elasticity = FRICTION, ELASTICITY
        space.add(wall)
    book = _book(pymunk, space, one)
    table = None if one["removed"][0] else _table(pymunk, space, one, solid)
    for _ in range(SUBSTEPS):
        book.force = (push[1] * BOOK_FORCE, 0.0)
        if table is not None:
            table.force = (push[0] * TABLE_FORCE, 0.0)
        space.step(SECONDS)
        if table is not None:
            half, height = one["table_width"][0] / 2, table.position.y
            x = min(max(table.position.x, half), WORLD - half)
            speed = table.velocity.x * TABLE_DRAG if x == table.position.x else 0.0
            table.position, table.velocity = (x, height), (speed, 0.0)
    (x, y), (speed, fall) = book.position, book.velocity
    moved = [x, y, book.angle, speed, fall, book.angular_velocity]
    return moved, one["table"].tolist() if table is None else [table.position.x, table.velocity.x]


def _book(pymunk: Any, space: Any, one: dict[str, Floats]) -> Any:
    """Add the object to the space and return its body."""
    corners, size = list(SHAPES.values())[int(one["shape"][0])], float(one["size"][0])
    mass = float(one["mass"][0]) * size**2
    if isinstance(corners, float):
        body = pymunk.Body(mass, pymunk.moment_for_circle(mass, 0, corners * size))
        shape = pymunk.Circle(body, corners * size)
    else:
        points = [(x * size, y * size) for x, y in corners]
        body = pymunk.Body(mass, pymunk.moment_for_poly(mass, points))
        shape = pymunk.Poly(body, points)
    x, y, angle, speed, fall, turn = one["book"].tolist()
    body.position, body.angle, body.velocity, body.angular_velocity = (x, y), angle, (speed, fall), turn
    shape.friction, shape.elasticity = FRICTION, ELASTICITY
    space.add(body, shape)
    return body


def _table(pymunk: Any, space: Any, one: dict[str, Floats], solid: bool) -> Any:
    """Add the table to the space and return its body, which moves along x alone and stands on no ground."""
    half, height = float(one["table_width"][0]) / 2, float(one["table_height"][0])
    body = pymunk.Body(TABLE_MASS, math.inf)
    body.position, body.velocity = (float(one["table"][0]), GROUND), (float(one["table"][1]), 0.0)
    body.velocity_func = _along_x
    space.add(body)
    left, right = (-half, -half + LEG), (half - LEG, half)
    for low, high, top, bottom in (
        (-half, half, -height, SLAB - height),
        (*left, SLAB - height, 0.0),
        (*right, SLAB - height, 0.0),
    ):
        part = pymunk.Poly(body, [(low, top), (high, top), (high, bottom), (low, bottom)])
        part.friction, part.elasticity = FRICTION, ELASTICITY
        part.filter = pymunk.ShapeFilter(categories=2)
        space.add(part)
    for shape in space.shapes:  # the table touches the object alone
        if shape.body is space.static_body or (shape.body is not body and not solid):
            shape.filter = pymunk.ShapeFilter(mask=pymunk.ShapeFilter.ALL_MASKS() ^ 2)
    return body


def _along_x(body: Any, _gravity: Any, _damping: float, seconds: float) -> None:
    """Update a velocity without gravity and without motion along y."""
    body.velocity = (body.velocity.x + body.force.x / body.mass * seconds, 0.0)
