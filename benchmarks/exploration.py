"""Exploration of unseen grids of rooms, next to the shortest tour, and tasks solved with the saved map."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

import tacit as tc
from tacit import studies
from tacit.collection import Random
from tacit.envs import Rooms
from tacit.envs._room_grid import Grid
from tacit.exploration import explore
from tacit.statistics import Rate, bootstrap, wilson
from tacit.studies import Report, Run, RunResult, Study, at_least, rate, table
from tacit.studies.speed import Stopwatch

HELD_OUT = 1_000_003
BUDGET = 3
"""Steps of an exploration, in lengths of the shortest tour."""


@dataclass(frozen=True)
class Settings:
    """Training data and held-out worlds. The search for frontiers was chosen on other worlds.

    Attributes:
        rows: Rooms from top to bottom, and from left to right.
        episodes: Training episodes of random actions, 240 steps each, every one with a layout of its own.
        updates: Updates of the world model.
        worlds: Held-out layouts.
        tasks: Tasks in all, in as many worlds as ``tasks_in``.
        tasks_in: Worlds in which the map is used.
    """

    rows: int = 4
    episodes: int = 600
    updates: int = 2_500
    worlds: int = 30
    tasks: int = 100
    tasks_in: int = 10


def measure(run: Run[Settings]) -> dict[str, Any]:
    chosen, laps = run.settings, Stopwatch()
    name = f"rooms:rows={chosen.rows},columns={chosen.rows},layout=random"
    recorded = tc.collect(name, episodes=chosen.episodes, steps=240, seed=run.seed, progress=False)
    recipe = tc.recipes.UnknownRooms().with_options({"steps": chosen.updates})
    agent = recipe.learn(recorded, seed=run.seed, to=run.work / "run")
    agent.save(run.work / "agent")
    laps.end("train")
    tours, entered, by_chance, solved = [], list[float](), list[float](), list[bool]()
    for number in range(chosen.worlds):
        seed = HELD_OUT + number
        world = Rooms(1, rows=chosen.rows, columns=chosen.rows, layout_seed=seed)
        tours.append(shortest_tour(world, seed))
        steps = int(BUDGET * tours[-1])
        mapped, episodes = explore(agent, world, steps=steps, seed=seed, progress=False)
        entered.append(share(episodes[0], chosen.rows))
        wandering = tc.collect(world, Random(8), episodes=1, steps=steps, seed=seed, progress=False)
        by_chance.append(share(wandering[0], chosen.rows))
        if number < chosen.tasks_in:
            mapped.save(run.work / f"map_{number}")
    laps.end("explore")
    each = chosen.tasks // chosen.tasks_in
    for number in range(chosen.tasks_in):
        again = tc.Agent.load(run.work / f"map_{number}")
        world = Rooms(each, rows=chosen.rows, columns=chosen.rows, layout_seed=HELD_OUT + number)
        found = tc.evaluation.closed_loop(again, world, each, HELD_OUT, progress=False)
        solved += found.solved.tolist()
    laps.end("tasks")
    return {
        "data_hash": recorded.hash(),
        "tour": [float(np.min(tours)), float(np.mean(tours)), float(np.max(tours))],
        "entered": bootstrap(np.array(entered)),
        "by_chance": bootstrap(np.array(by_chance)),
        "solved": wilson(sum(solved), len(solved)),
        "seconds": laps.seconds,
    }


def share(episode: Any, rows: int) -> float:
    """Return the share of the rooms of a square grid that an episode entered."""
    return len(np.unique(episode.labels["cell"], axis=0)) / rows**2


def shortest_tour(world: Rooms, seed: int) -> float:
    """Return the steps of the shortest way from the start of a seed that enters every room.

    Held and Karp's dynamic program over the sides of doors: a room is entered where a way comes through a door.
    """
    world.reset(seed)
    state = world.state()
    places, room = doors_of(world)
    count, (column, row) = world.rows * world.columns, (values[0] for values in world.labels()["cell"].T)
    start = 1 << int(row * world.columns + column)
    points = np.concatenate([state["position"], places])
    steps = between(world, points) / float(state["speed"][0, 0])
    inside = [np.flatnonzero(room == number) for number in range(count)]
    best = np.full((1 << count, len(places)), np.inf)
    for entered in range(1 << count):
        if not entered & start:
            continue
        onward = steps[0, 1:] if entered == start else (best[entered][:, None] + steps[1:, 1:]).min(axis=0)
        for number in range(count):
            if not entered >> number & 1:
                sides = inside[number]
                best[entered | 1 << number, sides] = np.minimum(best[entered | 1 << number, sides], onward[sides])
    return float(best[-1].min())


def doors_of(world: Rooms) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.int64]]:
    """Return the places ``[n, 2]`` on both sides of each door, and their rooms."""
    state, columns = world.state(), world.columns
    grid = Grid(state)
    (left, top), (right, bottom) = ([values[0] for values in part] for part in (grid.low, grid.high))
    places, room = [], []
    for row, column in np.argwhere(state["door_right"][0] > 0):
        across = state["door_right"][0, row, column]
        places += [(right[column], across), (left[column + 1], across)]
        room += [row * columns + column, row * columns + column + 1]
    for row, column in np.argwhere(state["door_down"][0] > 0):
        along = state["door_down"][0, row, column]
        places += [(along, bottom[row]), (along, top[row + 1])]
        room += [row * columns + column, (row + 1) * columns + column]
    return np.array(places), np.array(room)


def between(world: Rooms, points: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Return the lengths ``[n, n]`` of the shortest ways between points."""
    count = len(points)
    state = {name: np.repeat(values[:1], count**2, axis=0) for name, values in world.state().items()}
    starts, goals = ({**state, "position": part} for part in (np.tile(points, (count, 1)), points.repeat(count, 0)))
    return world.distance(starts, goals).reshape(count, count).T


def report(results: Mapping[str, RunResult]) -> Report:
    rows, targets = [], []
    for name, result in results.items():
        one = result.values
        entered, by_chance = (f"{100 * one[which]['mean']:.1f} %" for which in ("entered", "by_chance"))
        tour = "{:.0f} to {:.0f}".format(one["tour"][0], one["tour"][2])
        used = one["seconds"]
        rows.append(
            (name, tour, entered, by_chance, rate(one["solved"]), *(f"{used[f'{lap}_cpu']:.0f}" for lap in LAPS))
        )
        targets += [
            at_least(f"{name}: rooms entered within {BUDGET} tours, %", 100 * one["entered"]["mean"], 90),
            at_least(f"{name}: tasks solved with the saved map, %", 100 * Rate(**one["solved"]).rate, 85),
        ]
    head = ("case", "shortest tour, steps", "rooms entered", "by random actions", "tasks solved with the map")
    return Report([table((*head, *(f"{lap}, CPU s" for lap in LAPS)), rows)], targets)


LAPS = ("train", "explore", "tasks")

STUDY = Study(
    name="exploration",
    title="Exploration of unseen grids of rooms",
    summary=(
        "An agent trained on random actions in random layouts of 4x4 rooms maps 30 layouts that it has not seen, for 3 "
        "times the steps of the shortest tour from its start that enters every room. Then the maps are loaded again, "
        "and used for 100 tasks, goals given as images, in 10 of these worlds. Random actions repeat each action for 8 "
        "steps on average, as in the training data."
    ),
    command="uv run benchmarks/exploration.py",
    cases={"4x4": Settings()},
    seeds=(0,),
    measure=measure,
    report=report,
)

if __name__ == "__main__":
    studies.main(STUDY)
