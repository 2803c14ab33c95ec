"""Every method that learns to see, on real data: `OMP_NUM_THREADS=1 uv run benchmarks/recipes.py DATA`.

DATA is a folder in which benchmarks/real_data.py made `fashion_mnist`, `moving_mnist` and `heart`. Each recipe is
trained by `tacit train` on the part `train` with three seeds. A linear probe of the frozen encoder, fitted on that
part, reads labels of the part `test`; beside it the untrained encoder of the same seed and the raw values (pictures of
28 px as they are, frames of films averaged to 16 x 16). Intervals are bootstrapped over held-out episodes.

Writes benchmarks/results/recipes.json after every run, goes on where it stopped, and resumes a training.
"""

import argparse
import json
import shlex
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import torch

import tacit as tc
from record import Record
from tacit.evaluation import Features, Raw, extraction
from tacit.evaluation.probes import Linear

RESULTS = Path(__file__).parent / "results" / "recipes.json"
PROBED = 10_000
Target = Callable[[Features], Any]


@dataclass(frozen=True)
class Job:
    """What a recipe is trained on and read of.

    Attributes:
        recipe: Its name.
        data: A folder of DATA.
        targets: What is read, by name.
        steps: Updates.
        options: In place of the recipe's.
        grid: Of the raw pixels, in patches of four.
    """

    recipe: str
    data: str
    targets: dict[str, Target]
    steps: int
    options: dict[str, Any] = field(default_factory=dict)
    grid: tuple[int, int] = (4, 4)


CLASS: dict[str, Target] = {"class": lambda found: found.target("class")}
FILM: dict[str, Target] = {
    "smaller digit": lambda found: found.target("digits")[:, 0],
    "velocities": lambda found: found.target("velocity"),
}
FRAME: dict[str, Target] = {
    "smaller digit": lambda found: found.target("digits")[:, 0],
    "positions": lambda found: found.target("position"),
}
HEART: dict[str, Target] = {
    "heart rate": lambda found: found.target("heart_rate"),
    "place in the beat": lambda found: found.target("cycle"),
}
FILMS = {"clip": 8, "crop": [], "flip": 0.0, "model.frameskip": 1, "model.mask_tokens": 2}
STEADY = {"training.ema": [0.998, 0.998]}  # see images.py
JOBS = {
    "ijepa": Job("ijepa", "fashion_mnist", CLASS, 4000, STEADY, (7, 7)),
    "lejepa": Job(
        "lejepa",
        "fashion_mnist",
        CLASS,
        2400,
        {"model.projector": [512, 512], "model.embedding": 64, "training.lr": 1e-3, "training.batch_size": 64},
        (7, 7),
    ),
    "mae": Job("mae", "fashion_mnist", CLASS, 4000, {}, (7, 7)),
    "vjepa": Job("vjepa", "moving_mnist", FILM, 2000, FILMS),
    "vjepa2": Job("vjepa2", "moving_mnist", FILM, 2000, {**FILMS, "model.positions": "rope"}),
    "mc_jepa": Job("mc_jepa", "moving_mnist", FRAME, 1000, {"training.batch_size": 32}),
    "ijepa, signals": Job(
        "ijepa", "heart", HEART, 2000, {**STEADY, "masking": {"name": "spans"}, "model.frameskip": 40, "model.patch": 5}
    ),
}


def command(job: Job, seed: int, data: Path, work: Path) -> list[str]:
    """What a person would type."""
    options = {"size": "nano", "training.threads": 1, **job.options}
    words = [part for name, value in options.items() for part in ("--set", f"{name}={json.dumps(value)}")]
    place, source = work / f"{job.recipe}_{job.data}{seed}", data / job.data / "train"
    how = ["--recipe", job.recipe, "--steps", str(job.steps), "--seed", str(seed)]
    return ["tacit", "train", str(source), *how, *words, "--to", str(place)]


def read(job: Job, parts: tuple[Features, Features]) -> dict[str, Any]:
    """What a linear probe tells of each target."""
    found = {}
    for name, target in job.targets.items():
        fit, test = (replace(part, targets={name: target(part)}) for part in parts)
        found[name] = tc.evaluation.plain(Linear()(fit, test, name).estimate)
    return found


def measure(job: Job, seed: int, data: Path, work: Path) -> dict[str, Any]:
    """Train, and read the encoder and its floors."""
    words, begin = command(job, seed, data, work), time.monotonic()
    subprocess.run(words, check=True, stdout=subprocess.DEVNULL)
    seconds = time.monotonic() - begin
    model = tc.checkpoint.load_model(Path(words[-1]), kind=tc.models.Model)
    train, test = (tc.data.open(data / job.data / part) for part in ("train", "test"))
    floors = {
        "trained": model,
        "untrained": tc.evaluation.untrained(model, seed),
        "raw": Raw(model.config, model.statistics, job.grid),
    }
    scores, length = {}, extraction.windows(model, train).length
    for name, one in floors.items():
        fit, held_out = (
            tc.evaluation.features(one, part, frames=count, length=length, seed=0)
            for part, count in ((train, PROBED), (test, PROBED // 2))
        )
        scores[name] = read(job, (fit, held_out.without(fit)))
    shown = [word.replace(str(data), "DATA").replace(str(work), "runs") for word in words]
    return {"command": shlex.join(shown), "scores": scores, "seconds": round(seconds)}


def beaten(runs: list[dict[str, Any]], target: str) -> bool:
    """Whether three seeds are there, and the interval of each lies above those of both floors."""
    return len(runs) >= 3 and all(
        run["scores"]["trained"][target]["low"] > run["scores"][floor][target]["high"]
        for run in runs
        for floor in ("untrained", "raw")
    )


def main() -> None:
    """Run what is missing."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--seeds", type=int, nargs="*", default=[0, 1, 2])
    parser.add_argument("--recipes", nargs="*", default=[*JOBS], choices=JOBS)
    parser.add_argument("--work", type=Path, default=Path("runs/recipes"))
    parser.add_argument("--results", type=Path, default=RESULTS)
    options = parser.parse_args()
    torch.set_num_threads(1)
    record = Record(options.results, {"probed": PROBED})
    for seed in options.seeds:
        for name in options.recipes:
            words = shlex.join(command(JOBS[name], seed, Path("DATA"), Path("runs")))
            if record.section("runs").get(f"{name}/{seed}", {}).get("command") == words:
                continue
            found = measure(JOBS[name], seed, options.data, options.work)
            every = {**record.section("runs"), f"{name}/{seed}": found}
            met = {}
            for one, job in JOBS.items():
                runs = [run for key, run in every.items() if key.split("/")[0] == one]
                if runs:
                    met[one] = {target: beaten(runs, target) for target in job.targets}
            record.add("runs", f"{name}/{seed}", found, beaten=met)
            for encoder, scores in found["scores"].items():
                told = {target: round(score["mean"], 3) for target, score in scores.items()}
                print(f"{name}/{seed}", encoder, told, flush=True)


if __name__ == "__main__":
    main()
