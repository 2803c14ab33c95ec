"""Parallel prediction next to predictors that step: held-out success, planning time and operations.

In Two Rooms all agents have the recipe's sizes, are trained for six blocks on the same episodes, and plan without a
policy. The case `lewm` compares times alone, with LeWorldModel's sizes and planner and new weights.
"""

import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import torch

import tacit as tc
from tacit import studies
from tacit.diagnostics import operations
from tacit.studies import Report, Run, RunResult, Study, Target, at_least, mean, met, rate, table
from tacit.studies.speed import in_turn, ratio_of_medians
from workloads import SPEC

PREDICTORS: dict[str, dict[str, Any]] = {
    "parallel": {"name": "parallel"},
    "transformer": {"name": "transformer", "history": 3},
    "mlp": {"name": "mlp"},
}
NOTE = """Most of the time that is saved next to the transformer is that of its operations, which equal width does not
make equal. The MLP has about the width and the operations of the parallel predictor: its ratio is what one pass saves.
"""
TITLES = {"parallel": "parallel", "transformer": "transformer with its cache", "mlp": "MLP, step by step"}


@dataclass(frozen=True)
class Settings:
    """Recipe and predictors, blocks of a plan and plans to time; episodes and held-out tasks, none for times alone."""

    recipe: str
    predictors: tuple[str, ...]
    horizon: int
    plans: int
    episodes: int = 400
    tasks: int = 0
    task_seed: int = 1


def recipe(chosen: Settings, name: str) -> Any:
    """Return the recipe with a predictor, trained for the whole horizon and without a policy."""
    predictor = PREDICTORS[name] | ({"span": chosen.horizon} if name == "parallel" else {})
    plain = tc.recipes.load(chosen.recipe)().with_options({"model.predictor": predictor, "policy_steps": 0})
    first = replace(plain.objective[0], options={**plain.objective[0].options, "steps": chosen.horizon})
    return replace(plain, objective=(first, *plain.objective[1:]), clip=chosen.horizon + 1)


def agent_of(run: Run[Settings], name: str) -> tc.Agent:
    """Return the agent of a predictor; a trained one is kept."""
    chosen, folder = run.settings, run.work / name
    made = recipe(chosen, name)
    if not chosen.tasks:
        agent: tc.Agent = made.build_agent(made.build_model(SPEC, seed=run.seed).eval())
        return agent
    if not (folder / "agent").exists():
        episodes = tc.collect("two_rooms", episodes=chosen.episodes, steps=100, seed=run.seed)
        made.learn(episodes.split(0.9, seed=0)[0], seed=run.seed, to=folder / "run").save(folder / "agent")
    return tc.Agent.load(folder / "agent")


def decision(agent: tc.Agent) -> Any:
    """Return a function that plans once in Two Rooms, encoders included, and returns its CPU seconds."""
    env = tc.envs.TwoRooms(num_envs=1)
    tasks = env.tasks(1, seed=5)
    goal, observation = env.observe(tasks.goal), env.begin(tasks.start)

    def once() -> float:
        began = time.process_time()
        agent.act(agent.start(seed=0, goal=goal), observation)
        return time.process_time() - began

    return once


def measure(run: Run[Settings]) -> dict[str, Any]:
    chosen = run.settings
    torch.set_num_threads(1)
    agents = {name: agent_of(run, name) for name in chosen.predictors}
    tc.tune_cpu()
    plans = {name: decision(agent) for name, agent in agents.items()}
    in_turn(plans, 1)  # the first call packs weights
    seconds = in_turn(plans, chosen.plans)
    found: dict[str, Any] = {
        "seconds": {name: sorted(some)[len(some) // 2] for name, some in seconds.items()},
        "times_parallel": {name: ratio_of_medians(some, seconds["parallel"]) for name, some in seconds.items()},
        "flop_of_100": {name: flop(agent.model, chosen) for name, agent in agents.items()},
    }
    if chosen.tasks:
        env = tc.envs.make_goal("two_rooms")
        solved = {
            name: tc.evaluation.closed_loop(agent, env, chosen.tasks, chosen.task_seed).solved
            for name, agent in agents.items()
        }
        found["success"] = {name: tc.statistics.wilson(int(one.sum()), len(one)) for name, one in solved.items()}
    return found


def flop(model: Any, chosen: Settings) -> int:
    """Return the operations of a rollout of 100 candidates."""
    context = tc.types.Context(torch.zeros(1, 1, model.config.latent))
    blocks = torch.zeros(1, 100, chosen.horizon, model.config.action_size)
    return operations(lambda: model.rollout(context, blocks))  # with gradients: packed layers are not counted


def report(results: Mapping[str, RunResult]) -> Report:
    rows, targets = [], []
    for name, result in results.items():
        one, case = result.values, name.partition("/")[0]
        for predictor, seconds in one["seconds"].items():
            times = mean(one["times_parallel"][predictor])
            success = rate(one["success"][predictor]) if "success" in one else "not trained"
            megaflop = f"{one['flop_of_100'][predictor] / 1e8:.3f}"
            rows.append((case, TITLES[predictor], success, f"{1000 * seconds:.1f}", times, megaflop))
        if "success" in one:
            ratio = one["times_parallel"]["transformer"]["mean"]
            quantity = f"{case}, planning time of the cached transformer over the parallel predictor, equal width"
            targets.append(at_least(quantity, ratio, 1.5))
            rates = {predictor: 100 * found["rate"] for predictor, found in one["success"].items()}
            best = max(value for predictor, value in rates.items() if predictor != "parallel")
            quantity = f"{case}, solved by the parallel predictor next to the better step predictor"
            measured = f"{rates['parallel']:.1f} %, {best:.1f} %"
            targets.append(Target(quantity, "within 2 points", measured, met(rates["parallel"] >= best - 2)))
    header = ("case", "predictor", "solved", "a plan, CPU ms", "times parallel", "MFLOP a candidate")
    return Report([table(header, rows), NOTE.strip()], targets)


STUDY = Study(
    name="parallel_prediction",
    title="Parallel prediction",
    summary=(
        "Predictors of equal width on one thread, plans timed in turn. Two Rooms: trained for six blocks on 360 "
        "episodes, 200 held-out tasks. LeWM: its sizes and planner, new weights, times alone."
    ),
    command="OMP_NUM_THREADS=1 uv run benchmarks/parallel_prediction.py",
    cases={
        "two_rooms": Settings("two_rooms", ("parallel", "transformer", "mlp"), 6, 40, tasks=200),
        "lewm": Settings("lewm", ("parallel", "transformer"), 5, 5),
    },
    seeds=(0,),
    measure=measure,
    report=report,
)

if __name__ == "__main__":
    studies.main(STUDY)
