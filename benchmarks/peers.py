"""Next to stable-worldmodel on the same work in the same run, in turn, each time in a new process on one thread.

Makes an environment for each package, with the same torch release. Needs Python 3.11, 8 GB of disk and about 15
minutes, most of it the other package's plans and training steps.
"""

import statistics
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from environments import call, environment
from tacit import studies
from tacit.studies import Report, Run, RunResult, Study, at_least, columns, table

PEER = ["stable-worldmodel[all]==0.1.1", "torch==2.13.0", "torchvision==0.28.0"]
OURS = [f"{Path(__file__).parents[1]}[hdf5]", "torch==2.13.0"]


@dataclass(frozen=True)
class Settings:
    """Work of a row: the words for the script of each package, the least ratio, and the processes of each."""

    work: str
    ours: str
    theirs: tuple[str, ...]
    target: float
    repeats: int = 3


def measure(run: Run[Settings]) -> dict[str, Any]:
    chosen, work = run.settings, run.shared.absolute()
    ours, theirs = environment(work / "ours", OURS), environment(work / "theirs", PEER)
    for file, words in (("rooms_hdf5.h5", "record {work}"), ("plan.safetensors", "weights {work}")):
        if not (work / file).exists():
            call(theirs, "peers_stable_worldmodel.py", words, work)
    mine: list[dict[str, Any]] = []
    other: dict[str, list[dict[str, Any]]] = {words: [] for words in chosen.theirs}
    for _ in range(chosen.repeats):
        mine.append(call(ours, "peers_tacit.py", chosen.ours, work))
        for words, found in other.items():
            found.append(call(theirs, "peers_stable_worldmodel.py", words, work))
    medians = {words: statistics.median(one["seconds"] for one in found) for words, found in other.items()}
    fastest = min(medians, key=lambda words: medians[words])
    seconds = statistics.median(one["seconds"] for one in mine)
    return {
        "ratio": round(medians[fastest] / seconds, 2),
        "ours_cpu_seconds": seconds,
        "theirs_cpu_seconds": medians[fastest],
        "theirs_fastest": fastest,
        "ours": mine[-1],
        "theirs": other[fastest][-1],
        "packages": {"ours": OURS[1:], "theirs": PEER},
    }


def report(results: Mapping[str, RunResult]) -> Report:
    rows = [{**run.settings, **run.values} for run in results.values()]
    cells = {
        "work": "{work}",
        "Tacit, CPU s": "{ours_cpu_seconds:.3g}",
        "stable-worldmodel, CPU s": "{theirs_cpu_seconds:.3g}",
        "ratio": "**{ratio:.1f}x**",
        "processes each": "{repeats}",
    }
    limit = "{:g}x of stable-worldmodel"
    targets = [at_least(row["work"], row["ratio"], row["target"], "{:.1f}x", limit) for row in rows]
    tables = [columns(cells, rows)]
    plan = results["plan"].values["ours"] if "plan" in results else {}
    if "difference_of_the_means" in plan:
        gaps, same = plan["difference_of_the_means"], plan["rounds_with_the_same_mean"]
        margin = plan["relative_margin_of_the_elite_in_the_next_round"]
        largest = plan["largest_relative_energy_difference_of_all_rounds"]
        equal = [
            ("energies of the same candidates, largest relative difference", f"{largest:.1e}"),
            ("rounds with the same mean, with the same noise", f"{same} of {len(gaps)}, to {max(gaps[:same]):.0e}"),
        ]  # fmt: skip
        if same < len(gaps):
            equal.append(("then the elite ends in", f"a tie (to {margin:.0e} relative)" if margin else "an exact tie"))
        tables.append(table(("the same search in both packages", ""), equal))
    return Report(tables, targets)


STUDY = Study(
    name="peers",
    title="Next to stable-worldmodel",
    summary=(
        "stable-worldmodel 0.1.1 in an environment of its own, the same torch release, one thread, medians of CPU "
        "seconds."
    ),
    command="uv run benchmarks/peers.py",
    cases={
        "frames_1": Settings("Two Rooms step + 64 px frame, 1 environment", "frames 1 20000", ("frames 1 500",), 20),
        "frames_64": Settings("Two Rooms step + 64 px frame, 64 environments", "frames 64 2000", ("frames 64 20",), 20),
        "windows": Settings(
            "random window of 4 uint8 frames of 64 px with actions, batches of 32 (theirs: its fastest format)",
            "windows {work} 2000",
            ("windows {work} hdf5 100", "windows {work} lance 100", "windows {work} folder 50"),
            5,
        ),
        "plan": Settings(
            "CEM, 300 samples x 30 iterations x 5 blocks, same LeWM weights", "plan {work}", ("plan {work}",), 2.5
        ),
        "train": Settings("LeWM training step, 32 windows of 4 frames of 64 px", "train 5", ("train 5",), 1.3),
        "first_frame": Settings("cold import to the first 64 px frame", "first_frame", ("first_frame",), 3),
    },
    measure=measure,
    report=report,
)

if __name__ == "__main__":
    studies.main(STUDY)
