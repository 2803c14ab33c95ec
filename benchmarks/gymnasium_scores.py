"""Gymnasium environments from the command line, as a newcomer takes them: no recipe named, every option a default.

Run from the repository root; the study goes on where it stopped::

    uv run benchmarks/gymnasium_scores.py [--only NAME ...] [--episodes 200] [--results FILE]

Each environment is collected, trained on and scored by ``tacit``; MiniGrid, which has no goal observation that a
planner could pursue, is collected and trained on. FetchReach needs ``gymnasium-robotics``, which Tacit does not depend
on: ``uv run --with gymnasium-robotics benchmarks/gymnasium_scores.py --only fetch_reach``. Scored episodes have seeds
that no collection has. The result is ``benchmarks/results/gymnasium_scores.json``.
"""

from __future__ import annotations

import argparse
import json
import os
import shlex
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path

from record import Record

RESULT = Path(__file__).parent / "results" / "gymnasium_scores.json"
COLLECTION_SEED, SEED = 5, 7
"""Of what is recorded, and of the episodes that are scored. Nothing was chosen by either."""


@dataclass(frozen=True)
class Case:
    """One environment, with what a newcomer would say of it.

    Attributes:
        env: The word for it.
        collect: Options of ``tacit collect``.
        score: Options of ``tacit eval``; None: it is not scored.
        episodes: Scored episodes, fewer than of the others where they are long; None: as many.
    """

    env: str
    collect: str
    score: str | None
    episodes: int | None = None


CASES = {
    "mountain_car": Case(
        "gymnasium:MountainCarContinuous-v0",
        "--episodes 200 --steps 200",
        "--goal 'state=[0.45,0]' --success terminated",
    ),
    "cart_pole": Case("gymnasium:CartPole-v1", "--episodes 500", "--goal 'state=[0,0,0,0]' --steps 500", 20),
    "fetch_reach": Case("gymnasium:gymnasium_robotics:FetchReach-v4", "--episodes 200 --steps 50", "--steps 50"),
    "minigrid": Case(
        'gymnasium:minigrid:MiniGrid-Empty-5x5-v0,modalities=["image","direction"]', "--episodes 200", None
    ),
}


def main() -> None:
    """Run what is not recorded yet."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", choices=CASES, help="these environments")
    parser.add_argument("--episodes", type=int, default=200, help="scored episodes")
    parser.add_argument("--results", type=Path, default=RESULT, help="where results go")
    options = parser.parse_args()
    settings = {"episodes": options.episodes, "collection_seed": COLLECTION_SEED, "seed": SEED}
    record = Record(options.results, settings)
    for name in options.only or CASES:
        case = CASES[name]
        kept = record.section("runs").get(name)
        if kept is not None and kept["case"] == asdict(case):
            continue
        with tempfile.TemporaryDirectory() as folder:
            found = measured(case, case.episodes or options.episodes, folder)
            record.add("runs", name, {"case": asdict(case), "cpu": cpu(), **found})


def measured(case: Case, episodes: int, folder: str) -> dict[str, object]:
    """Collect, train and score in a folder; return the commands, their seconds and the scores."""
    score = f"tacit eval RUN --env '{case.env}' {case.score} --episodes {episodes} --seed {SEED}"
    commands = {
        "collect": f"tacit collect '{case.env}' {case.collect} --seed {COLLECTION_SEED} --to DATA",
        "train": "tacit train DATA --to RUN",
        **({} if case.score is None else {"eval": score}),
    }
    seconds = {}
    for name, command in commands.items():
        words = [{"DATA": f"{folder}/data", "RUN": f"{folder}/run"}.get(word, word) for word in shlex.split(command)]
        started = time.perf_counter()
        subprocess.run(words, check=True, stdout=sys.stderr)
        seconds[name] = round(time.perf_counter() - started, 1)
    found: dict[str, object] = {"commands": commands, "seconds": seconds, "load": os.getloadavg()[1]}
    if case.score is not None:
        report = json.loads((Path(folder) / "run" / "eval" / "report.json").read_text())
        found["scores"] = report["episode_scores"]
    return found


def cpu() -> str:
    """Return the model of the processor."""
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "unknown")


if __name__ == "__main__":
    main()
