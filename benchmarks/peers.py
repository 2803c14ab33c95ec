"""Next to stable-worldmodel on the same work in the same run, in turn, each time in a new process on one thread.

Makes an environment for each package, with the same torch release. Needs Python 3.11, 8 GB of disk and about 15
minutes, most of it the other package's plans and training steps.
"""

import statistics
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from tacit import studies
from tacit.studies import Report, Run, RunResult, Study, at_least, columns
from tacit.studies.environments import Script, install
from tacit.studies.speed import in_turn

HERE = Path(__file__).parent
PEER = ["stable-worldmodel[all]==0.1.1", "torch==2.13.0", "torchvision==0.28.0"]
OURS = [f"{HERE.parent}[hdf5]", "torch==2.13.0"]


@dataclass(frozen=True)
class Settings:
    """Work of a row: a function of the script of each package with its arguments, the least ratio, and processes."""

    work: str
    ours: str
    theirs: tuple[str, ...]
    target: float
    repeats: int = 3


def called(script: Script, words: str, work: Path) -> dict[str, Any]:
    """Return the values of a function, whose words are its name, numbers, names and the folder ``{work}``."""
    name, *arguments = (int(word) if word.isdigit() else word for word in words.format(work=work).split())
    values: dict[str, Any] = script.call(str(name), *arguments)
    return values


def measure(run: Run[Settings]) -> dict[str, Any]:
    chosen, work = run.settings, run.shared.absolute()
    ours = Script(HERE / "peers_tacit.py", install(work / "ours", OURS))
    home = {"STABLEWM_HOME": str(work / "home")}
    theirs = Script(HERE / "peers_stable_worldmodel.py", install(work / "theirs", PEER), home)
    for file, function in (("rooms_hdf5.h5", "record"), ("plan.safetensors", "weights")):
        if not (work / file).exists():
            theirs.call(function, work)
    works = {words: partial(called, theirs, words, work) for words in chosen.theirs}
    found = in_turn({"": partial(called, ours, chosen.ours, work), **works}, chosen.repeats)
    medians = {words: statistics.median(one["seconds"] for one in some) for words, some in found.items()}
    fastest = min(works, key=lambda words: medians[words])
    return {
        "ratio": round(medians[fastest] / medians[""], 2),
        "ours_cpu_seconds": medians[""],
        "theirs_cpu_seconds": medians[fastest],
        "theirs_fastest": fastest,
        "ours": found[""][-1],
        "theirs": found[fastest][-1],
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
    largest = results["plan"].values["ours"]["largest_relative_energy_difference"]
    equal = f"Energies of the same candidates in both packages, largest relative difference: {largest:.1e}."
    return Report([columns(cells, rows), equal], targets)


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
        "plan_low": Settings(
            "the same, candidates scored in bfloat16 (theirs: float32 or autocast)",
            "plan {work} low",
            ("plan {work}", "plan {work} autocast"),
            2.5,
            repeats=3,
        ),
        "train": Settings("LeWM training step, 32 windows of 4 frames of 64 px", "train 5", ("train 5",), 1.3),
        "first_frame": Settings("cold import to the first 64 px frame", "first_frame", ("first_frame",), 3),
    },
    measure=measure,
    report=report,
)

if __name__ == "__main__":
    studies.main(STUDY)
