"""Factors of grids of rooms, and what fits together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from tacit.envs._factors import Factors
from tacit.envs._room_grid import BORDER, WORLD
from tacit.errors import ConfigError

__all__ = ["FACTORS", "require_fit"]

FACTORS = Factors(
    "Rooms",
    defaults={
        "wall_thickness": (2.0,),
        "door_size": (6.0,),
        "agent_radius": (1.5,),
        "speed": (1.0,),
        "agent_color": (230.0, 60.0, 60.0),
        "wall_color": (40.0, 44.0, 60.0),
        "background_color": (236.0, 236.0, 228.0),
    },
    ranges={
        "wall_thickness": (2.0, 4.0),
        "door_size": (5.0, 7.0),
        "agent_radius": (1.25, 1.75),
        "speed": (0.6, 1.5),
        "agent_color": (0.0, 255.0),
        "wall_color": (0.0, 255.0),
        "background_color": (0.0, 255.0),
    },
    limits={
        **dict.fromkeys(("wall_thickness", "door_size", "agent_radius"), (0.1, WORLD)),
        "speed": (0.01, WORLD),
        **dict.fromkeys(("agent_color", "wall_color", "background_color"), (0.0, 255.0)),
    },
)


def require_fit(rooms: int, varied: Sequence[str], values: Mapping[str, tuple[float, ...]]) -> None:
    """Refuse factors with which the disc fits no room or door, or distances would not be exact."""
    thin, thick = FACTORS.bounds("wall_thickness", varied, values)
    small, large = FACTORS.bounds("agent_radius", varied, values)
    narrow, wide = FACTORS.bounds("door_size", varied, values)
    _, fast = FACTORS.bounds("speed", varied, values)
    room = (WORLD - 2 * BORDER - (rooms - 1) * thick) / rooms
    if min(room, narrow) < 2 * large + 0.5:
        raise ConfigError(
            f"a disc of radius {large:g} needs rooms and doors {2 * large + 0.5:g} wide; there are rooms {room:g} and "
            f"doors {narrow:g} wide. Lower agent_radius, wall_thickness or the number of rooms."
        )
    if wide > thin + 4 * small or fast > thin + 2 * small:
        raise ConfigError(
            f"Rooms needs doors at most as wide as the wall and four radii, {thin + 4 * small:g}, and a speed of at "
            f"most the wall and two radii, {thin + 2 * small:g}; got {wide:g} and {fast:g}."
        )
