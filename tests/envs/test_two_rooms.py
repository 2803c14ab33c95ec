"""Two Rooms against its own description: walls, images, tasks, expert."""

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tacit.envs import TwoRooms
from tacit.envs.two_rooms import DEFAULTS, RANGES
from tacit.errors import ConfigError
from tacit.types import State

Floats = npt.NDArray[np.float64]
EVERYTHING = tuple(RANGES)


def layout(state: State, name: str) -> Floats:
    return np.asarray(state[name], np.float64)[..., 0]


def in_the_clear(state: State) -> npt.NDArray[np.bool_]:
    """Whether the whole disc is inside the world and off the wall; written from the description alone."""
    position, radius = np.asarray(state["position"], np.float64), layout(state, "agent_radius")
    bounds = (position >= 2 + radius[..., None] - 1e-9) & (position <= 62 - radius[..., None] + 1e-9)
    beside = np.abs(position[..., 0] - layout(state, "wall_x")) >= layout(state, "wall_thickness") / 2 + radius - 1e-9
    free = layout(state, "door_size") / 2 - radius
    in_door = np.abs(position[..., 1] - layout(state, "door_y")) <= free + 1e-9
    return np.asarray(bounds.all(axis=-1) & (beside | in_door))


@given(seed=st.integers(0, 2**32 - 1), hold=st.integers(1, 40))
@settings(max_examples=60, deadline=None)
@example(seed=113, hold=9)
def test_walls_stop_the_disc_but_in_the_door(seed: int, hold: int) -> None:
    env = TwoRooms(32, "random", variation=EVERYTHING)
    env.reset(seed)
    rng = np.random.default_rng(seed)
    plan = np.repeat(rng.uniform(-1.5, 1.5, (32, 120 // hold + 1, 2)), hold, axis=1).astype(np.float32)
    start = env.state()
    path = env.simulate(start, plan)
    assert in_the_clear(start).all() and in_the_clear(path).all()
    x = np.concatenate([np.asarray(start["position"])[:, None, 0], np.asarray(path["position"])[..., 0]], axis=1)
    y = np.concatenate([np.asarray(start["position"])[:, None, 1], np.asarray(path["position"])[..., 1]], axis=1)
    wall, door, free = (layout(start, name)[:, None] for name in ("wall_x", "door_y", "door_size"))
    crossed = (x[:, 1:] > wall) != (x[:, :-1] > wall)
    inside = np.abs(y - door) <= free / 2 - layout(start, "agent_radius")[:, None] + 1e-9
    assert (inside[:, :-1] | ~crossed).all(), "the way along x, which comes first, led through the wall"


def test_fast_discs_do_not_tunnel_through_the_wall() -> None:
    env = TwoRooms(4, factors={"speed": 40.0, "wall_thickness": 2.0})
    states = env.state()
    side = np.array([10.0, 10.0, 54.0, 54.0])
    env.begin({**states, "position": np.stack([side, [40.0, 55.0, 40.0, 55.0]], axis=1)})
    env.step(np.array([[1, 0], [1, 0.1], [-1, 0], [-1, 0.1]], np.float32))
    assert ((env.state()["position"][:, 0] < 32) == (side < 32)).all()


def test_an_open_way_is_not_blocked() -> None:
    env = TwoRooms(2)
    env.begin({**env.state(), "position": np.array([[20.0, 20.0], [20.0, 20.0]])})
    for _ in range(10):
        env.step(np.array([[1, 0], [0.5, 0]], np.float32))
    np.testing.assert_allclose(env.state()["position"], [[45.0, 20.0], [32.5, 20.0]])


@pytest.mark.parametrize("size", [64, 128, 224])
def test_the_disc_covers_its_area_and_nothing_else_changes(size: int) -> None:
    env = TwoRooms(20, "random", size=size, variation=("agent_radius",))
    env.reset(3)
    state = {**env.state(), "agent_color": np.zeros((20, 3)), "background_color": np.full((20, 3), 255.0)}
    bare = {**state, "agent_radius": np.full((20, 1), -1.0)}
    shown, empty = (env.observe(s)["pixels"][:, 0].astype(np.float64) for s in (state, bare))
    area = (empty - shown).sum(axis=(1, 2)) / 255 * (64 / size) ** 2
    np.testing.assert_allclose(area, np.pi * layout(state, "agent_radius") ** 2, rtol=0.05)
    middle = (np.arange(size) + 0.5) * 64 / size
    far = (
        np.hypot(
            middle[None, None, :] - state["position"][:, 0, None, None],
            middle[None, :, None] - state["position"][:, 1, None, None],
        )
        > (layout(state, "agent_radius") + 64 / size)[:, None, None]
    )
    assert (shown[far] == empty[far]).all()


def test_images_of_every_size_show_the_same_scene() -> None:
    states = TwoRooms(8, "random", variation=EVERYTHING)
    states.reset(1)
    small = TwoRooms(1, size=64).observe(states.state())["pixels"].astype(np.float64)
    large = TwoRooms(1, size=128).observe(states.state())["pixels"].astype(np.float64)
    averaged = large.reshape(8, 3, 64, 2, 64, 2).mean(axis=(3, 5))
    assert np.abs(averaged - small).max() < 30 and np.abs(averaged - small).mean() < 0.6


def test_walls_are_where_the_dynamics_say() -> None:
    env = TwoRooms(1, factors={"agent_radius": 1.5})
    pixels = env.observe({**env.state(), "position": np.array([[50.0, 50.0]])})["pixels"][0]
    wall, floor = np.array(DEFAULTS["wall_color"], np.uint8), np.array(DEFAULTS["background_color"], np.uint8)
    for y, x, color in [
        (40, 31, wall),
        (40, 32, wall),
        (40, 29, floor),
        (40, 34, floor),
        (20, 31, floor),
        (1, 9, wall),
    ]:
        assert (pixels[:, y, x] == color).all(), (y, x)


def test_a_state_looks_the_same_alone_and_among_64() -> None:
    env = TwoRooms(64, "random", variation=EVERYTHING)
    batch = env.reset(11)["pixels"]
    for world in range(64):
        alone = {name: values[world : world + 1] for name, values in env.state().items()}
        assert np.array_equal(TwoRooms(1).observe(alone)["pixels"][0], batch[world])


@pytest.mark.parametrize("kind", ["fixed", "random"])
def test_tasks_go_from_one_room_to_the_other(kind: str) -> None:
    env = TwoRooms(1, kind)
    tasks = env.tasks(400, seed=2)
    start, goal = tasks.start["position"], tasks.goal["position"]
    right = start[:, 0] > tasks.start["wall_x"][:, 0]
    assert (right != (goal[:, 0] > tasks.goal["wall_x"][:, 0])).all()
    assert 150 < right.sum() < 250
    assert (env.distance(tasks.start, tasks.goal) > env.rules.radius).all()
    assert in_the_clear(tasks.start).all() and in_the_clear(tasks.goal).all()
    assert all(np.array_equal(tasks.start[name], tasks.goal[name]) for name in tasks.start if name != "position")


@pytest.mark.parametrize(("kind", "variation"), [("fixed", ()), ("random", ()), ("random", EVERYTHING)])
def test_the_expert_solves_every_task_within_the_budget(kind: str, variation: tuple[str, ...]) -> None:
    env = TwoRooms(200, kind, variation=variation)
    tasks = env.tasks(200, seed=5)
    state = tasks.start
    for _ in range(env.rules.budget):
        action = env.expert(state, tasks.goal)
        state = {name: values[:, 0] for name, values in env.simulate(state, action[:, None]).items()}
    assert (env.distance(state, tasks.goal) <= env.rules.radius).sum() == 200


def test_variation_draws_what_it_names_and_nothing_else() -> None:
    env = TwoRooms(50, variation=("door_size", "agent_color"))
    env.reset(0)
    varied = {name for name, values in env.state().items() if len(np.unique(values, axis=0)) > 1}
    assert varied == {"door_size", "agent_color", "position"}
    for name, (low, high) in RANGES.items():
        assert low <= np.min(DEFAULTS[name]) and np.max(DEFAULTS[name]) <= high


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"layout": "maze"}, "'fixed' or 'random'"),
        ({"size": 8}, "size >= 16"),
        ({"variation": ("colour",)}, "no factor 'colour'"),
        ({"factors": {"sped": 1.0}}, "no factor 'sped'"),
        ({"factors": {"agent_color": 1.0}}, "takes 3 numbers; got 1"),
        ({"factors": {"sped": 1.0}}, "Did you mean 'speed'"),
        ({"variation": ("door_siz",)}, "Did you mean 'door_size'"),
        ({"variation": "speed"}, r"Write \['speed'\]"),
        ({"factors": 3}, "maps names to values"),
        ({"factors": {"speed": "fast"}}, "takes numbers; got 'fast'"),
        ({"factors": {"speed": None}}, "takes numbers; got None"),
        ({"factors": {"speed": float("nan")}}, "'speed' is between 0.01 and 64; got nan"),
        ({"factors": {"speed": float("inf")}}, "'speed' is between"),
        ({"factors": {"agent_radius": -1.0}}, "'agent_radius' is between"),
        ({"factors": {"agent_color": (0, 300, 0)}}, "'agent_color' is between 0 and 255"),
        ({"factors": {"agent_radius": 40.0}}, "units too narrow"),
        ({"factors": {"wall_x": 4.0}}, "units too narrow"),
        ({"factors": {"agent_radius": 9.5}, "layout": "random"}, "units too narrow"),
        ({"size": 16.5}, "whole numbers"),
        ({"size": "64"}, "whole numbers"),
        ({"num_envs": True}, "whole numbers"),
    ],
)
def test_options_are_checked(options: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        TwoRooms(**options)  # type: ignore[arg-type]
