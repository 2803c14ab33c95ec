"""Representations against pixels on Fashion-MNIST at equal cost: `OMP_NUM_THREADS=1 uv run benchmarks/images.py DATA`.

DATA is what `uv run benchmarks/real_data.py fashion_mnist --to DATA` makes. I-JEPA, LeJEPA, the masked autoencoder at
JEPA's masks (`mae_blocks`) and at its own (`mae`), and supervised training, all with the same encoder (96 wide, 6 deep,
patches of 4), from the same 60,000 pictures, each to the same budget of floating-point operations: forward and backward
of everything, target encoder, predictor, decoder and projector counted. On a log grid of operations the frozen encoder
is read by a linear probe on 10,000 pictures and on 12 labels a class (10 draws), scored on the 10,000 test pictures,
which nothing was chosen on. Floors: the untrained encoder and the raw pixels.

Writes benchmarks/results/images.json after every run, goes on where it stopped, and resumes a run within it.
"""

import argparse
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

import tacit as tc
from tacit._config import to_json
from tacit.evaluation import extraction
from tacit.nn import linear
from tacit.training.optimizer import adamw, descend, rate
from tacit.types import Clip

RESULTS = Path(__file__).parent / "results" / "images.json"
BLOCKS = {"masking": {"name": "blocks"}}
METHODS: dict[str, tuple[str, dict[str, Any]]] = {
    "ijepa": ("ijepa", {}),
    "mae": ("mae", {}),
    "mae_blocks": ("mae", BLOCKS),
    "lejepa": ("lejepa", {"model": {"projector": [512, 512], "embedding": 64}, "training.lr": 1e-3}),
}
COUNTED, POINTS, PROBED, SHOTS, DRAWS = 4, 6, 10_000, 12, 10


def recipe(method: str) -> tc.recipes.Recipe:
    """A method at the size of the study."""
    name, changed = METHODS[method]
    return tc.recipes.load(name)().with_options({"size": "nano", "training.threads": 1, **changed})


def operations(step: Callable[[int], Tensor]) -> float:
    """Floating-point operations of a step, forward and backward, the mean of a few."""
    fast, linear._SMALL = linear._SMALL, 2**62  # the counter knows the layers of torch alone
    try:
        with sdpa_kernel(SDPBackend.MATH), FlopCounterMode(display=False) as counter:
            for index in range(COUNTED):
                step(index).backward()
    finally:
        linear._SMALL = fast
    return counter.get_total_flops() / COUNTED


def step_of(method: tc.recipes.Recipe, model: Any, clips: Any) -> Callable[[int], Tensor]:
    """The loss of a batch, as the training loop makes it."""
    objective, transforms = method.build_objective(), method.transforms(model)

    def step(index: int) -> Tensor:
        clip: Clip = clips.batch(0, index, method.training.batch_size)
        for transform in transforms:
            clip = transform(clip, seed=index, rank=0)
        total: Tensor = objective(model.forecast(clip, **objective.needs()), index).total
        return total

    return step


def probed(model: Any, train: Any, test: Any) -> dict[str, Any]:
    """What the frozen encoder tells of the class."""
    fit, held_out = (extraction.features(model, some, frames=PROBED, seed=0) for some in (train, test))
    held_out = held_out.without(fit)  # a picture or two are in both
    reading = tc.evaluation.probes.Linear()(fit, held_out, "class")
    few = tc.evaluation.low_shot(
        tc.evaluation.probes.Linear(l2=(0.01,)), fit, held_out, "class", shots=(SHOTS,), draws=DRAWS
    )[0]
    return {"linear": tc.evaluation.plain(reading.accuracy), "few_labels": tc.evaluation.plain(few.accuracy)}


def run(method: str, seed: int, budget: float, data: tuple[Any, Any], work: Path) -> dict[str, Any]:
    """Train to the budget and probe on the way."""
    train, test = data
    chosen = recipe(method)
    model = chosen.build_model(train.spec, seed)
    each = operations(step_of(chosen, model.train(), chosen.clips(train, model)))
    model = chosen.build_model(train.spec, seed)
    steps = max(round(budget / each), 2**POINTS)
    at = tuple(sorted({max(round(steps / 2**power), 1) for power in range(POINTS)}))
    begin = time.process_time()

    def look(found: Any) -> dict[str, float]:
        rows = probed(found, train, test)
        return {f"{name}/{key}": value for name, row in rows.items() for key, value in row.items()}

    watch = tc.training.Watch(look, at=at)
    report = chosen.train(model, train, seed=seed, to=work / f"{method}{seed}", steps=steps, watch=watch)
    points = []
    for row in report.log:
        watched = {name.removeprefix("watch/"): value for name, value in row.items() if name.startswith("watch/")}
        if watched:
            point: dict[str, Any] = {"step": row["step"] + 1, "operations": (row["step"] + 1) * each}
            for name, value in watched.items():
                group, key = name.split("/")
                point.setdefault(group, {})[key] = value
            points.append(point)
    return {"operations_a_step": each, "steps": steps, "cpu_seconds": time.process_time() - begin, "points": points}


def supervised(seed: int, budget: float, data: tuple[Any, Any]) -> dict[str, Any]:
    """The same encoder trained on all labels from nothing, read by its own classifier; crops as I-JEPA has them."""
    train, test = data
    chosen = recipe("ijepa")
    model = chosen.build_model(train.spec, seed)
    torch.manual_seed(seed)
    head = nn.Linear(96, 10)
    clips, crop = train.clips(1), chosen.transforms(model)[0]
    classes = torch.from_numpy(extraction.labels(train, np.arange(len(train)), np.zeros(len(train), int))["class"])

    def step(index: int) -> Tensor:
        clip = crop(clips.batch(seed, index, 128), seed=index, rank=0)
        pictures = clip.observation["pixels"][:, 0]
        latents = model.encoder(pictures, *model.statistics_of("pixels")).mean(1)
        return F.cross_entropy(head(latents), classes[clip.episode].flatten().long())

    model.fit(train.statistics())
    each = operations(step)
    steps = max(round(budget / each), 2**POINTS)
    parameters = [*model.encoder.parameters(), *head.parameters()]
    optimizer = adamw(parameters, 1e-3, 0.05)
    at = {max(round(steps / 2**power), 1) for power in range(POINTS)}
    begin, points = time.process_time(), []
    held_out = test.clips(1).cut(np.arange(len(test)), np.zeros(len(test), int))
    truth = torch.from_numpy(extraction.labels(test, np.arange(len(test)), np.zeros(len(test), int))["class"]).flatten()
    for index in range(steps):
        descend(optimizer, parameters, step(index), 1e-3 * rate(index, steps, warmup=0.05, end=0.0), 0.05, 1.0)
        if index + 1 in at:
            with torch.no_grad():
                parts = held_out.observation["pixels"][:, 0].split(500)
                told = [head(model.encoder(part, *model.statistics_of("pixels")).mean(1)).argmax(1) for part in parts]
            right = int((torch.cat(told) == truth).sum())
            accuracy = tc.evaluation.plain(tc.evaluation.wilson(right, len(test)))
            points.append({"step": index + 1, "operations": (index + 1) * each, "linear": accuracy})
    return {"operations_a_step": each, "steps": steps, "cpu_seconds": time.process_time() - begin, "points": points}


def floors(seed: int, data: tuple[Any, Any]) -> dict[str, Any]:
    """The untrained encoder and the raw pixels, by the same probes."""
    train, test = data
    model = recipe("ijepa").build_model(train.spec, seed).eval()
    model.fit(train.statistics())
    found = {"untrained": probed(model, train, test)}
    if seed == 0:
        found["raw"] = probed(
            tc.evaluation.Raw(model.config, model.statistics, grid=(7, 7)), train, test
        )  # all of them
    return found


def main() -> None:
    """Run what is missing."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--budget", type=float, default=1e14, help="floating-point operations of a run")
    parser.add_argument("--seeds", type=int, nargs="*", default=[0, 1, 2])
    parser.add_argument("--methods", nargs="*", default=[*METHODS, "supervised"])
    parser.add_argument("--work", type=Path, default=Path("runs/images"))
    options = parser.parse_args()
    torch.set_num_threads(1)
    data = tc.data.open(options.data / "train"), tc.data.open(options.data / "test")
    identity = {"recipes": {name: to_json(recipe(name)) for name in METHODS}, "budget": options.budget}
    record = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    if {key: record.get(key) for key in identity} != identity:
        record = {**identity, "floors": {}, "runs": {}}
    for seed in options.seeds:
        if str(seed) not in record["floors"]:
            record["floors"][str(seed)] = floors(seed, data)
        for method in options.methods:
            if f"{method}/{seed}" in record["runs"]:
                continue
            found = (
                supervised(seed, options.budget, data)
                if method == "supervised"
                else run(method, seed, options.budget, data, options.work)
            )
            record["runs"][f"{method}/{seed}"] = found
            record |= tc.checkpoint.provenance()
            RESULTS.write_text(json.dumps(record, indent=2) + "\n")
            print(method, seed, json.dumps(found["points"][-1]), f"{found['cpu_seconds']:.0f} CPU s", flush=True)


if __name__ == "__main__":
    main()
