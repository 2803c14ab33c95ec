"""Rooms against its own description: walls, distances, tasks, budgets, images, expert."""

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tacit import envs
from tacit.agent import RandomActor
from tacit.envs import Rooms
from tacit.errors import ConfigError
from tacit.evaluation import ExpertActor, closed_loop, trace
from tacit.evaluation.oracles import TrueDynamicsActor
from tacit.planners import CEM
from tacit.types import State

Floats = npt.NDArray[np.float64]
EVERYTHING = ("wall_thickness", "door_size", "agent_radius", "speed")
LATTICE = 0.5
ALIGNED = {"2x2": (2, 2.0), "3x3": (3, 3.0), "4x4": (4, 4.0)}
"""Rooms and walls whose corners lie on the lattice."""


def free(state: State, points: Floats, tolerance: float = 1e-9) -> npt.NDArray[np.bool_]:
    """Whether a disc at each point ``[n, 2]`` touches no wall of the first world; from the description alone."""
    right, down = state["door_right"][0], state["door_down"][0]
    thickness, door, radius = (float(state[name][0, 0]) for name in ("wall_thickness", "door_size", "agent_radius"))
    (rows, columns), allowed = (len(right), down.shape[1]), np.zeros(len(points), np.bool_)
    width, height = (60 - (columns - 1) * thickness) / columns, (60 - (rows - 1) * thickness) / rows
    for row in range(rows):
        for column in range(columns):
            x, y = 2 + column * (width + thickness), 2 + row * (height + thickness)
            boxes = [(x + radius, x + width - radius, y + radius, y + height - radius)]
            if column + 1 < columns and right[row, column]:
                half = min(door, height) / 2 - radius
                middle = right[row, column]
                boxes.append((x + width - radius, x + width + thickness + radius, middle - half, middle + half))
            if row + 1 < rows and down[row, column]:
                half = min(door, width) / 2 - radius
                middle = down[row, column]
                boxes.append((middle - half, middle + half, y + height - radius, y + height + thickness + radius))
            for x0, x1, y0, y1 in boxes:
                low, high = np.array([x0, y0]) - tolerance, np.array([x1, y1]) + tolerance
                allowed |= ((points >= low) & (points <= high)).all(axis=1)
    return allowed


def aligned(rooms: int, thickness: float, seed: int) -> tuple[Rooms, State]:
    """Return a world whose walls and doors lie on the lattice."""
    env = Rooms(1, rows=rooms, columns=rooms, layout="random", factors={"wall_thickness": thickness})
    env.reset(seed)
    doors = {name: np.round(env.state()[name] / LATTICE) * LATTICE for name in ("door_right", "door_down")}
    return env, {**env.state(), **doors}


def lattice_distances(state: State, goal: Floats) -> tuple[Floats, Floats]:
    """Return all free lattice points and their distances to the goal: breadth-first search in eight directions."""
    axis = np.arange(0, 64 + LATTICE, LATTICE)
    points = np.stack(np.meshgrid(axis, axis, indexing="ij"), axis=-1)
    inside = free(state, points.reshape(-1, 2)).reshape(points.shape[:2])
    found = np.full(inside.shape, np.inf)
    start = tuple(np.round(goal / LATTICE).astype(int))
    found[start], frontier, length = 0.0, [start], 0.0
    compass = [(x, y) for x in (-1, 0, 1) for y in (-1, 0, 1) if x or y]
    while frontier:
        length += LATTICE
        steps = np.array([(*place, place[0] + x, place[1] + y) for place in frontier for x, y in compass])
        steps = steps[inside[steps[:, 2], steps[:, 3]]]
        steps = steps[free(state, (steps[:, :2] + steps[:, 2:]) * LATTICE / 2)]
        fresh = {(x, y) for x, y in steps[:, 2:].tolist() if found[x, y] == np.inf}
        for place in fresh:
            found[place] = length
        frontier = list(fresh)
    return points[inside], found[inside]


@given(seed=st.integers(0, 2**32 - 1), hold=st.integers(1, 40), rows=st.integers(2, 8), columns=st.integers(2, 8))
@settings(max_examples=40, deadline=None)
def test_walls_stop_the_disc_but_in_the_doors(seed: int, hold: int, rows: int, columns: int) -> None:
    env = Rooms(1, rows=rows, columns=columns, layout="random", variation=EVERYTHING)
    env.reset(seed)
    rng, start = np.random.default_rng(seed), env.state()
    plan = np.repeat(rng.uniform(-1.5, 1.5, (1, 300 // hold + 1, 2)), hold, axis=1).astype(np.float32)
    path = np.concatenate([start["position"][:, None], env.simulate(start, plan)["position"]], axis=1)[0]
    assert free(start, path).all()
    corner = np.stack([path[1:, 0], path[:-1, 1]], axis=1)
    for one, other in ((path[:-1], corner), (corner, path[1:])):
        for share in np.linspace(0, 1, 7):
            assert free(start, one + share * (other - one)).all(), "a way along an axis led through a wall"


@pytest.mark.parametrize("name", ALIGNED)
def test_distances_are_those_of_a_search_of_a_lattice(name: str) -> None:
    for seed in range(3):
        env, state = aligned(*ALIGNED[name], seed)
        rng = np.random.default_rng(seed)
        points, _ = lattice_distances(state, np.round(state["position"][0]))
        passages = points[~free(state, points + 2.0) & ~free(state, points - 2.0)]
        for goal in (points[rng.integers(len(points))], passages[rng.integers(len(passages))]):
            points, expected = lattice_distances(state, goal)
            assert np.isfinite(expected).all(), "every room is reachable"
            many = {key: np.repeat(value, len(points), axis=0) for key, value in state.items()}
            found = env.distance({**many, "position": points}, {**many, "position": np.tile(goal, (len(points), 1))})
            np.testing.assert_allclose(found, expected, atol=1e-9)


def least_steps(env: Rooms, state: State, goal: Floats, most: int) -> tuple[Floats, npt.NDArray[np.int64]]:
    """Return places from which some actions lead to the goal, and the least number of them, by a search of them all."""
    actions = np.array([(x, y) for x in np.linspace(-1, 1, 5) for y in np.linspace(-1, 1, 5)], np.float32)
    points, _ = lattice_distances(state, goal)
    number = {tuple(point): index for index, point in enumerate(points)}
    many = {key: np.repeat(value, len(points) * len(actions), axis=0) for key, value in state.items()}
    many["position"] = np.repeat(points, len(actions), axis=0)
    ends = env.simulate(many, np.tile(actions, (len(points), 1))[:, None])["position"][:, 0]
    following = np.array([number[tuple(end)] for end in ends]).reshape(len(points), -1)
    steps = np.full(len(points), most)
    steps[number[tuple(goal)]] = 0
    for _ in range(most):
        steps = np.minimum(steps, steps[following].min(axis=1) + 1)
    return points, steps


def test_distances_are_steps_up_to_one_for_each_corner() -> None:
    env, state = aligned(3, 3.0, 1)
    goal = np.round(state["position"][0])
    points, steps = least_steps(env, state, goal, 200)
    many = {key: np.repeat(value, len(points), axis=0) for key, value in state.items()}
    distance = env.distance({**many, "position": points}, {**many, "position": np.tile(goal, (len(points), 1))})
    excess = steps - distance
    assert distance.max() > 100
    assert (excess < 1).all(), "a straight piece of a way takes a step for each unit"
    assert (excess > -3).all() and np.median(excess) >= 0, "corners may be cut, straight ways not"


@pytest.mark.parametrize("options", [{"rows": 4, "columns": 2, "layout": "random", "variation": ("speed",)}, {}])
def test_tasks_lead_to_another_room_and_have_twice_the_steps(options: dict[str, object]) -> None:
    env = Rooms(1, **options)  # type: ignore[arg-type]
    tasks = env.tasks(200, seed=5)
    env.begin(tasks.start)
    first = env.labels()["cell"]
    env.begin(tasks.goal)
    assert (first != env.labels()["cell"]).any(axis=1).all()
    steps = env.distance(tasks.start, tasks.goal) / tasks.start["speed"][:, 0]
    assert tasks.budget is not None
    np.testing.assert_array_equal(tasks.budget, np.ceil(2 * steps) + 25)
    assert tasks.budget.max() <= env.rules.budget
    layouts = len(np.unique(tasks.start["door_right"].reshape(200, -1), axis=0))
    assert layouts == (200 if options else 1)
    assert all(np.array_equal(tasks.start[name], tasks.goal[name]) for name in tasks.start if name != "position")


def test_goals_lie_in_the_asked_range_of_steps() -> None:
    env = envs.make_goal("rooms:rows=3,columns=3,goal_steps=[50,70]")
    tasks = env.tasks(100, seed=0)
    steps = env.distance(tasks.start, tasks.goal)
    assert ((steps >= 50) & (steps <= 70)).all() and np.ptp(steps) > 10
    with pytest.raises(ConfigError, match=r"the furthest drawn goal is \d+ steps away"):
        Rooms(goal_steps=(400, 500)).tasks(3, seed=0)


def test_the_expert_solves_every_task_within_its_budget() -> None:
    for env in (Rooms(1, rows=5, columns=5, layout="random", variation=EVERYTHING), Rooms(1, rows=8, columns=8)):
        found = closed_loop(ExpertActor(env), env, episodes=100, seed=2)
        assert found.success.rate == 1.0
        steps = (found.distances > env.rules.radius).sum(axis=1)
        assert (steps <= found.distances[:, 0] / found.tasks.start["speed"][:, 0] + 5).all(), "it takes a shortest way"


def test_the_oracle_sees_the_way_around_walls() -> None:
    env = Rooms(1, goal_steps=(40, 80))
    planner = CEM(samples=64, iterations=3, elites=8)
    oracle = TrueDynamicsActor(env, planner, horizon=2, frameskip=4, repeat_action=True)
    assert closed_loop(oracle, env, episodes=20, seed=3).success.rate == 1.0
    assert closed_loop(RandomActor(env.spec.action, repeat=4), env, episodes=20, seed=3).success.rate < 0.5


def test_an_episode_ends_with_the_budget_of_its_task() -> None:
    env = Rooms(1)
    tasks = env.tasks(6, seed=1)
    found = trace(RandomActor(env.spec.action), env, tasks, seed=0)
    assert tasks.budget is not None
    np.testing.assert_array_equal(found.lengths, tasks.budget)
    assert found.distances is not None and found.distances.shape[1] == tasks.budget.max() + 1
    for distances, budget in zip(found.distances, tasks.budget, strict=True):
        assert (distances[budget:] == distances[budget]).all()
    np.testing.assert_array_equal(trace(RandomActor(env.spec.action), env, tasks, steps=40).lengths, 40)
    whole = closed_loop(RandomActor(env.spec.action), env, tasks=tasks, batch=2)
    np.testing.assert_array_equal(whole.trace.lengths, tasks.budget)
    assert f"{tasks.budget.min()} to {tasks.budget.max()} steps at most" in str(whole)


def test_nothing_influences_distractors() -> None:
    env = Rooms(4, distractors=3)
    env.reset(0)
    start = env.state()
    plans = np.random.default_rng(0).uniform(-1, 1, (2, 4, 200, 2)).astype(np.float32)
    one, other = (env.simulate(start, plan) for plan in plans)
    assert not np.array_equal(one["position"], other["position"])
    np.testing.assert_array_equal(one["distractors"], other["distractors"])
    places = one["distractors"][..., :2]
    assert (places >= 2).all() and (places <= 62).all() and np.ptp(places) > 50
    speed = np.linalg.norm(one["distractors"][..., 2:], axis=-1)
    np.testing.assert_allclose(speed, np.broadcast_to(speed[:, :1], speed.shape))
    bare = Rooms(4).observe({name: value for name, value in start.items() if name != "distractors"})
    assert (env.observe(start)["pixels"] != bare["pixels"]).any(axis=(1, 2, 3)).all()


def test_the_egocentric_view_is_the_world_around_the_disc() -> None:
    state = {**Rooms(3).state(), "position": np.array([[32.0, 32.0], [21.0, 42.0], [10.0, 53.0]])}
    top, around = (
        Rooms(3, size=64).observe(state)["pixels"],
        Rooms(3, size=32, view="egocentric").observe(state)["pixels"],
    )
    np.testing.assert_array_equal(around[0], top[0, :, 16:48, 16:48])
    np.testing.assert_array_equal(around[1], top[1, :, 26:58, 5:37])
    np.testing.assert_array_equal(around[2, :, :27, 6:], top[2, :, 37:64, :26])
    wall = state["wall_color"][0].astype(np.uint8)[:, None, None]
    assert (around[2, :, 27:] == wall).all() and (around[2, :, :, :6] == wall).all(), "outside there is wall"


def test_cues_tell_rooms_apart_that_look_alike() -> None:
    plain, marked = Rooms(1, view="egocentric"), Rooms(1, view="egocentric", cues=True)
    colors = set()
    for room in range(9):
        state = {**plain.state(), "position": np.array([[11.3 + 20.7 * (room % 3), 11.3 + 20.7 * (room // 3)]])}
        changed = (marked.observe(state)["pixels"] != plain.observe(state)["pixels"])[0].any(axis=0)
        assert changed[24:40, 24:40].any()
        colors.add(tuple(marked.observe(state)["pixels"][0, :, 28, 28]))
    assert len(colors) == 9


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"rows": 1}, "rows as a whole number from 2 to 8; got 1"),
        ({"columns": 9}, "columns as a whole number"),
        ({"layout": "maze"}, "layout='fixed' or 'random'"),
        ({"view": "side"}, "view='top' or 'egocentric'"),
        ({"goal_steps": (100, 50)}, r"such as \(50, 100\); got \(100, 50\)"),
        ({"factors": {"door_width": 3.0}}, "Rooms has no factor 'door_width'"),
        ({"factors": {"agent_radius": 4.0}}, "needs rooms and doors 8.5 wide"),
        ({"factors": {"door_size": 12.0}}, "doors at most as wide as the wall and four radii, 8"),
        ({"factors": {"speed": 9.0}}, "a speed of at most the wall and two radii, 5"),
    ],
)
def test_options_that_do_not_fit_are_refused(options: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        Rooms(**options)  # type: ignore[arg-type]


def test_a_cue_names_the_goal_for_some_steps_and_then_no_longer() -> None:
    env = Rooms(40, rows=2, columns=2, goal_cue=(2, 3))
    tasks, plain = env.tasks(40, 0), Rooms(40, rows=2, columns=2)
    places = np.array([(16.5, 16.5), (47.5, 16.5), (16.5, 47.5), (47.5, 47.5)])
    cue = tasks.start["cue"][:, 0].astype(int)
    assert set(cue) == {0, 1, 2, 3}
    assert np.array_equal(tasks.goal["position"], places[cue])
    frames, actions = [env.begin(tasks.start)["pixels"]], np.zeros((40, 2), np.float32)
    frames += [env.step(actions).observation["pixels"] for _ in range(6)]
    hidden = plain.observe({name: part for name, part in tasks.start.items() if name != "cue"})["pixels"]
    for step, frame in enumerate(frames):
        assert np.array_equal(frame[:, :, 2:-2, 2:-2], hidden[:, :, 2:-2, 2:-2])
        if not 2 <= step < 5:
            assert np.array_equal(frame, hidden)
            continue
        colors = frame[:, :, 0, 0]
        assert all((frame[:, :, :2] == colors[:, :, None, None]).all(axis=(1, 2, 3)))
        assert len(np.unique(colors, axis=0)) == 4
        assert all(len(np.unique(colors[cue == one], axis=0)) == 1 for one in range(4))
    assert np.array_equal(env.observe(tasks.goal)["pixels"][:, :, 0, 0], hidden[:, :, 0, 0])
    assert np.array_equal(env.labels()["cue"], np.eye(4)[cue])
    simulated = env.simulate(tasks.start, np.zeros((40, 6, 2), np.float32))
    assert np.array_equal(simulated["cue"][:, -1], env.state()["cue"])
    rooms = np.stack(plain_cells(tasks.start["position"]), axis=1)
    assert np.mean((rooms * [1, 2]).sum(axis=1) == cue) < 0.6, "the start does not tell the goal"


def plain_cells(position: Floats) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.bool_]]:
    """Column and row of positions in a grid of 2 x 2 rooms."""
    return position[:, 0] > 32, position[:, 1] > 32


@pytest.mark.parametrize("cue", [(1,), (-1, 3), (0, 0), 4, (1.0, 2)])
def test_cues_of_no_time_are_refused(cue: object) -> None:
    with pytest.raises(ConfigError, match="goal_cue is the step"):
        Rooms(goal_cue=cue)  # type: ignore[arg-type]
