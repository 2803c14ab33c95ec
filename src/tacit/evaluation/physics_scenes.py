"""Matched videos of possible and impossible physics, in the world of a table and an object."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from tacit._registry import suggest
from tacit._seeds import draw_seeds
from tacit.envs import TableAndBook
from tacit.envs._table_physics import GROUND, SHAPES, WORLD
from tacit.errors import ConfigError
from tacit.evaluation.expectation import Triples
from tacit.types import Observation, State

__all__ = ["SCENES", "physics_triples"]

SCENES = ("permanence", "continuity", "solidity", "gravity")
EVENT = 4
"""The first observation that may differ, and the step after which the support is removed."""
JUMP = (14.0, 30.0)
"""The shortest and the longest way of an object that jumps along x."""
TRIES = 50

Floats = dict[str, npt.NDArray[np.float64]]


def physics_triples(
    env: TableAndBook, count: int, seed: int, *, scenes: Sequence[str] = SCENES, steps: int = 14
) -> Triples:
    """Make ``count`` matched triples of each scene, of ``steps`` actions and one observation more.

    In each, a normal video is what the physics of the environment does, and a change of appearance is a new colour of
    the object from the event on. The impossible events are:

    - ``permanence``: an object that flies behind a screen does not come out again,
    - ``continuity``: an object is at another place, 14 units away or more, and goes on from there,
    - ``solidity``: an object falls through the table,
    - ``gravity``: the table is removed, and the object on it stays in the air.

    Args:
        env: The environment, with its shapes and factors; its running episodes do not change.
        count: Triples of each scene.
        seed: Seed of all triples.
        scenes: Names of the scenes.
        steps: Actions of a video, at least 8.

    Raises:
        ConfigError: if there is no such scene, an option is too small, or the event cannot be seen in any of 50 draws,
            with objects or tables that are too small.
    """
    if count < 1 or steps < 2 * EVENT or not scenes:
        raise ConfigError(
            f"physics_triples needs count >= 1, steps >= {2 * EVENT} and a scene; got {count}, {steps}, {scenes}."
        )
    for name in scenes:
        if name not in SCENES:
            raise ConfigError(f"there is no scene {name!r}.{suggest(name, SCENES)} There are {', '.join(SCENES)}.")
    world = replace(env, num_envs=1, screens=0.0)
    made = []
    for number, name in enumerate(scenes):
        rng = np.random.default_rng([seed, number])
        made += [_triple(world, name, rng, steps) for _ in range(count)]
    return Triples(
        _joined([one.normal for one in made]),
        _joined([one.appearance for one in made]),
        _joined([one.impossible for one in made]),
        np.concatenate([one.action for one in made]),
        tuple(name for name in scenes for _ in range(count)),
        np.concatenate([one.event for one in made]),
    )


def _joined(videos: Sequence[Observation]) -> Observation:
    return {name: np.concatenate([one[name] for one in videos]) for name in videos[0]}


def _triple(env: TableAndBook, scene: str, rng: np.random.Generator, steps: int) -> Triples:
    """Return one triple of a scene."""
    for _ in range(TRIES):
        start, action = _start(env, scene, rng, steps)
        normal = _path(env, start, action)
        impossible = _impossible(env, scene, normal, action, rng)
        if impossible is None:
            continue
        broken, ordinary = _video(env, impossible), _video(env, normal)
        differs = [bool((a != b).any()) for a, b in zip(broken["pixels"][0], ordinary["pixels"][0], strict=True)]
        if not any(differs):
            continue
        event = differs.index(True)
        painted = {name: values.copy() for name, values in normal.items()}
        painted["book_color"][event:] = np.roll(painted["book_color"][event:], int(rng.integers(1, 3)), axis=1)
        return Triples(ordinary, _video(env, painted), broken, action, (scene,), np.array([event]))
    raise ConfigError(
        f"no {scene} event can be seen in {TRIES} draws. Take objects of size 0.8 to 1.25 and tables 18 to 30 wide."
    )


def _start(
    env: TableAndBook, scene: str, rng: np.random.Generator, steps: int
) -> tuple[State, npt.NDArray[np.float32]]:
    """Draw the state ``[1, ...]`` at the start of a scene, and actions ``[1, steps, 3]``."""
    (seed,) = draw_seeds(int(rng.integers(2**31)), 1)
    start = {name: np.array(values, np.float64) for name, values in env.tasks(1, seed).start.items()}
    action = np.zeros((1, steps, 3), np.float32)
    top, size = GROUND - start["table_height"][0, 0], start["size"][0, 0]
    book, reach = start["book"][0], _reach(int(start["shape"][0, 0])) * size
    if scene == "continuity":
        action[:, :, :2] = rng.uniform(-1, 1, 2)
    elif scene == "gravity":
        action[:, EVENT - 1, 2] = 1.0
    elif scene == "solidity":
        book[1] = top - reach - rng.uniform(8, 20)
    elif scene == "permanence":
        sign, speed = rng.choice([-1.0, 1.0]), rng.uniform(30, 40)
        screen, width = rng.uniform(26, WORLD - 26), 2 * reach + 3
        start["screen"] = np.array([[screen, width]])
        start["removed"] = np.ones((1, 1))
        book[:] = screen - sign * (width / 2 + reach + 2), rng.uniform(12, 18), 0.0, sign * speed, -20.0, 0.0
    start["last"] = np.array([[*(book[:2] - 0.1 * book[3:5]), book[2], start["table"][0, 0], start["removed"][0, 0]]])
    return start, action


def _impossible(
    env: TableAndBook, scene: str, normal: Floats, action: npt.NDArray[np.float32], rng: np.random.Generator
) -> Floats | None:
    """Return the states ``[T, ...]`` of an impossible video, or None where the event cannot happen."""
    path = {name: values.copy() for name, values in normal.items()}
    if scene == "gravity":
        path["book"][EVENT:] = path["book"][EVENT - 1]
    elif scene == "permanence":
        apart = np.abs(path["book"][:, 0] - path["screen"][:, 0])
        reach = _reach(int(path["shape"][0, 0])) * path["size"][0, 0]
        hidden = np.flatnonzero(apart + reach <= path["screen"][:, 1] / 2)
        if not len(hidden):
            return None
        path["visible"][hidden[0] :] = 0.0
    elif scene == "solidity":
        path = _path(env, {name: values[:1] for name, values in normal.items()}, action, solid=False)
    else:
        moved = {name: values[EVENT : EVENT + 1].copy() for name, values in normal.items()}
        x = moved["book"][0, 0]
        places = [x + sign * rng.uniform(*JUMP) for sign in (-1, 1)]
        inside = [place for place in places if 8 < place < WORLD - 8]
        if not inside:
            return None
        moved["book"][0, :2] = inside[int(rng.integers(len(inside)))], min(moved["book"][0, 1], rng.uniform(12, 28))
        rest = _path(env, moved, action[:, EVENT:])
        path = {name: np.concatenate([values[:EVENT], rest[name]]) for name, values in path.items()}
    return path


def _path(env: TableAndBook, start: State, action: npt.NDArray[np.float32], *, solid: bool = True) -> Floats:
    """Return the states ``[T, ...]`` of one world from its start on."""
    after = env.simulate(start, action) if solid else env.simulate_through(start, action)
    return {name: np.concatenate([values, after[name][0]]) for name, values in start.items()}


def _video(env: TableAndBook, path: Floats) -> Observation:
    """Return observations ``[1, T, ...]``; with stacked ones, the image before is that of the state before."""
    images = env.observe(path)["pixels"]
    if env.stacked:
        images = images.copy()
        images[1:, :3] = images[:-1, 3:]
    return {"pixels": images[None]}


def _reach(shape: int) -> float:
    """Return the largest distance of a shape of size 1 from its centre."""
    corners = list(SHAPES.values())[shape]
    return corners if isinstance(corners, float) else max(float(np.hypot(x, y)) for x, y in corners)
