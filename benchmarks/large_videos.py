"""Memory of training on large videos of the real lerobot package.

A process of its own opens 20 episodes of two cameras of 480 x 640 at size=64 and trains; training at the recorded size
with 4 GB of free memory is refused. Installs about 5 GB with a Python of 3.12 or newer.
"""

import resource
import shutil
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest import mock

import tacit as tc
from tacit import studies
from tacit.studies import Report, Run, RunResult, Study, Target, met, table
from tacit.studies.environments import Script, install

WORK = Path(__file__).parents[1] / "tests" / "oracles" / "lerobot_work.py"
LARGE = {"top": (480, 640), "wrist": (480, 640)}
MOST = 4e9


@dataclass(frozen=True)
class Settings:
    """Episodes, updates, the size that videos are read at, and the release of lerobot."""

    episodes: int
    steps: int
    size: int
    lerobot: str = "0.6.1"


def objective() -> Any:
    return tc.objectives.Prediction(steps=3) + tc.objectives.VICReg(over="pooled")


def train_small(root: str, size: int, steps: int) -> dict[str, Any]:
    """Train at a small size, and return the time, cache and peak of memory of this process."""
    started, info = time.perf_counter(), tc.data.info(root)
    clips = tc.data.open(root, size=size).clips(4)
    decoding = time.perf_counter() - started
    model = tc.models.WorldModel.for_spec(clips.spec, "tiny")
    with tempfile.TemporaryDirectory() as to:
        tc.train(model, objective(), clips, steps=steps, seed=0, to=to, batch_size=64)
    usage = [resource.getrusage(who).ru_maxrss * 1024 for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return {
        "observations": info.observations,
        "decoded_bytes_recorded_size": info.observations * sum(height * width * 3 for height, width in LARGE.values()),
        "cache_bytes": tc.data.info(root, size=size).cache_bytes,
        "seconds_decoding": round(decoding, 1),
        "seconds": round(time.perf_counter() - started, 1),
        "peak_bytes": sum(usage),
    }


def refused(root: str) -> dict[str, Any]:
    """Ask for the training at the recorded size with 4 GB of free memory, and return the error; empty if it trains."""
    clips = tc.data.open(root)[:1].clips(4)
    model, error = tc.models.WorldModel.for_spec(clips.spec, "tiny"), ""
    free = mock.patch("tacit.training.memory.available_memory", return_value=int(MOST))
    try:
        with free, tempfile.TemporaryDirectory() as to:
            tc.train(model, objective(), clips, steps=1, seed=0, to=to, batch_size=64)
    except tc.errors.TacitError as refusal:
        error = str(refusal)
    return {"available_bytes": MOST, "error": error}


def measure(run: Run[Settings]) -> dict[str, Any]:
    chosen, work = run.settings, run.work.absolute() / "new"
    shutil.rmtree(work, ignore_errors=True)  # of an interrupted run
    packages = [f"lerobot[dataset]=={chosen.lerobot}"]
    python = install(run.shared.absolute() / "environment", packages, python="3.12", pinned=False)
    theirs = Script(WORK, python, {"SVT_LOG": "1", "HF_HUB_OFFLINE": "1"})
    theirs.call("record", chosen.episodes, LARGE, 100, work / "made")
    theirs.call("write", work / "made", work / "data", 10, False)
    ours = Script(Path(__file__), variables={"TACIT_CACHE": str(work / "cache")})
    training = ours.call("train_small", work / "data", chosen.size, chosen.steps)
    error = ours.call("refused", work / "data")
    passed = training["peak_bytes"] < MOST and bool(error["error"])
    return {"cameras": LARGE, "training": training, "recorded_size": error, "passed": passed}


def report(results: Mapping[str, RunResult]) -> Report:
    memory = results["memory"].values
    training = memory["training"]
    measured = [
        ("peak memory of the process", f"{training['peak_bytes'] / 1e9:.2f} GB"),
        ("cache of decoded images", f"{training['cache_bytes'] / 1e9:.2f} GB"),
        ("the same at the recorded size", f"{training['decoded_bytes_recorded_size'] / 1e9:.2f} GB"),
        ("observations of 2 cameras of 480 x 640", str(training["observations"])),
        ("seconds, of which decoding", "{seconds:.0f}, {seconds_decoding:.0f}".format_map(training)),
        ("refusal at the recorded size", memory["recorded_size"]["error"]),
    ]
    quantity = "memory of training on 480 x 640 videos read at 64"
    target = Target(quantity, "< 4 GB", measured[0][1], met(memory["passed"]))
    return Report([table(("memory of training on large videos", ""), measured)], [target])


STUDY = Study(
    name="large_videos",
    title="Memory of training on large videos",
    summary="20 episodes that lerobot 0.6.1 wrote, 100 steps of a world model, batches of 64 clips of 4, one thread.",
    command="uv run benchmarks/large_videos.py",
    cases={"memory": Settings(20, 100, size=64)},
    measure=measure,
    report=report,
)

if __name__ == "__main__":
    studies.main(STUDY)
