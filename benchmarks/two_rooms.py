"""Two Rooms over several training seeds, on held-out tasks."""

import statistics
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import tacit as tc
from tacit import studies
from tacit.studies import Report, Run, RunResult, Study, Target, columns, met
from tacit.studies.speed import Stopwatch

ACTORS = {
    "success": "agent",
    "random": "random",
    "policy": "policy alone",
    "oracle": "oracle: same planner, true dynamics",
}
TARGETS = {"two_rooms": (0.95, 0.92, 5), "random_rooms": (0.9, 0.9, 60)}
"""Median and worst share of solved tasks, and CPU minutes of training."""


@dataclass(frozen=True)
class Settings:
    """Environment, recipe, episodes to collect and held-out tasks; nothing was tuned on the task seed."""

    env: str
    episodes: int
    task_seed: int
    recipe: str
    tasks: int = 200


def measure(run: Run[Settings]) -> dict[str, Any]:
    chosen, laps = run.settings, Stopwatch()
    recorded = tc.collect(chosen.env, episodes=chosen.episodes, steps=100, seed=run.seed)
    fit_on, held_out = recorded.split(0.9, seed=0)
    laps.end("collect")
    agent = tc.recipes.load(chosen.recipe)().learn(fit_on, seed=run.seed, to=run.work / "run")
    laps.end("train")
    agent.save(run.work / "agent")
    model = tc.checkpoint.load_model(run.work / "agent")
    labels = [name for name in recorded.labels if name == "position" or "random" in chosen.env]
    probes = [tc.probing.probe(model, fit_on=fit_on, test_on=held_out, target=name) for name in labels]
    laps.end("probe")
    env = tc.envs.make_goal(chosen.env)
    found = tc.evaluation.compare_with_baselines(agent, env, episodes=chosen.tasks, seed=chosen.task_seed)
    laps.end("plan")
    return {
        "data_hash": recorded.hash(),
        "planning": {name: one.success for name, one in found.items()},
        "probe_r2": {report.target: {"linear": report.r2, "mlp": report.mlp_r2} for report in probes},
        "seconds": laps.seconds,
    }


def report(results: Mapping[str, RunResult]) -> Report:
    targets = []
    for case, runs in studies.by_case(results).items():
        rates = [result.values["planning"]["success"]["rate"] for result in runs.values()]
        minutes = max(result.values["seconds"]["train_cpu"] for result in runs.values()) / 60
        middle, (median, worst, most) = statistics.median(rates), TARGETS[case]
        targets.append(
            Target(
                f"{STUDY.cases[case].env}, held-out tasks solved, and training",
                f"median >= {100 * median:.0f} %, worst >= {100 * worst:.0f} %, <= {most} CPU minutes",
                f"median {100 * middle:.1f} %, worst {100 * min(rates):.1f} %, {minutes:.1f} CPU minutes",
                met(middle >= median and min(rates) >= worst and minutes <= most),
            )
        )
    cells: dict[str, Any] = {
        "case": "{case}",
        "seed": "{seed}",
        **{title: f"{{planning[{actor}]:rate}}" for actor, title in ACTORS.items()},
        "probe R² linear / MLP": lambda row: ", ".join(
            f"{name} {r2['linear']:.3f} / {r2['mlp']:.3f}" for name, r2 in row["probe_r2"].items()
        ),
        "training, CPU s": "{seconds[train_cpu]:.0f}",
        "the four evaluations, CPU s": "{seconds[plan_cpu]:.0f}",
    }
    return Report([columns(cells, dict(sorted(results.items())))], targets)


STUDY = Study(
    name="two_rooms",
    title="Two Rooms",
    summary=(
        "Agents from pixels and random actions: 400 episodes with a fixed wall, 3000 with a random wall and door, "
        "nine tenths to train on; 200 held-out tasks, goals given as images."
    ),
    command="uv run benchmarks/two_rooms.py",
    cases={
        "two_rooms": Settings("two_rooms", 400, 1, "two_rooms"),
        "random_rooms": Settings("two_rooms:layout=random", 3000, 2, "random_rooms"),
    },
    seeds=(0, 1, 2),
    measure=measure,
    report=report,
)

if __name__ == "__main__":
    studies.main(STUDY)
