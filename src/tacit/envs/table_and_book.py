"""Table and book: an object rests on a table that can be pushed or removed; observations are images.

A two-dimensional view from the side with rigid bodies of pymunk. All lengths are in units of a world 64 wide and 64
high (x to the right, y down), whatever the size of the image, which is rendered natively at the requested size.

Protocol, fixed before any method was tuned on it:

- An action is in ``[-1, 1]^3``: a push of the table along x, a push of the object along x, and the removal of the
  table, which happens at more than 0.8 and is final. A step is 0.1 s, and gravity 160 units/s².
- The table moves along x alone, without friction on the ground, and slows down by itself. It collides with the
  object, which rests on it by friction and so moves with it.
- An episode starts with the object at rest on the table (60 %), at rest on the ground next to it (20 %), or in the air
  with a random velocity (20 %), half of these without a table.
- The distance of two states is that of the positions of the object. A task starts on the table, and its goal is what 10
  to 20 random steps lead to, at least 6 units away. It is solved within 3 units at some step of 40.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import KW_ONLY, dataclass

import numpy as np
import numpy.typing as npt

from tacit._registry import suggest
from tacit.envs._batch import check_options
from tacit.envs._factors import Factors
from tacit.envs._table_images import frames
from tacit.envs._table_physics import GROUND, SHAPES, WORLD, advanced, bottom_of, load_pymunk
from tacit.envs._worlds import Floats, StateWorlds
from tacit.errors import ConfigError, SpecError
from tacit.types import Array, Box, Modality, Observation, Spec, State, TaskRules, Tasks

__all__ = ["TableAndBook"]

FACTORS = Factors(
    "TableAndBook",
    {
        "size": (1.0,),
        "mass": (1.0,),
        "table_width": (24.0,),
        "table_height": (16.0,),
        "book_color": (200.0, 60.0, 50.0),
        "table_color": (150.0, 105.0, 60.0),
        "background_color": (236.0, 236.0, 236.0),
    },
    {
        "size": (0.8, 1.25),
        "mass": (0.6, 1.6),
        "table_width": (18.0, 30.0),
        "table_height": (12.0, 20.0),
        "book_color": (0.0, 255.0),
        "table_color": (60.0, 200.0),
        "background_color": (200.0, 255.0),
    },
    {
        "size": (0.5, 1.5),
        "mass": (0.1, 10.0),
        "table_width": (12.0, 40.0),
        "table_height": (8.0, 30.0),
        "book_color": (0.0, 255.0),
        "table_color": (0.0, 255.0),
        "background_color": (0.0, 255.0),
    },
)
STARTS = (0.6, 0.2, 0.2)
"""Chances of an object on the table, on the ground and in the air."""
MARGIN, APART, SECONDS = 9.0, 6.0, 0.1
ROUNDS = 200


@dataclass(eq=False)
class TableAndBook(StateWorlds):
    """A batch of tables, each with one object.

    A state holds ``book [B, 6]`` (position of the object, angle in radians, velocity, angular velocity),
    ``table [B, 2]`` (x and its velocity), ``removed [B, 1]``, ``shape [B, 1]`` (a number in the order of ``SHAPES``),
    every factor, and what only the images show: ``visible [B, 1]`` of the object, ``screen [B, 2]``, the middle and
    the width of a screen in front of it, 0 wide where there is none, and ``last [B, 5]``, the pose of the object, x of
    the table and whether it was removed, 0.1 s before.

    Args:
        num_envs: Worlds in the batch.
        size: Height and width of the images, at least 16.
        shapes: Shapes to draw in every episode: ``book``, ``box``, ``ball``, ``prism``.
        screens: Share of the episodes with a screen, of random place and 8 to 18 units wide.
        stacked: Show the image of 0.1 s before as well, in the first three of six channels, so that motion is seen.
        variation: Factors to draw in every episode: size, mass, table_width, table_height and the colours.
        factors: Values that replace the defaults, for example ``{"size": 1.2}``. The mass is that of size 1.

    Raises:
        MissingExtra: if pymunk is not installed.
        ConfigError: if an option or a factor is unknown or out of range.
    """

    num_envs: int = 1
    _: KW_ONLY
    size: int = 64
    shapes: Sequence[str] = ("book",)
    screens: float = 0.0
    stacked: bool = False
    variation: Sequence[str] = ()
    factors: Mapping[str, float | Sequence[float]] | None = None

    rules = TaskRules(3.0, 40, "any", "world units between positions of the object, 64 across")

    def __post_init__(self) -> None:
        check_options("TableAndBook", self.num_envs, self.size)
        if self.size < 16 or not 0 <= self.screens <= 1:
            raise ConfigError(
                f"TableAndBook needs size >= 16 and screens from 0 to 1; got {self.size} and {self.screens}."
            )
        if isinstance(self.shapes, str) or not self.shapes:
            raise ConfigError(f'shapes is a list of names, such as ["book", "ball"]; got {self.shapes!r}.')
        for name in self.shapes:
            if name not in SHAPES:
                hint = suggest(str(name), SHAPES)
                raise ConfigError(f"there is no shape {name!r}.{hint} There are {', '.join(SHAPES)}.")
        self._varied, self._values = FACTORS.chosen(self.variation, self.factors)
        self._pymunk = load_pymunk("the environment table_and_book")
        shape = (6 if self.stacked else 3, self.size, self.size)
        self.spec = Spec({"pixels": Modality("pixels", shape)}, Box((-1.0,) * 3, (1.0,) * 3, kind="force"), 10.0)
        self._state = self._draw(np.random.default_rng(0), self.num_envs)

    def begin(self, state: State) -> Observation:
        """Start in the given states; see :class:`tacit.types.GoalEnvironment`.

        Raises:
            SpecError: if a quantity of the state is missing, unknown or not finite, or a shape has no such number.
        """
        if set(state) != set(self._state):
            raise SpecError(
                f"a state of TableAndBook has {', '.join(self._state)}; got {', '.join(state)}. "
                "Start from env.state() or env.tasks(...).start and change values of it."
            )
        for name, values in state.items():
            if not np.isfinite(np.asarray(values, np.float64)).all():
                raise SpecError(f"the quantity {name!r} of a state holds NaN or infinity. Give finite numbers.")
        kinds = np.asarray(state["shape"])
        if not np.isin(kinds, range(len(SHAPES))).all():
            raise SpecError(f"shape is a whole number from 0 to {len(SHAPES) - 1}; got {kinds.ravel().tolist()}.")
        self.num_envs = len(kinds)
        return super().begin(state)

    def labels(self) -> Mapping[str, Array]:
        """Return ``book [B, 2]``, ``table [B, 1]``, positions, and ``velocity [B, 2]`` of the object in units/s."""
        book, table = self._state["book"].astype(np.float32), self._state["table"].astype(np.float32)
        return {"book": book[:, :2], "table": table[:, :1], "velocity": book[:, 3:5]}

    def close(self) -> None:
        """Do nothing: there is nothing to free."""

    def observe(self, state: State) -> Observation:
        """Render images ``[B, 3, size, size]`` of the given states, ``[B, 6, size, size]`` with ``stacked``."""
        now = frames(state, self.size)
        return {"pixels": np.concatenate([frames(_before(state), self.size), now], axis=1) if self.stacked else now}

    def simulate_through(self, state: State, actions: npt.NDArray[np.float32]) -> State:
        """Compute states ``[B, H, ...]`` as ``simulate``, but of an object that falls through the table."""
        steps, now = [], state
        for index in range(actions.shape[1]):
            last = _pose(now)
            now = {**advanced(self._pymunk, now, actions[:, index], solid=False), "last": last}
            steps.append(now)
        return {name: np.stack([step[name] for step in steps], axis=1) for name in state}

    def tasks(self, count: int, seed: int) -> Tasks:
        """Draw ``count`` pairs of a start on the table and a goal that random actions lead to."""
        rng, starts, goals = np.random.default_rng(seed), list[State](), list[State]()
        for _ in range(ROUNDS * count):
            start = self._draw(rng, 1, on_table=True)
            push = np.array([[*rng.uniform(-1, 1, 2), 0.0]], np.float32)
            goal: State = start
            for _ in range(int(rng.integers(10, 21))):
                goal = self._push(goal, push)
            if self.distance(start, goal)[0] > APART:
                starts.append(start)
                goals.append(goal)
            if len(starts) == count:
                break
        else:
            raise ConfigError(
                f"only {len(starts)} of {count} tasks move the object by {APART:g} units; lower its mass or its size."
            )
        return Tasks(_joined(starts), _joined(goals))

    def distance(self, state: State, goal: State) -> npt.NDArray[np.float64]:
        """Compute the Euclidean distance ``[B]`` between the two positions of the object."""
        apart = np.asarray(state["book"], np.float64)[:, :2] - np.asarray(goal["book"], np.float64)[:, :2]
        return np.asarray(np.linalg.norm(apart, axis=-1))

    def _draw(self, rng: np.random.Generator, count: int, on_table: bool = False) -> Floats:
        return _joined([self._draw_one(rng, on_table) for _ in range(count)])

    def _draw_one(self, rng: np.random.Generator, on_table: bool) -> Floats:
        """Draw the state of one world."""
        state = {name: np.array([value], np.float64) for name, value in self._values.items()}
        for name in self._varied:
            state[name] = rng.uniform(*FACTORS.ranges[name], size=state[name].shape)
        kind = list(SHAPES).index(self.shapes[int(rng.integers(len(self.shapes)))])
        half, height = float(state["table_width"][0, 0]) / 2, float(state["table_height"][0, 0])
        below = bottom_of(kind, float(state["size"][0, 0]))
        table = rng.uniform(half + 2, WORLD - half - 2)
        where = 0 if on_table else int(rng.choice(3, p=STARTS))
        motion, removed = [0.0] * 4, 0.0
        if where == 0:
            x, y = table + rng.uniform(-0.6, 0.6) * half, GROUND - height - below
        elif where == 1:
            free = ((MARGIN, table - half - MARGIN), (table + half + MARGIN, WORLD - MARGIN))
            wide = [side for side in free if side[0] < side[1]]
            table = table if wide else half + 2
            low, high = wide[int(rng.integers(len(wide)))] if wide else (table + half + MARGIN, WORLD - MARGIN)
            x, y = rng.uniform(min(low, high), high), GROUND - below
        else:
            x, y = rng.uniform(MARGIN, WORLD - MARGIN), rng.uniform(MARGIN, GROUND - height - 2 * MARGIN)
            motion = [rng.uniform(-1, 1), rng.uniform(-40, 40), rng.uniform(-30, 10), rng.uniform(-3, 3)]
            removed = float(rng.integers(2))
        screen = [rng.uniform(8, WORLD - 8), rng.uniform(8, 18)] if rng.random() < self.screens else [0.0, 0.0]
        return {
            **state,
            "book": np.array([[x, y, *motion]]),
            "table": np.array([[table, 0.0]]),
            "removed": np.array([[removed]]),
            "shape": np.array([[float(kind)]]),
            "visible": np.ones((1, 1)),
            "screen": np.array([screen]),
            "last": np.array([[x - SECONDS * motion[1], y - SECONDS * motion[2], motion[0], table, removed]]),
        }

    def _push(self, state: State, action: npt.NDArray[np.float32]) -> Floats:
        return {**advanced(self._pymunk, state, action), "last": _pose(state)}


def _pose(state: State) -> npt.NDArray[np.float64]:
    """Return what ``last`` holds of a state."""
    parts = (state["book"][:, :3], state["table"][:, :1], state["removed"])
    return np.concatenate([np.asarray(part, np.float64) for part in parts], axis=1)


def _before(state: State) -> State:
    """Return the states that the image of 0.1 s before shows."""
    last = np.asarray(state["last"])
    return {**state, "book": last[:, :3], "table": last[:, 3:4], "removed": last[:, 4:]}


def _joined(parts: Sequence[State]) -> Floats:
    return {name: np.concatenate([np.asarray(part[name], np.float64) for part in parts]) for name in parts[0]}
