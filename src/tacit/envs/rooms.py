"""Rooms: a disc moves through a grid of rooms with doors; observations are images.

All lengths are in units of a world 64 wide and 64 high (x to the right, y down), whatever the size of the image, which
is rendered natively at the requested size, never resized.

Protocol, fixed before any method was tuned on it:

- 2x2 to 8x8 equal rooms inside a border of 2, walls 2 thick, doors 6 wide (as wide as the room where that is
  narrower), disc radius 1.5.
- Actions are in ``[-1, 1]^2``; one step moves the disc by ``speed * action`` (1 unit at most an axis), first along x
  and then along y. A wall stops the component that runs into it, the other component slides.
- Layout: a random spanning tree of the rooms has doors, and each other wall has one with probability 1/4; their
  places along the walls are uniform. The fixed layout is the one drawn from ``layout_seed``; random layouts are drawn
  in every episode.
- The distance of two states is the length of the shortest way of the disc's centre between them, the length of a
  straight way being the larger of its components. It is exact (no grid), and does not see through walls. Divided by the
  speed it is the true number of steps, up to one step for each corner of the way, which a move along x and then along y
  may cut.
- A task starts uniformly in a room, drawn at random, and its goal is uniform in another room of the same layout; with
  ``goal_steps``, their distance in steps is in the given range. The goal is given as an image.
- A task is solved if the disc is within 2 units of the goal at some step. Its budget is 2 steps for each step of the
  distance, and 25 more.
- With ``goal_cue``, the goal is the middle of one of the four rooms in the corners, drawn independently of the start.
  Nothing but a cue shows which: the edge of the image, 2 units wide, has its color for some steps, and then no longer.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import KW_ONLY, dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from tacit._states import joined_tasks, rows_of
from tacit.envs._batch import check_actions, check_options
from tacit.envs._room_cues import checked_cue, cue_labels, cued_goals, draw_cues, hidden
from tacit.envs._room_distances import Distances, door_points
from tacit.envs._room_factors import FACTORS, require_fit
from tacit.envs._room_grid import BORDER, GEOMETRY, WORLD, Floats, Grid, draw_doors, place_doors, room_extents
from tacit.envs._room_images import Scene
from tacit.envs._worlds import StateWorlds
from tacit.errors import ConfigError
from tacit.types import Array, Box, Modality, Observation, Spec, State, TaskRules, Tasks, Transition

__all__ = ["Rooms"]

EXTRA = 0.25
"""Probability of a door that no room needs to be reached."""
DRIFT = (0.5, 1.0)
"""Units a step of the slowest and of the fastest distractor."""
ROUNDS = 500
"""Draws of as many tasks as are missing before a range of distances counts as empty."""


@dataclass(eq=False)
class Rooms(StateWorlds):
    """A batch of grids of rooms.

    A state holds ``position [B, 2]``, the centres of the doors in the walls to the right of each room,
    ``door_right [B, R, C - 1]``, and below it, ``door_down [B, R - 1, C]`` (0 where there is none), every factor, with
    distractors ``distractors [B, n, 4]``: position and velocity, and with a cue ``cue [B, 2]``: the number of the goal,
    and the steps since the start.

    Args:
        num_envs: Worlds in the batch.
        rows: Rooms ``R`` from top to bottom, 2 to 8.
        columns: Rooms ``C`` from left to right, 2 to 8.
        layout: ``fixed``, or ``random`` for new doors in every episode.
        layout_seed: The seed of the fixed layout.
        view: ``top`` shows the world; ``egocentric`` shows the square 32 units wide around the disc.
        cues: Draw a mark of its own colour in the middle of each room.
        distractors: Discs that cross the world in straight lines, through walls; nothing influences them, and they
            do not count in the distance to a goal.
        goal_cue: The step at which a cue of the goal appears and the number of steps that it stays; None: no cue.
        goal_steps: The smallest and the largest distance of a goal in steps; None: a goal is in another room.
        size: Height and width of the images, at least 16.
        variation: Factors to draw in every episode: wall_thickness, door_size, agent_radius, speed and the colours.
        factors: Values that replace the defaults, for example ``{"speed": 1.5}``.

    Raises:
        ConfigError: if an option or a factor is unknown or out of range, or the disc would not fit.
    """

    num_envs: int = 1
    _: KW_ONLY
    rows: int = 3
    columns: int = 3
    layout: Literal["fixed", "random"] = "fixed"
    layout_seed: int = 0
    view: Literal["top", "egocentric"] = "top"
    cues: bool = False
    distractors: int = 0
    goal_cue: tuple[int, int] | None = None
    goal_steps: tuple[float, float] | None = None
    size: int = 64
    variation: Sequence[str] = ()
    factors: Mapping[str, float | Sequence[float]] | None = None

    def __post_init__(self) -> None:
        check_options("Rooms", self.num_envs, self.size)
        for name, low, high in (("rows", 2, 8), ("columns", 2, 8), ("distractors", 0, 16), ("layout_seed", 0, 2**32)):
            value = vars(self)[name]
            if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or not low <= value <= high:
                raise ConfigError(f"Rooms needs {name} as a whole number from {low} to {high}; got {value!r}.")
        if self.layout not in ("fixed", "random") or self.view not in ("top", "egocentric") or self.size < 16:
            raise ConfigError(
                "Rooms needs layout='fixed' or 'random', view='top' or 'egocentric' and size >= 16; got "
                f"{self.layout!r}, {self.view!r} and {self.size}."
            )
        self._range, self._cue = _checked_range(self.goal_steps), checked_cue(self.goal_cue)
        self._varied, self._values = FACTORS.chosen(self.variation, self.factors)
        require_fit(max(self.rows, self.columns), self._varied, self._values)
        slowest, _ = FACTORS.bounds("speed", self._varied, self._values)
        longest = self.rows * self.columns * WORLD / min(self.rows, self.columns) / slowest
        budget = int(_budget(longest)) + sum(self._cue or ())
        self.rules = TaskRules(2.0, budget, "any", "world units along the shortest way, 64 across")
        self.spec = Spec(
            {"pixels": Modality("pixels", (3, self.size, self.size))},
            Box((-1.0, -1.0), (1.0, 1.0), kind="delta"),
            fps=10.0,
        )
        self._pursued: tuple[State, Distances] | None = None
        self._enter(self._draw(np.random.default_rng(0), self.num_envs))

    def begin(self, state: State) -> Observation:
        """Start in the given states; see :class:`tacit.types.GoalEnvironment`."""
        self._enter({name: np.array(values, np.float64) for name, values in state.items()})
        return {"pixels": self._scene.frames(self._state)}

    def step(self, action: npt.NDArray[np.float32]) -> Transition:
        """Move every disc by ``speed * action``; actions outside the box are clipped to it."""
        check_actions(action, self.num_envs, 2)
        self._state = _moved(self._state, self._grid, action)
        never = np.zeros(len(action), dtype=np.bool_)
        return Transition({"pixels": self._scene.frames(self._state)}, terminated=never, truncated=never)

    def labels(self) -> Mapping[str, Array]:
        """Return ``position [B, 2]``, ``cell [B, 2]``, the column and the row of the room, and ``cue [B, 4]``."""
        column, row = self._grid.cells(self._state["position"])
        return {
            **({"cue": cue_labels(self._state["cue"])} if self._cue else {}),
            "position": self._state["position"].astype(np.float32),
            "cell": np.stack([column, row], axis=1).astype(np.float32),
        }

    def close(self) -> None:
        """Do nothing: there is nothing to free."""

    def observe(self, state: State) -> Observation:
        """Render images ``[B, 3, size, size]`` of the given states."""
        return {"pixels": self._scene_of(state).frames(state)}

    def simulate(self, state: State, actions: npt.NDArray[np.float32]) -> State:
        """Compute the true states ``[B, H, ...]`` after each of the actions ``[B, H, 2]``."""
        grid, steps, now = Grid(state), [], {name: np.asarray(values, np.float64) for name, values in state.items()}
        for index in range(actions.shape[1]):
            now = _moved(now, grid, actions[:, index])
            steps.append(now)
        return {
            name: np.stack([step[name] for step in steps], axis=1)
            if name in ("position", "distractors", "cue")
            else np.broadcast_to(values[:, None], (len(values), len(steps), *values.shape[1:]))
            for name, values in now.items()
        }

    def tasks(self, count: int, seed: int) -> Tasks:
        """Draw ``count`` pairs of a start and a goal of one layout, with the budget of each.

        Raises:
            ConfigError: if hardly any pair is as far apart as ``goal_steps`` asks.
        """
        rng, parts, found, furthest = np.random.default_rng(seed), list[Tasks](), 0, 0.0
        for _ in range(ROUNDS):
            start = self._draw(rng, count)
            goal = self._draw(rng, count, start)
            steps = self.distance(start, goal) / start["speed"][:, 0]
            furthest = max(furthest, float(steps.max()))
            low, high = self._range or (0.0, np.inf)
            kept = np.flatnonzero((steps >= low) & (steps <= high))[: count - found]
            parts.append(Tasks(rows_of(start, kept), rows_of(goal, kept), _budget(steps[kept]) + sum(self._cue or ())))
            found += len(kept)
            if found == count:
                return joined_tasks(parts)
        raise ConfigError(
            f"{found} of {count} tasks have goals {self._range} steps away; the furthest drawn goal is "
            f"{furthest:.0f} steps away. Ask for a range of goal_steps that these rooms have."
        )

    def distance(self, state: State, goal: State) -> Floats:
        """Compute the lengths ``[B]`` of the shortest ways to the goals, which have the same layouts."""
        goals = {name: np.asarray(goal[name], np.float64) for name in (*GEOMETRY, "position")}
        flat = np.concatenate([values.reshape(len(values), -1) for values in goals.values()], axis=1)
        first = np.concatenate([[True], (flat[1:] != flat[:-1]).any(axis=1)])
        distinct = {name: values[first] for name, values in goals.items()}
        if self._pursued is None or not _same(self._pursued[0], distinct):
            self._pursued = distinct, Distances(Grid(distinct), distinct["position"])
        return self._pursued[1](np.cumsum(first) - 1, np.asarray(state["position"], np.float64))

    def expert(self, state: State, goal: State) -> npt.NDArray[np.float32]:
        """Return the actions after which the rest of the way is shortest, of a set of directions and door corners."""
        position, grid = np.asarray(state["position"], np.float64), Grid(state)
        targets = np.concatenate(
            [door_points(grid, position), np.asarray(goal["position"], np.float64)[:, None]], axis=1
        )
        aims = (targets - position[:, None]) / np.asarray(state["speed"], np.float64)[:, None]
        aims = aims / np.maximum(np.abs(aims).max(axis=-1, keepdims=True), 1.0)
        compass = np.array([(x, y) for x in (-1, 0, 1) for y in (-1, 0, 1) if x or y], np.float64)
        actions = np.concatenate([np.broadcast_to(compass, (len(position), *compass.shape)), aims], axis=1)
        actions = actions.astype(np.float32)
        count, tried, _ = actions.shape
        many = {name: np.repeat(values, tried, axis=0) for name, values in state.items()}
        moved = _moved(many, Grid(many), actions.reshape(-1, 2))
        rest = self.distance(moved, {name: np.repeat(values, tried, axis=0) for name, values in goal.items()})
        best = rest.reshape(count, tried)[:, ::-1].argmin(axis=1)
        return np.asarray(actions[np.arange(count), tried - 1 - best])

    def _draw(
        self, rng: np.random.Generator, count: int, layout: Mapping[str, Floats] | None = None
    ) -> dict[str, Floats]:
        """Draw states; with a ``layout``, goals: cued, in other rooms of its states, or with ``goal_steps`` in any."""
        if layout is None:
            drawn = [self._draw_layout(rng) for _ in range(count)]
            state = {name: np.concatenate([one[name] for one in drawn]) for name in drawn[0]}
        else:
            state = dict(layout)
        grid, rooms = Grid(state), self.rows * self.columns
        if layout is not None and self._cue:
            return {**state, "position": cued_goals(grid, state["cue"]), "cue": hidden(state["cue"], self._cue)}
        if layout is None or self._range:
            room = rng.integers(0, rooms, count)
        else:
            column, row = grid.cells(layout["position"])
            room = (row * grid.columns + column + rng.integers(1, rooms, count)) % rooms
        state["position"] = grid.sample(rng, room)
        if self._cue:
            state["cue"] = draw_cues(rng, count)
        if self.distractors:
            shape = (count, self.distractors)
            angle, speed = rng.uniform(0, 2 * np.pi, shape), rng.uniform(*DRIFT, shape)
            velocity = np.stack([np.cos(angle), np.sin(angle)], axis=-1) * speed[..., None]
            state["distractors"] = np.concatenate([rng.uniform(BORDER, WORLD - BORDER, (*shape, 2)), velocity], axis=-1)
        return state

    def _draw_layout(self, rng: np.random.Generator) -> dict[str, Floats]:
        """Draw factors and doors of one world."""
        state = {name: np.array([value], np.float64) for name, value in self._values.items()}
        for name in self._varied:
            state[name] = rng.uniform(*FACTORS.ranges[name], size=state[name].shape)
        rows, columns, seed = self.rows, self.columns, rng if self.layout == "random" else self.layout_seed
        right, down = draw_doors(np.random.default_rng(seed), rows, columns, EXTRA)
        size, thickness = state["door_size"][:, 0], state["wall_thickness"][:, 0]
        state["door_right"] = place_doors(right[None], size, room_extents(rows, thickness))
        along = place_doors(down.T[None], size, room_extents(columns, thickness))
        state["door_down"] = along.swapaxes(1, 2)
        return state

    def _enter(self, state: dict[str, Floats]) -> None:
        self._state, self._grid, self._scene = state, Grid(state), self._scene_of(state)
        self.num_envs = len(state["position"])

    def _scene_of(self, state: State) -> Scene:
        return Scene(state, self.size, self.view == "egocentric", self.cues, self._cue)


def _moved(state: State, grid: Grid, action: npt.NDArray[np.float32]) -> dict[str, Floats]:
    """Return the states after one step."""
    moved = {name: np.asarray(values, np.float64) for name, values in state.items()}
    moved["position"] = grid.move(moved["position"], moved["speed"] * np.clip(action, -1.0, 1.0))
    if "cue" in moved:
        moved["cue"] = moved["cue"] + np.array([0.0, 1.0])
    if "distractors" in moved:
        place, velocity = np.split(moved["distractors"], 2, axis=-1)
        place = place + velocity
        out = (place < BORDER) | (place > WORLD - BORDER)
        place = np.where(place < BORDER, 2 * BORDER - place, place)
        place = np.where(place > WORLD - BORDER, 2 * (WORLD - BORDER) - place, place)
        moved["distractors"] = np.concatenate([place, np.where(out, -velocity, velocity)], axis=-1)
    return moved


def _budget(steps: Floats | float) -> npt.NDArray[np.int64]:
    """Return the steps allowed for a task of a distance in steps."""
    return np.asarray(np.ceil(2 * np.asarray(steps)) + 25, np.int64)


def _checked_range(steps: Sequence[float] | None) -> tuple[float, float] | None:
    """Return a range of distances in steps."""
    if steps is None:
        return None
    if not isinstance(steps, Sequence) or len(steps) != 2 or not 0 <= steps[0] < steps[1] < np.inf:
        raise ConfigError(
            f"goal_steps is the smallest and the largest distance in steps, such as (50, 100); got {steps!r}."
        )
    return float(steps[0]), float(steps[1])


def _same(one: State, other: State) -> bool:
    return all(np.array_equal(one[name], other[name]) for name in one)
