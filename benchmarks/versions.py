"""Speed of this version next to an older revision, on the same work, in turn in new processes on one thread.

The older revision is unpacked into the folder of `--work`, with an environment of its own and the same releases of its
dependencies: `uv run benchmarks/versions.py --set old=REVISION`.
"""

import io
import subprocess
import sys
import tarfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from environments import call, environment
from tacit import studies
from tacit.studies import Report, Run, RunResult, Study, Target, met, table

ROOT = Path(__file__).parents[1]


@dataclass(frozen=True)
class Settings:
    """Older revision, processes of each version, and timed rounds in each process."""

    old: str = "c991698^"
    processes: int = 10
    rounds: int = 5


def unpacked(revision: str, to: Path) -> Path:
    """Return the Python of an environment with an older revision."""
    place = to / revision.replace("^", "_before").replace("~", "_")
    if not place.exists():
        archive = subprocess.run(["git", "archive", revision], cwd=ROOT, check=True, stdout=subprocess.PIPE).stdout
        with tarfile.open(fileobj=io.BytesIO(archive)) as file:
            file.extractall(place, filter="data")
    return environment(place / ".venv", [str(place)])


def measure(run: Run[Settings]) -> dict[str, Any]:
    chosen, work = run.settings, run.shared.absolute()
    pythons = {"old": unpacked(chosen.old, work), "new": Path(sys.executable)}
    seconds: dict[str, list[float]] = {"old": [], "new": []}
    for _ in range(chosen.processes):
        for version, found in seconds.items():
            words = f"timed {run.name} {chosen.rounds}"
            found.append(call(pythons[version], "version_work.py", words, work)["seconds"])
    ratios = np.array(seconds["new"]) / np.array(seconds["old"])
    draws = np.random.default_rng(0).integers(0, len(ratios), (4000, len(ratios)))
    low, high = np.quantile(np.median(ratios[draws], axis=1), [0.025, 0.975])
    return {"seconds": seconds, "ratio": {"mean": np.median(ratios), "low": low, "high": high}}


def report(results: Mapping[str, RunResult]) -> Report:
    rows, targets = [], []
    for name, run in results.items():
        ms = (f"{1e3 * float(np.median(run.values['seconds'][version])):.3g}" for version in ("old", "new"))
        ratio = studies.mean(run.values["ratio"])
        rows.append((NAMES[name], *ms, ratio, "{cpu}, load {load}".format_map(run.made_by)))
        quantity, fine = f"{NAMES[name]}, CPU time over {run.settings['old']}", run.values["ratio"]["mean"] <= 1.05
        targets.append(Target(quantity, "<= 1.05x", f"{ratio}x", met(fine)))
    return Report([table(("work", "old, ms", "new, ms", "median of the ratios", "machine"), rows)], targets)


NAMES = {
    "planning": "decision of CEM, tiny world model",
    "training": "training step, tiny world model",
    "windows": "batch of 32 random windows",
    "frames": "Two Rooms step + 64 px frame",
}
STUDY = Study(
    name="versions",
    title="Next to version 0.1",
    summary="The same public calls in both versions, medians over processes in turn, bootstrap intervals of the ratio.",
    command="uv run benchmarks/versions.py",
    cases={name: Settings() for name in NAMES},
    measure=measure,
    report=report,
)

if __name__ == "__main__":
    studies.main(STUDY)
