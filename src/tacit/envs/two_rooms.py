"""Two Rooms: a disc moves between two rooms through one door; observations are top-view images.

The task of the PLDM, eb_jepa and LeWorldModel line. All lengths are in units of a world 64 wide and
64 high (x to the right, y down), whatever the size of the image, which is rendered natively at the
requested size, never resized.

Protocol, fixed before any method was tuned on it:

- Actions are in ``[-1, 1]^2``; one step moves the disc by ``speed * action`` (2.5 units at most an axis).
  A wall stops the component that runs into it, the other component slides.
- Fixed layout: wall at x = 32, 4 thick, door centred at y = 20, 14 high, disc radius 2.5.
  Random layout: wall x uniform in [22, 42], door y uniform in [14, 50].
- A task starts uniformly in one room, drawn at random, and its goal is uniform in the other room,
  with the same layout. The goal is given as an image.
- A task is solved if the disc is within 4.5 units of the goal after the last of 100 steps
  (4.5 of 65 pixels is eb_jepa's radius, with 200 steps; 16 of 224 pixels is LeWorldModel's, with 150).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from tacit._states import concatenated
from tacit.envs._batch import check_actions, per_world
from tacit.envs._discs import Discs
from tacit.envs._factors import Factors
from tacit.errors import ConfigError
from tacit.types import Array, Box, Modality, Observation, Spec, State, TaskRules, Tasks, Transition

__all__ = ["TwoRooms"]

WORLD = 64.0
BORDER = 2.0
DEFAULTS: dict[str, tuple[float, ...]] = {
    "wall_x": (32.0,),
    "wall_thickness": (4.0,),
    "door_y": (20.0,),
    "door_size": (14.0,),
    "agent_radius": (2.5,),
    "speed": (2.5,),
    "agent_color": (230.0, 60.0, 60.0),
    "wall_color": (40.0, 44.0, 60.0),
    "background_color": (236.0, 236.0, 228.0),
}
RANGES: dict[str, tuple[float, float]] = {
    "wall_x": (22.0, 42.0),
    "wall_thickness": (2.0, 8.0),
    "door_y": (14.0, 50.0),
    "door_size": (10.0, 20.0),
    "agent_radius": (1.5, 3.5),
    "speed": (1.5, 3.5),
    "agent_color": (0.0, 255.0),
    "wall_color": (0.0, 255.0),
    "background_color": (0.0, 255.0),
}
LIMITS: dict[str, tuple[float, float]] = {
    **dict.fromkeys(("wall_x", "wall_thickness", "door_y", "door_size", "agent_radius"), (0.0, WORLD)),
    "speed": (0.01, WORLD),
    **dict.fromkeys(("agent_color", "wall_color", "background_color"), (0.0, 255.0)),
}
FACTORS = Factors("Two Rooms", DEFAULTS, RANGES, LIMITS)


class TwoRooms:
    """A batch of Two Rooms worlds.

    Args:
        num_envs: Worlds in the batch.
        layout: ``fixed``, or ``random`` for a new wall and door in every episode.
        size: Height and width of the images, at least 16.
        variation: Further factors to draw in every episode, names of ``RANGES``.
        factors: Values that replace the defaults, for example ``{"speed": 3.0}``; within ``LIMITS``.

    Raises:
        ConfigError: if there is no such layout or factor, or a value is out of range or leaves no room for the disc.
    """

    _position: npt.NDArray[np.float64]
    _geometry: _Geometry
    rules = TaskRules(radius=4.5, budget=100, success_at="last", unit="world units, 64 across")

    def __init__(
        self,
        num_envs: int = 1,
        layout: str = "fixed",
        size: int = 64,
        variation: Sequence[str] = (),
        factors: Mapping[str, float | Sequence[float]] | None = None,
    ) -> None:
        if layout not in ("fixed", "random"):
            raise ConfigError(f"layout is 'fixed' or 'random'; got {layout!r}.")
        if not (_whole(num_envs) and _whole(size)) or num_envs < 1 or size < 16:
            raise ConfigError(
                f"Two Rooms needs whole numbers num_envs >= 1 and size >= 16; got {num_envs!r} and {size!r}."
            )
        drawn = (("wall_x", "door_y") if layout == "random" else ()) + tuple(variation)
        self._varied, self._fixed = FACTORS.chosen(variation if isinstance(variation, str) else drawn, factors)
        _require_room(self._fixed, self._varied)
        self._size = size
        self.spec = Spec(
            {"pixels": Modality("pixels", (3, size, size))}, Box((-1.0, -1.0), (1.0, 1.0), kind="delta"), fps=10.0
        )
        self._enter(self._draw(np.random.default_rng(0), num_envs))

    @property
    def num_envs(self) -> int:
        """Return the number of worlds in the batch."""
        return len(self._position)

    def reset(self, seed: int | Sequence[int]) -> Observation:
        """Draw new layouts and positions, uniform over both rooms; see :class:`tacit.types.Environment`."""
        if isinstance(seed, (Sequence, np.ndarray)):
            worlds = [self._draw(np.random.default_rng(one), 1) for one in per_world(seed, self.num_envs)]
            return self.begin(concatenated(worlds))
        return self.begin(self._draw(np.random.default_rng(seed), self.num_envs))

    def begin(self, state: State) -> Observation:
        """Start in the given states; see :class:`tacit.types.GoalEnvironment`."""
        self._enter({name: np.array(values, dtype=np.float64) for name, values in state.items()})
        return {"pixels": self._frames()}

    def step(self, action: npt.NDArray[np.float32]) -> Transition:
        """Move every disc by ``speed * action``; actions outside the box are clipped to it."""
        check_actions(action, self.num_envs, 2)
        self._position = self._geometry.move(self._position, action)
        never = np.zeros(len(action), dtype=np.bool_)
        return Transition({"pixels": self._frames()}, terminated=never, truncated=never)

    def labels(self) -> Mapping[str, Array]:
        """Return ``position [B, 2]``, ``wall_x [B, 1]`` and ``door_y [B, 1]``."""
        return {
            "position": self._position.astype(np.float32),
            "wall_x": self._state["wall_x"].astype(np.float32),
            "door_y": self._state["door_y"].astype(np.float32),
        }

    def close(self) -> None:
        """Do nothing: there is nothing to free."""

    def state(self) -> State:
        """Return position and every factor, ``[B, ...]`` each."""
        return {**self._state, "position": self._position.copy()}

    def observe(self, state: State) -> Observation:
        """Render images ``[B, 3, size, size]`` of the given states."""
        values = {name: np.array(value, np.float64) for name, value in state.items()}
        return {"pixels": _discs(values, self._size).frames(values["position"] * (self._size / WORLD))}

    def tasks(self, count: int, seed: int) -> Tasks:
        """Draw ``count`` pairs with start and goal in different rooms of one layout, none solved at the start."""
        rng = np.random.default_rng(seed)
        start = self._draw(rng, count)
        side = rng.integers(0, 2, count).astype(bool)
        start["position"] = _Geometry(start).sample(rng, side)
        goal = {**start, "position": _Geometry(start).sample(rng, ~side)}
        return Tasks(start, goal)

    def distance(self, state: State, goal: State) -> npt.NDArray[np.float64]:
        """Compute the Euclidean distance ``[B]`` between the two positions."""
        difference = np.asarray(state["position"], np.float64) - np.asarray(goal["position"], np.float64)
        return np.asarray(np.linalg.norm(difference, axis=-1))

    def simulate(self, state: State, actions: npt.NDArray[np.float32]) -> State:
        """Compute the true states ``[B, H, ...]`` after each of the actions ``[B, H, 2]``."""
        geometry, position = _Geometry(state), np.asarray(state["position"], np.float64)
        steps = []
        for index in range(actions.shape[1]):
            position = geometry.move(position, actions[:, index])
            steps.append(position)
        held = {
            name: np.broadcast_to(np.asarray(value)[:, None], (len(value), len(steps), *value.shape[1:]))
            for name, value in state.items()
        }
        return {**held, "position": np.stack(steps, axis=1)}

    def expert(self, state: State, goal: State) -> npt.NDArray[np.float32]:
        """Return actions straight to the door, through it, and straight to the goal."""
        return _Geometry(state).towards(np.asarray(state["position"]), np.asarray(goal["position"]))

    def _draw(self, rng: np.random.Generator, count: int) -> dict[str, npt.NDArray[np.float64]]:
        state = {name: np.tile(np.asarray(value, np.float64), (count, 1)) for name, value in self._fixed.items()}
        for name in self._varied:
            state[name] = rng.uniform(*RANGES[name], size=state[name].shape)
        state["position"] = _Geometry(state).sample(rng, rng.integers(0, 2, count).astype(bool))
        return state

    def _enter(self, state: dict[str, npt.NDArray[np.float64]]) -> None:
        self._state = state
        self._position = state["position"]
        self._geometry = _Geometry(state)
        self._discs = _discs(state, self._size)

    def _frames(self) -> npt.NDArray[np.uint8]:
        return self._discs.frames(self._position * (self._size / WORLD))


def _discs(state: Mapping[str, npt.NDArray[np.float64]], size: int) -> Discs:
    """Return the rooms with the disc to draw in each."""
    return Discs(_rooms(state, size), state["agent_radius"] * (size / WORLD), state["agent_color"])


class _Geometry:
    """The free space of the disc's centre, for ``[B]`` worlds at once."""

    def __init__(self, state: State) -> None:
        column = {name: np.asarray(state[name], np.float64)[:, 0] for name in DEFAULTS if "color" not in name}
        radius = column["agent_radius"]
        self.low, self.high = (BORDER + radius)[:, None], (WORLD - BORDER - radius)[:, None]
        half = column["wall_thickness"] / 2 + radius
        self.left, self.right = column["wall_x"] - half, column["wall_x"] + half
        opening = np.maximum(column["door_size"] / 2 - radius, 0.0)
        self.top, self.bottom = column["door_y"] - opening, column["door_y"] + opening
        self.door = np.stack([column["wall_x"], column["door_y"]], axis=1)
        self.speed = column["speed"][:, None]

    def move(self, position: npt.NDArray[np.float64], action: npt.NDArray[np.float32]) -> npt.NDArray[np.float64]:
        """Move along x and then along y. A wall stops the component that runs into it."""
        target = position + self.speed * np.minimum(np.maximum(action, -1.0), 1.0)
        target = np.minimum(np.maximum(target, self.low), self.high)
        x, y, was_x, was_y = target[:, 0], target[:, 1], position[:, 0], position[:, 1]
        beside = (was_y < self.top) | (was_y > self.bottom)
        x = np.where(beside & (was_x <= self.left), np.minimum(x, self.left), x)
        x = np.where(beside & (was_x >= self.right), np.maximum(x, self.right), x)
        inside = (x > self.left) & (x < self.right)
        y = np.where(inside, np.minimum(np.maximum(y, self.top), self.bottom), y)
        return np.stack([x, y], axis=1)

    def sample(self, rng: np.random.Generator, right: npt.NDArray[np.bool_]) -> npt.NDArray[np.float64]:
        """Draw positions ``[B, 2]`` uniform over the given room of each world."""
        low = np.where(right, self.right, self.low[:, 0])
        high = np.where(right, self.high[:, 0], self.left)
        return np.stack([rng.uniform(low, high), rng.uniform(self.low[:, 0], self.high[:, 0])], axis=1)

    def towards(self, position: npt.NDArray[np.float64], goal: npt.NDArray[np.float64]) -> npt.NDArray[np.float32]:
        """Compute actions ``[B, 2]`` of an expert that knows the layout."""
        x, y = position[:, 0], position[:, 1]
        sign = np.sign(goal[:, 0] - self.door[:, 0])
        across = (x - self.door[:, 0]) * sign < (self.right - self.left) / 2
        before = across & (x <= self.left) & (sign > 0) | across & (x >= self.right) & (sign < 0)
        level = (y >= self.top) & (y <= self.bottom)
        front = self.door - (sign * ((self.right - self.left) / 2 + 0.5))[:, None] * np.array([1.0, 0.0])
        back = self.door + (sign * ((self.right - self.left) / 2 + 0.5))[:, None] * np.array([1.0, 0.0])
        waypoint = np.where((before & ~level)[:, None], front, np.where(across[:, None], back, goal))
        step = (waypoint - position) / self.speed
        return np.asarray(step / np.maximum(np.abs(step).max(axis=1, keepdims=True), 1.0), np.float32)


def _rooms(state: State, size: int) -> npt.NDArray[np.uint8]:
    """Render background, border and wall ``[B, 3, size, size]``, each pixel by the area that the wall covers."""

    def cover(low: npt.NDArray[np.float64], high: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        edge = np.arange(size) * (WORLD / size)
        overlap = np.minimum(edge + WORLD / size, high[:, None]) - np.maximum(edge, low[:, None])
        return np.asarray(np.clip(overlap * (size / WORLD), 0.0, 1.0))

    column = {name: np.asarray(state[name], np.float64)[:, 0] for name in DEFAULTS if "color" not in name}
    inner = np.full(len(column["wall_x"]), BORDER)
    free = cover(inner, WORLD - inner)
    half, opening = column["wall_thickness"] / 2, column["door_size"] / 2
    wall = cover(column["wall_x"] - half, column["wall_x"] + half)
    door = cover(column["door_y"] - opening, column["door_y"] + opening)
    open_floor = free[:, :, None] * free[:, None, :] * (1.0 - (1.0 - door)[:, :, None] * wall[:, None, :])
    ink = np.asarray(state["wall_color"], np.float64)[:, :, None, None]
    floor = np.asarray(state["background_color"], np.float64)[:, :, None, None]
    return (ink + open_floor[:, None] * (floor - ink) + 0.5).astype(np.uint8)


def _whole(value: object) -> bool:
    return isinstance(value, (int, np.integer)) and not isinstance(value, bool)


def _require_room(fixed: Mapping[str, tuple[float, ...]], varied: Sequence[str]) -> None:
    """Refuse factors with which some draw of the varied ones leaves the disc no place in a room."""
    low, high = ({name: FACTORS.bounds(name, varied, fixed)[end] for name in DEFAULTS} for end in (0, 1))
    reach = high["wall_thickness"] / 2 + high["agent_radius"]
    narrowest = min(low["wall_x"] - reach, WORLD - high["wall_x"] - reach) - (BORDER + high["agent_radius"])
    if narrowest < 0:
        raise ConfigError(
            f"a disc of radius {high['agent_radius']:g} has no place beside a wall that is "
            f"{high['wall_thickness']:g} thick at x = {low['wall_x']:g} to {high['wall_x']:g}: one of the rooms is "
            f"{-narrowest:g} units too narrow. Lower agent_radius or wall_thickness, or move wall_x to the middle."
        )
