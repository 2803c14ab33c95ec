"""Grids of rooms with a new layout in every episode, so that the agent can map one that it has never seen."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from tacit.recipes._recipe import Part
from tacit.recipes.random_rooms import RandomRooms
from tacit.recipes.rooms import Rooms

__all__ = ["UnknownRooms"]


@dataclass(frozen=True)
class UnknownRooms(Rooms):
    """The world model of ``random_rooms`` with the distance and the search of ``rooms``.

    Its graph of a few recorded episodes gives the radii of the maps that :func:`tacit.exploration.explore` makes.
    """

    model: Mapping[str, Any] = field(default_factory=lambda: dict(RandomRooms().model))
    objective: tuple[Part, ...] = RandomRooms.objective
    clip: int = RandomRooms.clip
    steps: int = 2_500
    mapped: int | None = 16
