"""Goals that are no exact image, in Two Rooms: a value, a region and one of two images, for the pretrained agent."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

import tacit as tc
from tacit import studies
from tacit.costs import CostTerm, Goal, Region
from tacit.studies import Report, Run, RunResult, Study, Target, at_least, met, rate, table
from tacit.types import State, Tasks

SIDE = 8.0
"""The sides of a region; the goal of the task is at a random place inside."""


@dataclass(frozen=True)
class Settings:
    """The kind of goal, and the cost of a value. They were chosen on the tasks of another seed.

    Attributes:
        goal: ``image``: the goal image of the task; ``value``: its position; ``region``: a box around it; ``images``:
            its goal image or that of the previous task.
        within: Tolerance of the cost of a value.
        reduce: Reduction of the costs of values and regions.
        tasks: Held-out tasks.
        task_seed: Their seed.
    """

    goal: Literal["image", "value", "region", "images"]
    within: float = 1.0
    reduce: Literal["sum", "min"] = "min"
    tasks: int = 200
    task_seed: int = 5


def measure(run: Run[Settings]) -> dict[str, Any]:
    chosen, env = run.settings, tc.envs.TwoRooms()
    agent = tc.recipes.pretrained("two_rooms")
    assert isinstance(agent.model, tc.models.WorldModel)
    recorded = tc.collect(env, tc.collection.Random(repeat=8), episodes=150, seed=77, to=run.shared / "random")
    position = tc.probing.fit(agent.model, recorded, "position", progress=False)
    tasks, _ = tc.evaluation.held_out_tasks(env, chosen.tasks, chosen.task_seed)
    places, images = np.asarray(tasks.goal["position"], np.float64), env.observe(tasks.goal)
    low = places - SIDE * np.random.default_rng(chosen.task_seed).random(places.shape)

    def cost(task: int) -> CostTerm:
        if chosen.goal == "value":
            return tc.costs.Target(position, tuple(places[task]), chosen.reduce, chosen.within)
        if chosen.goal == "region":
            return Region(position, tuple(low[task]), tuple(low[task] + SIDE), chosen.reduce)
        either = {name: values[[task, task - 1]] for name, values in images.items()}
        return Goal.any_of(agent.model, either, "sum") if chosen.goal == "images" else Goal(reduce="sum")

    def goals(task: int, radius: float) -> list[CostTerm]:
        if chosen.goal == "region":
            return [cost(task)]
        allowed = [task, task - 1] if chosen.goal == "images" else [task]
        return [tc.costs.Target(position, tuple(places[one]), within=radius) for one in allowed]

    def scores(ended: npt.NDArray[np.float64], radius: float) -> list[bool]:
        """Return whether the true positions ``[n, 2]`` at the end are near a goal of their task, or in its region."""
        at = [{"position": place[None]} for place in ended]
        criteria = [[tc.evaluation.Reached(goal) for goal in goals(task, radius)] for task in range(len(ended))]
        return [any(one(labels).item() for one in some) for labels, some in zip(at, criteria, strict=True)]

    def end(task: int) -> npt.NDArray[np.float64]:
        acting = agent.replace(cost=cost(task), proposal=None)
        one = Tasks(_row(tasks.start, task), _row(tasks.goal, task))
        trace = tc.evaluation.trace(acting, env, one, chosen.task_seed + task, progress=False)
        return np.asarray(trace.labels["position"][0, -1])

    random = tc.agent.RandomActor(env.spec.action, repeat=agent.frameskip)
    walked = tc.evaluation.trace(random, env, tasks, chosen.task_seed, progress=False)
    ended = {"agent": np.array([end(task) for task in range(len(tasks))]), "random": walked.labels["position"][:, -1]}
    found: dict[str, Any] = {"readout_error": list(position.error)}
    for name, places_at in ended.items():
        for criterion, radius in (("rules", env.rules.radius), ("near", 2.0)):
            solved = scores(places_at, radius)
            found[f"{name}_{criterion}"] = tc.statistics.wilson(sum(solved), len(solved))
            found[f"{name}_{criterion}_tasks"] = solved
    return found


def _row(state: State, task: int) -> State:
    return {name: values[task : task + 1] for name, values in state.items()}


def report(results: Mapping[str, RunResult]) -> Report:
    rows, targets = [], []
    for name, result in results.items():
        one, region = result.values, result.settings["goal"] == "region"
        near = "" if region else rate(one["agent_near"])
        rows.append((name, rate(one["agent_rules"]), near, rate(one["random_rules"])))
        if result.settings["goal"] != "value":
            targets.append(at_least(f"goal as {name}: solved, %", 100 * one["agent_rules"]["rate"], 90))
    if {"image", "value"} <= set(results):
        value, image = (np.array(results[name].values["agent_rules_tasks"], float) for name in ("value", "image"))
        found = tc.statistics.bootstrap(value - image)
        shown = f"{100 * found.mean:+.1f} [{100 * found.low:+.1f}, {100 * found.high:+.1f}]"
        targets.append(Target("a value minus a goal image, points, paired", ">= -5", shown, met(found.mean >= -0.05)))
    head = ("goal", "solved", "within 2 units", "random actions, solved")
    return Report([table(head, rows)], targets)


STUDY = Study(
    name="goals",
    title="Goals that are no exact image",
    summary="Two Rooms with the pretrained model, 200 held-out tasks. Solved: the true position after the last step is "
    "within the 4.5 units of the rules, or inside of the region of 8 by 8 units. A readout is fitted on 150 episodes "
    "of random actions; the policy of the agent, which needs a goal image, makes no proposals.",
    command="uv run benchmarks/goals.py",
    cases={
        "image": Settings("image"),
        "value": Settings("value"),
        "value, cost within 2": Settings("value", within=2.0),
        "value, sum over the horizon": Settings("value", reduce="sum"),
        "region": Settings("region"),
        "one of two images": Settings("images"),
    },
    measure=measure,
    report=report,
)

if __name__ == "__main__":
    studies.main(STUDY)
