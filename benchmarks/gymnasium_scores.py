"""Gymnasium environments from the command line: no recipe named, every option a default.

MiniGrid has no goal observation that a planner could pursue, so it is collected and trained on alone. FetchReach needs
`uv run --with gymnasium-robotics benchmarks/gymnasium_scores.py --only fetch_reach`.
"""

import json
import shlex
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tacit import studies
from tacit.studies import Report, Run, RunResult, Study, Target, columns, met, rate


@dataclass(frozen=True)
class Settings:
    """Environment with the options of ``tacit collect`` and ``tacit eval``; the scored seeds are in no recording.

    Attributes:
        score: Options of ``tacit eval``; None if it is not scored.
    """

    env: str
    collect: str
    score: str | None
    episodes: int = 200
    collection_seed: int = 5
    seed: int = 7


def measure(run: Run[Settings]) -> dict[str, Any]:
    chosen, places = run.settings, {"DATA": f"{run.work}/data", "RUN": f"{run.work}/run"}
    score = f"tacit eval RUN --env '{chosen.env}' {chosen.score} --episodes {chosen.episodes} --seed {chosen.seed}"
    commands = {
        "collect": f"tacit collect '{chosen.env}' {chosen.collect} --seed {chosen.collection_seed} --to DATA",
        "train": "tacit train DATA --to RUN",
        **({} if chosen.score is None else {"eval": score}),
    }
    seconds = {}
    for name, command in commands.items():
        words = [places.get(word, word) for word in shlex.split(command)]
        started = time.perf_counter()
        subprocess.run(words, check=True, stdout=sys.stderr)
        seconds[name] = round(time.perf_counter() - started, 1)
    found: dict[str, Any] = {"commands": commands, "seconds": seconds}
    if chosen.score is not None:
        report = json.loads((run.work / "run" / "eval" / "report.json").read_text())
        found["scores"] = report["episode_scores"]
    return found


NAMES = {
    "mountain_car": "MountainCarContinuous, goal `state=[0.45,0]`",
    "cart_pole": "CartPole, goal `state=[0,0,0,0]`",
    "fetch_reach": "FetchReach (gymnasium-robotics), `is_success`",
    "minigrid": "MiniGrid-Empty-5x5",
}


def scored(score: Mapping[str, Any] | None) -> str:
    """Return the success where it is known, and the return."""
    if score is None:
        return "not scored"
    parts = []
    if found := score.get("success"):
        parts.append(f"{rate(found)} of {found['n']}")
    if found := score.get("return"):
        parts.append("return {mean:.1f} [{low:.1f}, {high:.1f}] of {n} episodes".format_map(found))
    return ", ".join(parts)


def report(results: Mapping[str, RunResult]) -> Report:
    cells: dict[str, Any] = {
        "environment": lambda row: NAMES[row["name"]],
        "agent": lambda row: scored(row.get("scores", {}).get("agent")),
        "random actions": lambda row: scored(row.get("scores", {}).get("random")),
        "seconds": lambda row: ", ".join(f"{part} {seconds:.0f}" for part, seconds in row["seconds"].items()),
        "machine": "{cpu}, load {load:.1f}",
    }
    solved = results["mountain_car"].values["scores"]["agent"]["success"]
    target = Target("MountainCarContinuous, episodes solved", ">= 90 %", rate(solved), met(solved["rate"] >= 0.9))
    return Report([columns(cells, {name: results[name] for name in NAMES if name in results})], [target])


STUDY = Study(
    name="gymnasium_scores",
    title="Gymnasium environments from the command line",
    summary="`tacit collect`, `tacit train` without a recipe and `tacit eval`; seconds are of a shared machine.",
    command="uv run benchmarks/gymnasium_scores.py",
    cases={
        "mountain_car": Settings(
            "gymnasium:MountainCarContinuous-v0",
            "--episodes 200 --steps 200",
            "--goal 'state=[0.45,0]' --success terminated",
        ),
        "cart_pole": Settings("gymnasium:CartPole-v1", "--episodes 500", "--goal 'state=[0,0,0,0]' --steps 500", 20),
        "fetch_reach": Settings(
            "gymnasium:gymnasium_robotics:FetchReach-v4", "--episodes 200 --steps 50", "--steps 50"
        ),
        "minigrid": Settings(
            'gymnasium:minigrid:MiniGrid-Empty-5x5-v0,modalities=["image","direction"]', "--episodes 200", None
        ),
    },
    measure=measure,
    report=report,
)

if __name__ == "__main__":
    studies.main(STUDY)
