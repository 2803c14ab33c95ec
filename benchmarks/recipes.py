"""Methods that no other study trains, on real data: `OMP_NUM_THREADS=1 uv run benchmarks/recipes.py DATA`.

DATA is a folder in which benchmarks/real_data.py made `moving_mnist`, `heart` and `vtest`; images.py and videos.py
train the other methods, in the same way. Each recipe is trained by `tacit train` on the part `train` with three seeds.
A linear probe of the frozen encoder, fitted on that part, reads labels of the part `test`: of the mean token, of all
tokens end to end, or of each token what is in its place. Beside it the untrained encoder of the same seed and the raw
values (frames of films averaged to 16 x 16, or to 4 x 4 of each place).
Intervals are bootstrapped over held-out episodes. The film of a street is trained on as videos.py trains on its films,
and series with the same dense loss. The published one was tried first, held out too, and beat neither floor for sure;
that its latents are nearly alike, those of the dense loss less so, is seen in `effective_rank` of the log.

Writes benchmarks/results/recipes.json after every run, goes on where it stopped, and resumes a training.
"""

import argparse
import shlex
import subprocess
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import torch

import tacit as tc
from record import Record
from tacit.probing import Features, RawInput
from tacit.probing.encoder import windows
from tacit.probing.probes import Dense, Linear
from trained import command
from videos import DENSE, METHODS

RESULTS = Path(__file__).parent / "results" / "recipes.json"
PROBED = 10_000
Target = Callable[[Features], Any]
Parts = tuple[Features, Features]


@dataclass(frozen=True)
class Job:
    """What a recipe is trained on and read of.

    Attributes:
        recipe: Its name.
        data: A folder of DATA.
        targets: What is read, by name.
        steps: Updates.
        options: In place of the recipe's.
        probes: What reads the mean of the tokens, all of them end to end, or each, by what is said of it.
    """

    recipe: str
    data: str
    targets: dict[str, Target]
    steps: int
    options: dict[str, Any] = field(default_factory=dict)
    probes: Mapping[str, Linear | Dense] = field(default_factory=lambda: {"": Linear()})


FRAME: dict[str, Target] = {
    "smaller digit": lambda found: found.target("digits")[:, 0],
    "positions": lambda found: found.target("position"),
}
HEART: dict[str, Target] = {
    "heart rate": lambda found: found.target("heart_rate"),
    "place in the beat": lambda found: found.target("cycle"),
}
STREET: dict[str, Target] = {"people": lambda found: found.target("people")}
STEADY = {"training.ema": [0.998, 0.998]}  # see images.py
JOBS = {
    "mc_jepa": Job("mc_jepa", "moving_mnist", FRAME, 1000, {"training.batch_size": 32}),
    "ijepa_dense, signals": Job(
        "ijepa",
        "heart",
        HEART,
        1500,
        {
            **STEADY,
            **DENSE,
            "masking": {"name": "spans"},
            "model.frameskip": 40,
            "model.patch": 10,
            "training.batch_size": 32,
        },
        {", mean token": Linear(), ", all tokens": Linear(pool="flat")},
    ),
    "vjepa2, street": Job(
        "vjepa2",
        "vtest",
        STREET,
        1000,
        {**METHODS["vjepa2_dense"][1], "training.batch_size": 8},
        {", each token": Dense()},
    ),
}


def words_of(job: Job, seed: int, data: Path, work: Path) -> list[str]:
    """What a person would type."""
    options = {"size": "nano", "training.threads": 1, **job.options}
    place = work / f"{job.recipe}_{job.data}{seed}"
    return command(job.recipe, options, data / job.data / "train", place, job.steps, seed)


def read(job: Job, parts: Parts) -> dict[str, Any]:
    """What the probes tell of each target."""
    found = {}
    for name, target in job.targets.items():
        fit, test = (replace(part, targets={name: target(part)}) for part in parts)
        for way, probe in job.probes.items():
            found[name + way] = tc.reports.plain(probe(fit, test, name).estimate)
    return found


def seen(job: Job, model: Any, train: tc.data.Episodes, test: tc.data.Episodes, seed: int) -> dict[str, Parts]:
    """What the encoder and its floors make of the windows of both parts."""
    pools = {probe.pool for probe in job.probes.values() if isinstance(probe, Linear)}
    if not pools:
        found = tc.probing.feature_sources(model, fit_on=train, test_on=test, tokens=True, frames=None, seed=seed)
        return {"trained": found.pop("model"), **found}
    encoders: dict[str, Any] = {
        "trained": model,
        "untrained": tc.probing.untrained_model(model, seed),
        "raw": RawInput(model.config, model.statistics),
    }
    parts, length = {}, windows(model, train).length
    for name, one in encoders.items():
        tokens = "flat" in pools and name != "raw"
        fit, held_out = (
            tc.probing.features(one, part, tokens=tokens, frames=count, length=length, seed=0)
            for part, count in ((train, PROBED), (test, PROBED // 2))
        )
        parts[name] = fit, held_out.without(fit)
    return parts


def measure(job: Job, seed: int, data: Path, work: Path) -> dict[str, Any]:
    """Train, and read the encoder and its floors."""
    words, begin = words_of(job, seed, data, work), time.monotonic()
    subprocess.run(words, check=True, stdout=subprocess.DEVNULL)
    seconds = time.monotonic() - begin
    model = tc.checkpoint.load_model(Path(words[-1]), kind=tc.models.Model)
    train, test = (tc.data.open(data / job.data / part) for part in ("train", "test"))
    scores = {name: read(job, parts) for name, parts in seen(job, model, train, test, seed).items()}
    shown = [word.replace(str(data), "DATA").replace(str(work), "runs") for word in words]
    return {"command": shlex.join(shown), "scores": scores, "seconds": round(seconds)}


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
            words = shlex.join(words_of(JOBS[name], seed, Path("DATA"), Path("runs")))
            if record.section("runs").get(f"{name}/{seed}", {}).get("command") == words:
                continue
            found = measure(JOBS[name], seed, options.data, options.work)
            record.add("runs", f"{name}/{seed}", found)
            for encoder, scores in found["scores"].items():
                told = {target: round(score["mean"], 3) for target, score in scores.items()}
                print(f"{name}/{seed}", encoder, told, flush=True)


if __name__ == "__main__":
    main()
