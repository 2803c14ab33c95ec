"""Success of this version next to an older revision, which trains the agents: `--set old=REVISION`."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

import tacit as tc
from tacit import studies
from tacit.studies import Report, Run, RunResult, Study, Target, met, rate, table
from tacit.studies.environments import Script, install_revision

HERE = Path(__file__).parent


@dataclass(frozen=True)
class Settings:
    """Recipe, data, held-out tasks, and the older revision."""

    recipe: str
    env: str
    episodes: int
    task_seed: int
    repeat: float = 8.0
    tasks: int = 200
    old: str = "c991698^"


def measure(run: Run[Settings]) -> dict[str, Any]:
    chosen = run.settings
    if not (run.work / "old.npy").exists():
        python = install_revision(HERE.parent, chosen.old, run.shared.absolute())
        older = Script(HERE / "workloads.py", python, {"MUJOCO_GL": "egl"})
        older.call("pursue", vars(chosen), run.seed, run.work.absolute())
    agent = tc.Agent.load(run.work / "agent")
    found = tc.evaluation.closed_loop(agent, tc.envs.make_goal(chosen.env), chosen.tasks, chosen.task_seed)
    old, new = np.load(run.work / "old.npy").astype(float), found.solved.astype(float)
    rates = {name: tc.statistics.wilson(int(one.sum()), len(one)) for name, one in (("old", old), ("new", new))}
    return {**rates, "difference": tc.statistics.bootstrap(new - old)}


def report(results: Mapping[str, RunResult]) -> Report:
    rows, targets = [], []
    for name, result in results.items():
        one = result.values
        low, high = (100 * one["difference"][bound] for bound in ("low", "high"))
        difference = f"{100 * one['difference']['mean']:+.1f} points [{low:+.1f}, {high:+.1f}]"
        rows.append((name, rate(one["old"]), rate(one["new"]), difference))
        quantity = f"{name}, solved next to version 0.1, paired"
        targets.append(Target(quantity, "lower bound above -3 points", difference, met(low > -3)))
    return Report([table(("agent", "0.1", "this version", "difference"), rows)], targets)


STUDY = Study(
    name="paired_success",
    title="Success next to version 0.1",
    summary="Agents trained by version 0.1 on the same 200 held-out tasks in both versions, bootstrap over tasks.",
    command="MUJOCO_GL=egl uv run benchmarks/paired_success.py",
    cases={
        "two_rooms": Settings("two_rooms", "two_rooms", 400, 1),
        "reacher": Settings("reacher", "reacher", 400, 1, repeat=4.0),
        "random_rooms": Settings("random_rooms", "two_rooms:layout=random", 3000, 2),
    },
    seeds=(0, 1, 2),
    seeds_of={"reacher": (0,)},
    measure=measure,
    report=report,
)

if __name__ == "__main__":
    studies.main(STUDY)
