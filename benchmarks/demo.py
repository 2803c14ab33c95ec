"""The README's first command in an empty environment with an empty package cache, install included."""

import json
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tacit import studies
from tacit.studies import Report, Run, RunResult, Study, at_most, rate, table

ROOT = Path(__file__).parents[1]
LIMITS = {"with_install": ("demo, install included", 600), "pretrained": ("demo, pretrained", 60)}
ACTORS = {
    "success": "agent",
    "random": "random",
    "policy": "policy alone",
    "oracle": "oracle: same planner, true dynamics, straight distance",
}


@dataclass(frozen=True)
class Settings:
    """Command of the README, and the one of the pretrained model."""

    with_install: str = "pip install uv && uv run tacit demo"
    pretrained: str = "uv run tacit demo --pretrained --out pretrained"


def measure(run: Run[Settings]) -> dict[str, Any]:
    chosen, place = run.settings, run.work.absolute() / "new"
    clone, seconds = place / "tacit", {}
    shutil.rmtree(place, ignore_errors=True)  # of an interrupted run
    place.mkdir()
    if not re.search(rf"^{re.escape(chosen.with_install)}$", (ROOT / "README.md").read_text(), re.MULTILINE):
        sys.exit(f"README.md no longer has the line `{chosen.with_install}`.")
    subprocess.run(["git", "clone", "--quiet", ROOT, clone], check=True)
    subprocess.run([sys.executable, "-m", "venv", place / "venv"], check=True)
    kept = {name: value for name, value in os.environ.items() if name not in ("VIRTUAL_ENV", "PYTHONPATH")}
    path = f"{place / 'venv' / 'bin'}{os.pathsep}{os.environ['PATH']}"
    environment = {**kept, "PATH": path, "UV_CACHE_DIR": str(place / "cache"), "PIP_NO_CACHE_DIR": "1"}
    for name, words in vars(chosen).items():
        begin = time.monotonic()
        subprocess.run(["bash", "-euo", "pipefail", "-c", words], cwd=clone, env=environment, check=True)
        seconds[name] = round(time.monotonic() - begin, 1)
    report = json.loads((clone / "tacit-demo" / "report.json").read_text())
    report["planning"].pop("details")  # every task of every actor
    success = json.loads((clone / "pretrained" / "report.json").read_text())["planning"]["success"]
    return {**report, "wall_seconds": seconds, "pretrained_success": success}


def report(results: Mapping[str, RunResult]) -> Report:
    found = results["demo"].values
    rows = [(name, rate(found["planning"][key])) for key, name in ACTORS.items()]
    rows += [
        ("agent, pretrained", rate(found["pretrained_success"])),
        ("position probe R², linear, held-out episodes", f"{found['probe']['position']['r2']:.4f}"),
        ("effective rank", f"{found['effective_rank']:.1f}"),
        ("wall seconds", ", ".join(f"{name} {value:.0f}" for name, value in found["seconds"].items())),
    ]
    seconds = found["wall_seconds"]
    targets = [at_most(name, seconds[key], most, "{:.0f} s", "<= {:g} s") for key, (name, most) in LIMITS.items()]
    return Report([table(("", f"of {found['planning']['success']['n']} held-out tasks"), rows)], targets)


STUDY = Study(
    name="demo",
    title="The demo",
    summary=(
        "`pip install uv && uv run tacit demo` in a new clone: Two Rooms, fixed wall, start and goal in opposite "
        "rooms, goal given as an image, success at the last of 100 steps; 2 cores."
    ),
    command="uv run benchmarks/demo.py",
    cases={"demo": Settings()},
    measure=measure,
    report=report,
)

if __name__ == "__main__":
    studies.main(STUDY)
