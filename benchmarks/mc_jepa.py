"""MC-JEPA on images that move by known amounts (`tacit.testing.moving_images`).

In a scene everything moves; in `object` the image alone. `content` is VICReg alone: the same encoder, views, steps and
batches. Held-out vectors were never trained on.
"""

import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch

import tacit as tc
from encoders import FASHION_MNIST
from tacit import studies
from tacit.diagnostics import end_point_error, phase_correlation
from tacit.probing.probes import Linear
from tacit.recipes import MCJEPA
from tacit.studies import Report, Run, RunResult, Study, Target, columns, mean, met, points, table
from tacit.testing.moving_images import MovingImages, move_images, translations
from tacit.training import MakeViews, TrainingConfig

SIDE = 48
SPEC = tc.Spec({"pixels": tc.Modality("pixels", (1, SIDE, SIDE))})


@dataclass(frozen=True)
class Settings:
    """Loss weights that differ from the recipe, updates and numbers of images.

    Attributes:
        baseline: Nothing is trained: untrained encoder, raw pixels, no motion, phase correlation.
    """

    weights: Mapping[str, float] = field(default_factory=dict)
    baseline: bool = False
    steps: int = 1500
    size: str = "nano"
    train: int = 12_000
    test: int = 2_000


CASES = {
    "baselines": Settings(baseline=True),
    "whole": Settings(),
    "content": Settings(dict.fromkeys(MCJEPA.MOTION, 0.0)),
}


@cache
def moved(place: Path, count: int, held_out: bool, objects: float, seed: int) -> tuple[MovingImages, np.ndarray]:
    """Return pairs of the first ``count`` images of a dataset with their classes, a share of them objects."""
    found = list(tc.data.open(place)[:count])
    images = torch.from_numpy(np.stack([one.observation["pixels"][0] for one in found]))
    alone = torch.rand(len(found), generator=torch.Generator().manual_seed(seed + 1)) < objects
    pairs = move_images(images, alone, translations()[held_out], side=SIDE, seed=seed)
    return pairs, np.array([int(one.labels["class"].reshape(-1)[0]) for one in found])


def episodes_of(pairs: MovingImages, classes: np.ndarray, frames: int) -> tc.data.Episodes:
    """Return the pairs, or their first frames alone, as episodes."""
    nothing = np.empty((frames - 1, 0), np.float32)
    found = [
        tc.Episode({"pixels": clip[:frames].numpy()}, nothing, labels={"class": np.full(frames, number)})
        for clip, number in zip(pairs.frames, classes, strict=True)
    ]
    return tc.data.from_episodes(found, SPEC)


def recipe(chosen: Settings) -> MCJEPA:
    made = MCJEPA(
        size=chosen.size,
        model={"kernel": 3, "expander": (512,)},
        steps=chosen.steps,
        probe_every=0,
        weights=chosen.weights,
        crop=(0.3, 1.0),
        training=TrainingConfig(batch_size=32, lr=2e-3, weight_decay=1e-6, warmup=0.05, lr_end=1e-2, threads=1),
    )
    # Without the terms over motion the flow is not computed: VICReg, at its own cost.
    without_motion = chosen.weights == CASES["content"].weights
    return replace(made, weights={}, objective=made.objective[-2:]) if without_motion else made


def views(method: MCJEPA) -> MakeViews:
    light = tc.augmentation.ColorJitter(brightness=0.4, contrast=0.4, saturation=0.0, hue=0.0)
    changes = tc.augmentation.Chain((tc.augmentation.Flip(0.5), light))
    return MakeViews(tc.augmentation.MultiCrop((2,), ((SIDE, SIDE),), (method.crop,), changes))


def scored(flow: torch.Tensor, pairs: MovingImages, kind: str) -> dict[str, Any]:
    """Return mean end-point errors over images with their intervals."""
    errors, found = end_point_error(flow, pairs.flow), {}
    parts = {"all": pairs.known}
    if kind == "object":
        parts |= {"moving": pairs.known & pairs.moving, "still": pairs.known & ~pairs.moving}
    for name, where in parts.items():
        count, sums = where.sum((1, 2)), torch.where(where, errors, 0.0).sum((1, 2))
        found[name] = tc.statistics.bootstrap((sums / count)[count > 0].numpy().astype(np.float64))
    return found


def content(model: Any, fit: tc.data.Episodes, test: tc.data.Episodes) -> dict[str, Any]:
    """Read the class from single frames by a linear probe."""
    reading: Any = Linear()(tc.probing.features(model, fit), tc.probing.features(model, test), "class")
    right = np.packbits(reading.actual == reading.predicted).tobytes().hex()
    return {**vars(reading.accuracy), "right": right}


def baselines(run: Run[Settings], model: Any, parts: Any, held: Mapping[str, MovingImages]) -> dict[str, Any]:
    """Score the untrained encoder, raw pixels, no motion, and phase correlation where all of a frame moves."""
    raw = tc.probing.RawInput(model.config, model.statistics, grid=(SIDE // 4, SIDE // 4))
    encoders = {"untrained": tc.probing.untrained_model(model, run.seed), "raw": raw}
    found = {name: content(one, *parts) for name, one in encoders.items()}
    found["no motion"] = {name: scored(torch.zeros_like(one.flow), one, name) for name, one in held.items()}
    frames = held["scene"].frames[:, :, 0] / 255.0 - 0.5
    shift = phase_correlation(frames[:, 0], frames[:, 1])[:, :, None, None]
    found["phase correlation"] = {"scene": scored(-shift, held["scene"], "scene")}
    return found


def measure(run: Run[Settings]) -> dict[str, Any]:
    chosen, place = run.settings, run.data / "fashion_mnist"
    train = moved(place / "train", chosen.train, False, 0.5, 0)
    tests = {name: moved(place / "test", chosen.test, True, float(name == "object"), 7) for name in ("scene", "object")}
    held = {name: pairs for name, (pairs, _) in tests.items()}
    parts = episodes_of(*train, 1), episodes_of(*tests["scene"], 1)
    method = recipe(chosen)
    model = method.build_model(SPEC, run.seed)
    if chosen.baseline:
        return baselines(run, model, parts, held)
    begin, options = time.process_time(), {"transforms": (views(method),), "log_every": 50}
    method.train(model, episodes_of(*train, 2), seed=run.seed, to=run.work / "run", **options)
    values: dict[str, Any] = {"train_cpu_seconds": round(time.process_time() - begin, 1)}
    if not run.name.startswith("content"):
        with torch.no_grad():
            flows = {
                name: torch.cat([model.flow({"pixels": part}) for part in torch.split(one.frames, 256)])
                for name, one in held.items()
            }
        values["epe"] = {name: scored(flow, held[name], name) for name, flow in flows.items()}
    return {**values, "content": content(model, *parts)}


def beyond_vicreg(every: Mapping[str, Mapping[str, RunResult]]) -> dict[str, float]:
    """Return the difference of the probes to VICReg alone, over seeds and, in pairs, images."""
    gaps = []
    for runs in zip(*(every[case].values() for case in ("whole", "content")), strict=True):
        found = [run.values["content"] for run in runs]
        bits = [np.unpackbits(np.frombuffer(bytes.fromhex(one["right"]), np.uint8)) for one in found]
        whole, content = (some[: found[0]["n"]].astype(float) for some in bits)
        gaps.append(whole - content)
    return vars(tc.statistics.crossed_bootstrap(np.stack(gaps)))


def report(results: Mapping[str, RunResult]) -> Report:
    every = studies.by_case(results)
    baselines = results["baselines/0"].values
    rows: list[dict[str, Any]] = [
        {"name": "no motion", "epe": baselines["no motion"]},
        {"name": "phase correlation", "epe": baselines["phase correlation"]},
    ]
    for seed, run in every["baselines"].items():
        rows += [{"name": f"{name}, seed {seed}", "content": run.values[name]} for name in ("untrained", "raw")]
    rows += [{"name": name.replace("/", ", seed "), **results[name].values} for name in ROWS if name in results]
    cells = {
        "": "{name}",
        "scene, px": "{epe[scene][all]:mean}",
        "object, px": "{epe[object][all]:mean}",
        "object, moving part, px": "{epe[object][moving]:mean}",
        "class, linear probe": "{content:rate}",
        "training, CPU s": "{train_cpu_seconds:.0f}",
    }
    gap, seeds = beyond_vicreg(every), len(every["whole"])
    gaps = [("whole", f"{points(gap)} ({seeds} seed(s))")]
    targets = []
    for kind, part, name in (("scene", "all", "a scene"), ("object", "moving", "an object before a background")):
        worst = max((run.values["epe"][kind][part] for run in every["whole"].values()), key=lambda one: one["high"])
        quantity = f"MC-JEPA, translations of {name}: end-point error"
        measured = f"{mean(worst)} px", met(worst["high"] < 0.5)
        targets.append(Target(quantity, "interval below 0.5 px, each seed", *measured))
    least = "no worse: an interval that ends above -1 point"
    quantity = "MC-JEPA, class by a linear probe, next to VICReg alone"
    targets.append(Target(quantity, least, f"{points(gap)} points", met(gap["high"] > -0.01)))
    return Report([columns(cells, rows), table(("", "probe beyond VICReg alone, points"), gaps)], targets)


ROWS = [f"{case}/{seed}" for case in ("whole", "content") for seed in range(3)]
STUDY = Study(
    name="mc_jepa",
    title="Motion and content, MC-JEPA",
    summary=(
        "Images of Fashion-MNIST on textures, moved by up to 6 px; held-out images, textures and vectors: end-point"
        " error, and a linear probe of the class."
    ),
    command="uv run benchmarks/mc_jepa.py --data DATA",
    cases=CASES,
    seeds=(0, 1, 2),
    data=FASHION_MNIST,
    measure=measure,
    report=report,
)

if __name__ == "__main__":
    studies.main(STUDY)
