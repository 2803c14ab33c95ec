"""Speed of this version next to an older revision, in turn in new processes on one thread: `--set old=REVISION`."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from tacit import studies
from tacit.studies import Report, Run, RunResult, Study, Target, met, table
from tacit.studies.environments import Script, install_revision
from tacit.studies.speed import in_turn, ratio_of_medians

HERE = Path(__file__).parent
CALLS = {"planning": 5, "training": 3, "windows": 200, "frames": 2000}


@dataclass(frozen=True)
class Settings:
    """Older revision, processes of each version, and timed rounds in each process."""

    old: str = "c991698^"
    processes: int = 10
    rounds: int = 5


def measure(run: Run[Settings]) -> dict[str, Any]:
    chosen, work = run.settings, HERE / "workloads.py"
    old = install_revision(HERE.parent, chosen.old, run.shared.absolute())
    scripts = {"old": Script(work, old), "new": Script(work)}
    options = {"calls": CALLS[run.name], "rounds": chosen.rounds}
    timed = {name: partial(script.cpu_seconds, run.name, **options) for name, script in scripts.items()}
    seconds = {name: np.median(found, axis=1) for name, found in in_turn(timed, chosen.processes).items()}
    return {"seconds": seconds, "ratio": ratio_of_medians(seconds["new"], seconds["old"])}


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
