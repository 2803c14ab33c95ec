"""Datasets both ways between Tacit and the real lerobot package, and the memory of training on large videos.

`both_ways`: 52 episodes with two cameras of different size, over at least three chunks each. Tacit writes them as
video and losslessly, and lerobot's `LeRobotDataset` reads every frame, windows included; then lerobot writes, Tacit
reads and trains. `memory`: a process of its own opens 20 episodes of two cameras of 480 x 640 at size=64 and trains;
training at the recorded size with 4 GB of free memory is refused. Installs about 5 GB with a Python of 3.12 or newer.
"""

import shutil
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from environments import call, environment
from lerobot_work import CAMERAS, LARGE, MOST, tacit_read, tacit_train, tacit_write
from tacit import studies
from tacit.studies import Report, Run, RunResult, Study, Target, mean, met, table


@dataclass(frozen=True)
class Settings:
    """Episodes, updates, release of lerobot, and the size that large videos are read at; 0 for both ways."""

    episodes: int
    steps: int
    size: int = 0
    lerobot: str = "0.6.1"


def measure(run: Run[Settings]) -> dict[str, Any]:
    chosen, work = run.settings, run.work.absolute() / "new"
    shutil.rmtree(work, ignore_errors=True)  # of an interrupted run
    work.mkdir()
    packages = [f"lerobot[dataset]=={chosen.lerobot}"]
    python = environment(run.shared.absolute() / "environment", packages, "3.12", pinned=False)

    def theirs(*words: object) -> dict[str, Any]:
        return call(python, "lerobot_work.py", " ".join(map(str, words)), work, SVT_LOG="1", HF_HUB_OFFLINE="1")

    def ours(*words: object) -> dict[str, Any]:
        words_of, cache = " ".join(map(str, words)), str(work / "cache")
        return call(Path(sys.executable), "lerobot_work.py", words_of, work, TACIT_CACHE=cache)

    if chosen.size:
        theirs("lerobot_write", work / "data", chosen.episodes, 1)
        training = ours("memory_train", work / "data", chosen.size, chosen.steps)
        refused = ours("memory_refused", work / "data")
        passed = training["peak_bytes"] < MOST and bool(refused["error"])
        return {"cameras": LARGE, "training": training, "recorded_size": refused, "passed": passed}
    for name in ("video", "lossless"):
        tacit_write(work / name, chosen.episodes, lossless=name == "lossless")
    theirs("lerobot_write", work / "theirs", chosen.episodes, 0)
    return {
        "cameras": CAMERAS,
        "tacit_writes_video_lerobot_reads": theirs("lerobot_read", work / "video", chosen.episodes, 0),
        "tacit_writes_lossless_lerobot_reads": theirs("lerobot_read", work / "lossless", chosen.episodes, 1),
        "lerobot_writes_tacit_reads": tacit_read(work / "theirs", chosen.episodes),
        "tacit_trains_on_what_lerobot_wrote": tacit_train(work / "theirs", chosen.steps),
    }


DIRECTIONS = {
    "tacit_writes_video_lerobot_reads": "Tacit writes video, lerobot reads",
    "tacit_writes_lossless_lerobot_reads": "Tacit writes lossless, lerobot reads",
    "lerobot_writes_tacit_reads": "lerobot writes, Tacit reads",
}


def report(results: Mapping[str, RunResult]) -> Report:
    both, memory = results["both_ways"].values, results["memory"].values
    rows = []
    for key, name in DIRECTIONS.items():
        found = both[key]
        counts = ", ".join(f"{part} {count}" for part, count in found["chunks"].items())
        pixels = f"{found['pixels_mean_difference']:.2f}, {found['pixels_largest_difference']:.0f}"
        rows.append((name, str(found["episodes"]), counts, pixels, "passed" if found["passed"] else "failed"))
    trained, training = both["tacit_trains_on_what_lerobot_wrote"], memory["training"]
    errors = (mean(trained["open_loop_error"], 3), mean(trained["copy_last"], 3))
    measured = [
        ("peak memory of the process", f"{training['peak_bytes'] / 1e9:.2f} GB"),
        ("cache of decoded images", f"{training['cache_bytes'] / 1e9:.2f} GB"),
        ("the same at the recorded size", f"{training['decoded_bytes_recorded_size'] / 1e9:.2f} GB"),
        ("observations of 2 cameras of 480 x 640", str(training["observations"])),
        ("seconds, of which decoding", "{seconds:.0f}, {seconds_decoding:.0f}".format_map(training)),
        ("refusal at the recorded size", memory["recorded_size"]["error"]),
    ]
    steps = f"a world model after {trained['steps']} steps on what lerobot wrote, latents of held-out episodes"
    passed, quantity = [both[key]["passed"] for key in DIRECTIONS], "memory of training on 480 x 640 videos read at 64"
    targets = [
        Target("datasets both ways with lerobot", "all checks", f"{sum(passed)} of {len(passed)}", met(all(passed))),
        Target(quantity, "< 4 GB", measured[0][1], met(memory["passed"])),
    ]
    tables = [
        table(("direction", "episodes", "chunks", "pixels, mean and largest difference in levels", ""), rows),
        table((steps, "error", "last latent repeated"), [(f"{trained['held_out_episodes']} episodes", *errors)]),
        table(("memory of training on large videos", ""), measured),
    ]
    return Report(tables, targets)


STUDY = Study(
    name="lerobot_data",
    title="Next to lerobot 0.6.1",
    summary=(
        "Two cameras of different size; states, actions and tasks exact in every row. Memory: 20 episodes, 100 "
        "steps of a world model, batches of 64 clips of 4, one thread."
    ),
    command="uv run benchmarks/lerobot_data.py",
    cases={"both_ways": Settings(52, 300), "memory": Settings(20, 100, size=64)},
    measure=measure,
    report=report,
)

if __name__ == "__main__":
    studies.main(STUDY)
