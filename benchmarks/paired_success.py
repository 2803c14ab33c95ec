"""Success of an older revision and of the current one on the same agents and the same held-out tasks.

Run from the repository root; the study goes on where it stopped::

    MUJOCO_GL=egl uv run benchmarks/paired_success.py --old REVISION [--only NAME ...] [--work runs/paired]

The older revision records the data, trains the agent, saves it and pursues the tasks, in a checkout and an environment
of its own. The current one loads the agent and pursues the same tasks. Both use one thread. The result is
``benchmarks/results/paired_success.json``: both rates, and the difference with a bootstrap interval over tasks.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from record import Record

import tacit as tc
from gymnasium_scores import cpu

RESULT = Path(__file__).parent / "results" / "paired_success.json"
TASKS = 200
OLD = """
import json, sys
from pathlib import Path
import numpy as np, torch
import tacit as tc
case, seed, folder, tasks = json.loads(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3]), int(sys.argv[4])
torch.set_num_threads(1)
policy = tc.collection.Random(hold=case["hold"]) if case["hold"] else "random"
recorded = tc.collect(case["env"], policy, episodes=case["episodes"], steps=case["steps"], seed=seed)
train, _ = recorded.split(0.9, seed=0)
agent = tc.recipes.load(case["recipe"])().learn(train, seed=seed, to=folder / "run")
env = tc.envs.make_goal(case["env"])
found = tc.evaluation.closed_loop(agent, env, tasks, case["task_seed"])
agent.save(folder / "agent")
np.save(folder / "old.npy", found.solved)
"""


@dataclass(frozen=True)
class Case:
    """One agent: its recipe, its data and its tasks."""

    recipe: str
    env: str
    episodes: int
    steps: int
    hold: float | None
    task_seed: int
    seeds: tuple[int, ...]


CASES = {
    "two_rooms": Case("two_rooms", "two_rooms", 400, 100, None, 1, (0, 1, 2)),
    "reacher": Case("reacher", "reacher", 400, 100, 4.0, 1, (0,)),
    "random_rooms": Case("random_rooms", "two_rooms:layout=random", 3000, 100, None, 2, (0, 1, 2)),
}


def main() -> None:
    """Run what is not recorded yet."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--old", required=True, help="the older revision")
    parser.add_argument("--only", nargs="+", choices=CASES, default=list(CASES))
    parser.add_argument("--work", type=Path, default=Path("runs/paired"), help="checkout and agents")
    parser.add_argument("--results", type=Path, default=RESULT)
    options = parser.parse_args()
    revision = _git("rev-parse", "--short", options.old)
    record = Record(options.results, {"old": revision, "tasks": TASKS})
    for name in options.only:
        for seed in CASES[name].seeds:
            if f"{name}/{seed}" not in record.section("runs"):
                found = paired(CASES[name], seed, revision, options.work.resolve(), f"{name}{seed}")
                record.add("runs", f"{name}/{seed}", {"cpu": cpu(), **found})


def paired(case: Case, seed: int, revision: str, work: Path, name: str) -> dict[str, object]:
    """Return the rates of both revisions and their difference."""
    folder = work / name
    folder.mkdir(parents=True, exist_ok=True)
    if not (folder / "old.npy").exists():
        checkout = work / f"tacit-{revision}"
        if not checkout.exists():
            _git("worktree", "add", "--detach", str(checkout), revision)
        command = ["uv", "run", "--quiet", "--project", str(checkout), "python", "-c", OLD]
        environment = {key: value for key, value in os.environ.items() if key != "VIRTUAL_ENV"}
        arguments = [json.dumps(asdict(case)), str(seed), str(folder), str(TASKS)]
        subprocess.run([*command, *arguments], check=True, env=environment, cwd=checkout)
    agent = tc.Agent.load(folder / "agent")
    old = np.load(folder / "old.npy").astype(float)
    new = tc.evaluation.closed_loop(agent, tc.envs.make_goal(case.env), TASKS, case.task_seed).solved.astype(float)
    rates = {side: tc.statistics.wilson(int(one.sum()), TASKS) for side, one in (("old", old), ("new", new))}
    difference = tc.statistics.bootstrap(new - old)
    return {"rates": tc.reports.plain(rates), "new_minus_old": tc.reports.plain(difference)}


def _git(*arguments: str) -> str:
    return subprocess.run(["git", *arguments], check=True, capture_output=True, text=True).stdout.strip()


if __name__ == "__main__":
    main()
