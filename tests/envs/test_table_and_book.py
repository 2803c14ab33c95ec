"""The table and the book against their own description: gravity, support, friction, collisions, images."""

import sys

import numpy as np
import pytest

from tacit import envs
from tacit.envs import TableAndBook
from tacit.envs.table_and_book import GROUND
from tacit.errors import ConfigError, MissingExtra, SpecError
from tacit.testing.environments import check_environment

STILL = (0.0, 0.0, 0.0)
REMOVE = (0.0, 0.0, 1.0)


def start(env=None, **values):
    """A book at rest in the middle of a table in the middle of the world."""
    env = env or TableAndBook(size=32)
    state = {name: np.array(value) for name, value in env.tasks(1, 0).start.items()}
    top = GROUND - state["table_height"][0, 0]
    state["table"] = np.array([[32.0, 0.0]])
    state["book"] = np.array([[32.0, top - 2.5, 0.0, 0.0, 0.0, 0.0]])
    state["last"] = np.array([[32.0, top - 2.5, 0.0, 32.0, 0.0]])
    for name, value in values.items():
        state[name] = np.array([value], np.float64)
    return state


def run(state, action, steps=10, env=None):
    """The path of the book ``[steps, 6]`` and of the table ``[steps, 2]`` under one held action."""
    env = env or TableAndBook(size=32)
    after = env.simulate(state, np.tile(np.array(action, np.float32), (1, steps, 1)))
    return after["book"][0], after["table"][0]


def test_everything_at_once_conforms():
    check_environment(
        TableAndBook(
            3,
            size=24,
            stacked=True,
            screens=0.5,
            shapes=("book", "box", "ball", "prism"),
            variation=("size", "mass", "table_width", "table_height", "book_color"),
        )
    )


def test_a_book_at_rest_stays():
    book, table = run(start(), STILL)
    assert np.abs(book[-1, :3] - start()["book"][0, :3]).max() < 0.2
    np.testing.assert_allclose(table[-1], [32.0, 0.0], atol=1e-6)


def test_without_support_it_falls_as_gravity_says():
    book, _ = run(start(), REMOVE, steps=8)
    fallen = book[:, 1] - start()["book"][0, 1]
    # Positions move before velocities, in steps of 0.01 s at 160 units/s²: g dt² n (n - 1) / 2.
    np.testing.assert_allclose(fallen[:3], [160 * 1e-4 * n * (n - 1) / 2 for n in (10, 20, 30)], rtol=1e-3)
    assert abs(book[-1, 1] - (GROUND - 2.5)) < 0.3 and abs(book[-1, 4]) < 2


def test_a_pushed_table_carries_the_book_by_friction():
    book, table = run(start(), (0.5, 0.0, 0.0), steps=8)
    assert table[-1, 0] - 32 > 5
    assert book[-1, 0] - 32 == pytest.approx(table[-1, 0] - 32, abs=1.5)
    away, _ = run(start(book=[10.0, GROUND - 2.5, 0, 0, 0, 0]), (0.5, 0.0, 0.0), steps=8)
    assert abs(away[-1, 0] - 10) < 0.1  # on the ground beside the table


def test_a_table_pushes_what_is_in_its_way():
    state = start(book=[52.0, GROUND - 2.5, 0, 0, 0, 0])
    book, table = run(state, (1.0, 0.0, 0.0), steps=8)
    assert book[-1, 0] > 53 and table[-1, 0] > 34
    assert book[-1, 0] - table[-1, 0] > 12 + 6 - 1  # half a table and half a book apart


def test_a_push_moves_the_book_and_a_heavier_one_less():
    light, _ = run(start(), (0.0, 0.9, 0.0), steps=5)
    heavy, _ = run(start(mass=[1.3]), (0.0, 0.9, 0.0), steps=5)
    assert light[-1, 0] - 32 > 1.2 * (heavy[-1, 0] - 32) > 0


def test_an_object_falls_onto_the_table_or_through_it():
    state, env = start(book=[32.0, 20.0, 0, 0, 0, 0]), TableAndBook(size=32)
    plan = np.zeros((1, 12, 3), np.float32)
    landed, through = env.simulate(state, plan)["book"][0, -1], env.simulate_through(state, plan)["book"][0, -1]
    assert landed[1] == pytest.approx(GROUND - 16 - 2.5, abs=0.5)
    assert through[1] == pytest.approx(GROUND - 2.5, abs=0.5)


def test_a_removed_table_is_gone_for_good():
    env = TableAndBook(size=32)
    env.begin(start())
    before = env.observe(start())["pixels"]
    env.step(np.array([REMOVE], np.float32))
    gone = env.step(np.zeros((1, 3), np.float32)).observation["pixels"]
    assert env.state()["removed"].item() == 1
    colour = np.array([150, 105, 60]).reshape(3, 1, 1)
    assert (np.abs(before[0].astype(int) - colour) < 20).all(axis=0).any()
    assert not (np.abs(gone[0].astype(int) - colour) < 20).all(axis=0).any()


@pytest.mark.parametrize(("shape", "area"), [("book", 60.0), ("box", 64.0), ("ball", np.pi * 4.5**2)])
def test_images_have_the_area_of_the_object(shape, area):
    env = TableAndBook(size=64, shapes=(shape,), factors={"book_color": (0, 0, 0), "background_color": (200, 200, 200)})
    for angle in (0.0, 0.4):
        state = start(env, book=[32.3, 20.6, angle, 0, 0, 0])
        cover = (200 - env.observe(state)["pixels"][0, 0, :38].astype(float)) / 200
        assert cover.sum() == pytest.approx(area, rel=0.03)
        across = (cover.sum(axis=0) * (np.arange(64) + 0.5)).sum() / cover.sum()
        assert across == pytest.approx(32.3, abs=0.05)


def test_a_screen_hides_and_stacked_images_show_the_step_before():
    env = TableAndBook(size=32, stacked=True)
    state = start(env, screen=[32.0, 18.0], book=[32.0, 20.0, 0, 0, 0, 0], last=[32.0, 20.0, 0, 32.0, 0])
    np.testing.assert_array_equal(env.observe(state)["pixels"], env.observe({**state, "visible": [[0.0]]})["pixels"])
    first = env.begin(start(env))["pixels"]
    moved = env.step(np.array([[1.0, 0.0, 0.0]], np.float32)).observation["pixels"]
    np.testing.assert_array_equal(moved[:, :3], first[:, 3:])
    assert (moved[:, 3:] != moved[:, :3]).any()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"shapes": "book"}, "list of names"),
        ({"shapes": ["bok"]}, "Did you mean 'book'"),
        ({"size": 8}, "size >= 16"),
        ({"screens": 2.0}, "screens from 0 to 1"),
        ({"factors": {"size": 9}}, "between 0.5 and 1.5"),
        ({"variation": ["sise"]}, "Did you mean 'size'"),
    ],
)
def test_options_are_checked(options, message):
    with pytest.raises(ConfigError, match=message):
        TableAndBook(**options)


def test_states_are_checked():
    env = TableAndBook(size=32)
    state = start()
    with pytest.raises(SpecError, match="a state of TableAndBook has size, mass"):
        env.begin({"book": state["book"]})
    with pytest.raises(SpecError, match=r"'book'.*NaN"):
        env.begin({**state, "book": state["book"] * np.nan})
    with pytest.raises(SpecError, match="whole number from 0 to 3"):
        env.begin({**state, "shape": np.array([[7.0]])})


def test_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "pymunk", None)
    with pytest.raises(MissingExtra, match=r"pymunk.*physics"):
        envs.make("table_and_book")
