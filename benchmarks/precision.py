"""Searches that score candidates in bfloat16 next to searches in float32, on the same tasks with the same noise."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

import tacit as tc
from tacit import studies
from tacit.nn._choice import kernel_choice
from tacit.studies import Report, Run, RunResult, Study, Target, met, rate, table
from tacit.types import Plan


@dataclass(frozen=True)
class Settings:
    """Held-out tasks and their seed."""

    tasks: int = 200
    seed: int = 31


def first_plan(agent: tc.Agent, env: tc.envs.TwoRooms, tasks: tc.types.Tasks) -> Plan:
    state = agent.start(seed=1, batch=len(tasks), goal=env.observe(tasks.goal))
    _, verdict, _ = agent.act(state, env.begin(tasks.start))
    assert verdict.plan is not None, "the first act plans"
    return verdict.plan


def measure(run: Run[Settings]) -> dict[str, Any]:
    chosen, env = run.settings, tc.envs.TwoRooms()
    exact = tc.recipes.pretrained("two_rooms")
    agents = {"float32": exact, "low": exact.replace(precision="low")}
    tasks, _ = tc.evaluation.held_out_tasks(env, chosen.tasks, chosen.seed)
    found = {name: tc.evaluation.closed_loop(one, env, tasks=tasks, progress=False) for name, one in agents.items()}
    energy = {name: first_plan(one, env, tasks).energy.double().numpy() for name, one in agents.items()}
    solved = {name: one.solved.astype(float) for name, one in found.items()}
    return {
        "low_precision": kernel_choice().low_precision,
        "success": {name: one.success for name, one in found.items()},
        "difference": tc.statistics.bootstrap(solved["low"] - solved["float32"]),
        "energy_ratio": float(energy["low"].mean() / energy["float32"].mean()),
        "median_energy_ratio": float(np.median(energy["low"] / energy["float32"])),
    }


def report(results: Mapping[str, RunResult]) -> Report:
    one = results["two_rooms"].values
    low, high = (100 * one["difference"][bound] for bound in ("low", "high"))
    mean, above = 100 * one["difference"]["mean"], 100 * (one["energy_ratio"] - 1)
    success = "low precision minus float32, paired success, points"
    targets = [
        Target(success, "within 2", f"{mean:+.1f} [{low:+.1f}, {high:+.1f}]", met(abs(mean) <= 2)),
        Target("mean float32 energy of the plan, low over float32", "within 1 %", f"{above:+.2f} %", met(above <= 1)),
    ]
    rows = [(name, rate(one["success"][name])) for name in ("float32", "low")]
    used = "used" if one["low_precision"] else "not used, because it is not clearly faster here"
    note = f"bfloat16 is {used}. Median ratio of the energies: {one['median_energy_ratio']:.4f}."
    return Report([table(("candidates scored in", "solved"), rows), note], targets)


STUDY = Study(
    name="precision",
    title="Candidates in low precision",
    summary="The pretrained Two Rooms agent on 200 held-out tasks; the chosen plans are rated in float32.",
    command="uv run benchmarks/precision.py",
    cases={"two_rooms": Settings()},
    measure=measure,
    report=report,
)

if __name__ == "__main__":
    studies.main(STUDY)
