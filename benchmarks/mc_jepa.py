"""MC-JEPA on images that move by known amounts.

Each image of Fashion-MNIST lies at random on a texture of its own and is shown twice, 48 x 48, moved by a vector of
whole and half pixels, at most 6 long. In a scene everything moves; in `object` the image alone. Frames are composed
at twice the size and averaged, so that half a pixel is exact. Held-out images are from `test`, with new textures and
with vectors that were never trained on. `content` is VICReg alone: the same encoder, views, steps and batches.
"""

import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch.nn import functional as F

import tacit as tc
from perception import FASHION_MNIST
from tacit import studies
from tacit.models import MotionContent
from tacit.probing.probes import ClassResult, Linear
from tacit.recipes import MCJEPA, Part
from tacit.studies import Report, Run, RunResult, Study, Target, mean, met, points, rate, table
from tacit.training import MakeViews, TrainingConfig

SIDE, LONGEST, CHUNK = 48, 6, 500
MARGIN = 2 * LONGEST  # at twice the size
SPEC = tc.Spec({"pixels": tc.Modality("pixels", (1, SIDE, SIDE))})
OWN = ("photometric", "pyramid_variance")
"""Terms that the recipe uses in another way than is published."""
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Settings:
    """Loss weights that differ from the recipe, updates and numbers of images.

    Attributes:
        baseline: Nothing is trained: untrained encoder, raw pixels, no motion, phase correlation.
        published: The terms as published, where the recipe changes them.
    """

    weights: Mapping[str, float] = field(default_factory=dict)
    baseline: bool = False
    published: bool = False
    steps: int = 1500
    size: str = "nano"
    train: int = 12_000
    test: int = 2_000


LIGHT = {"invariance": 10.0, "variance": 2.5, "covariance": 51.0}
CASES = {
    "baselines": Settings(baseline=True),
    "whole": Settings(),
    "content": Settings(dict.fromkeys(MCJEPA.MOTION, 0.0)),
    "motion": Settings(dict.fromkeys(("invariance", "variance", "covariance"), 0.0)),
    "light content": Settings(LIGHT),
    "as published": Settings(LIGHT, published=True),
    **{f"without {name}": Settings({name: 0.0}) for name in MCJEPA.MOTION},
}


@dataclass(frozen=True)
class Pairs:
    """Images seen twice.

    Attributes:
        frames: ``[N, 2, 1, SIDE, SIDE]`` bytes.
        vector: ``[N, 2]`` displacement in pixels.
        moving: ``[N, SIDE, SIDE]`` pixels of the second frame that belong to the moving part.
        known: ``[N, SIDE, SIDE]`` pixels of the second frame that were visible in the first.
        classes: ``[N]``.
    """

    frames: torch.Tensor
    vector: torch.Tensor
    moving: torch.Tensor
    known: torch.Tensor
    classes: npt.NDArray[np.int64]

    @property
    def flow(self) -> torch.Tensor:
        """``[N, 2, SIDE, SIDE]`` from each pixel of the second frame to the first."""
        return -self.vector[:, :, None, None] * self.moving[:, None]


def vectors() -> tuple[torch.Tensor, torch.Tensor]:
    """Return training and held-out translations ``[n, 2]`` in half pixels (x right, y down), the same in every run."""
    steps = torch.arange(-2 * LONGEST, 2 * LONGEST + 1)
    grid = torch.cartesian_prod(steps, steps)
    grid = grid[grid.square().sum(1) <= (2 * LONGEST) ** 2]
    order = torch.randperm(len(grid), generator=torch.Generator().manual_seed(0))
    return grid[order[len(grid) // 4 :]], grid[order[: len(grid) // 4]]


def textures(count: int, side: int, draw: torch.Generator) -> torch.Tensor:
    """Return grey levels ``[count, 1, side, side]`` of noise at many scales, between 0 and 1."""
    total = torch.zeros(count, 1, side, side)
    for cells in (4, 8, 16, 32, 60):
        noise = torch.randn(count, 1, cells, cells, generator=draw)
        total += cells**-0.35 * F.interpolate(noise, (side, side), mode="bicubic", align_corners=False)
    low, high = total.amin((2, 3), keepdim=True), total.amax((2, 3), keepdim=True)
    return (total - low) / (high - low)


def composed(images: torch.Tensor, objects: torch.Tensor, moves: torch.Tensor, seed: int) -> list[torch.Tensor]:
    """Return frames, vectors in pixels, the moving part, and the pixels of known motion.

    Args:
        images: ``[N, 1, h, w]`` bytes; below a quarter of full brightness they are transparent.
        objects: ``[N]`` True if the image moves alone.
        moves: ``[n, 2]`` vectors in half pixels to draw from.
        seed: Of texture, place and vector.
    """
    draw, count = torch.Generator().manual_seed(seed), len(images)
    sprites = F.interpolate(images / 255.0, scale_factor=2, mode="bilinear", align_corners=False)
    vector = moves[torch.randint(len(moves), (count,), generator=draw)]
    room = 2 * SIDE - sprites.shape[-1] - 2 * MARGIN
    start = MARGIN + torch.randint(0, room + 1, (count, 2), generator=draw)
    canvas = 0.6 * textures(count, 2 * SIDE + 2 * MARGIN, draw)
    frames, alphas = [], []
    for shift in (torch.zeros_like(vector), vector):
        ground, sprite = torch.empty(count, 1, 2 * SIDE, 2 * SIDE), torch.zeros(count, 1, 2 * SIDE, 2 * SIDE)
        for one in range(count):
            left, top = (MARGIN - shift[one] * int(not objects[one])).tolist()
            ground[one] = canvas[one, :, top : top + 2 * SIDE, left : left + 2 * SIDE]
            x, y = (start[one] + shift[one]).tolist()
            sprite[one, :, y : y + sprites.shape[-2], x : x + sprites.shape[-1]] = sprites[one]
        cover = (4 * sprite).clamp(max=1)
        frames.append(F.avg_pool2d(cover * sprite + (1 - cover) * ground, 2))
        alphas.append(F.avg_pool2d(cover, 2)[:, 0])
    levels = torch.stack(frames, dim=1).mul(255).round().clamp(0, 255).to(torch.uint8)
    return [levels, vector / 2.0, *masks(vector / 2.0, objects, *alphas)]


def masks(
    vector: torch.Tensor, objects: torch.Tensor, first: torch.Tensor, second: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return masks of the moving part and of known motion; a half-covered pixel is unknown."""
    moving = torch.where(objects[:, None, None], second >= 0.5, True)
    still = (second < 0.05) & (first < 0.05)  # texture that was not hidden before either
    places = torch.arange(SIDE, dtype=torch.float32)
    x, y = (places - vector[:, axis, None] for axis in (0, 1))
    there = ((x >= 0) & (x <= SIDE - 1))[:, None, :] & ((y >= 0) & (y <= SIDE - 1))[:, :, None]
    return moving, torch.where(objects[:, None, None], moving | still, there)


@cache
def pairs(place: Path, count: int, held_out: bool, objects: float, seed: int) -> Pairs:
    """Return pairs of the first ``count`` images of a dataset; no vector is both trained on and held out."""
    found = list(tc.data.open(place)[:count])
    images = torch.from_numpy(np.stack([one.observation["pixels"][0] for one in found]))
    alone = torch.rand(len(found), generator=torch.Generator().manual_seed(seed + 1)) < objects
    chunks = enumerate(zip(torch.split(images, CHUNK), torch.split(alone, CHUNK), strict=True))
    parts = [composed(*chunk, vectors()[held_out], seed + CHUNK * number) for number, chunk in chunks]
    classes = np.array([int(one.labels["class"].reshape(-1)[0]) for one in found])
    frames, vector, moving, known = map(torch.cat, zip(*parts, strict=True))
    return Pairs(frames, vector, moving, known, classes)


def episodes_of(made: Pairs, frames: int) -> tc.data.Episodes:
    """Return the pairs, or their first frames alone, as episodes."""
    nothing = np.empty((frames - 1, 0), np.float32)
    found = [
        tc.Episode({"pixels": clip[:frames].numpy()}, nothing, labels={"class": np.full(frames, number)})
        for clip, number in zip(made.frames, made.classes, strict=True)
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
    if chosen.published:
        plain = [Part(part.name, {}, part.weight) if part.name in OWN else part for part in made.objective]
        return replace(made, objective=tuple(plain))
    # Without the terms over motion the flow is not computed: VICReg, at its own cost.
    without_motion = chosen.weights == CASES["content"].weights
    return replace(made, weights={}, objective=made.objective[-2:]) if without_motion else made


def views(method: MCJEPA) -> MakeViews:
    light = tc.augmentation.ColorJitter(brightness=0.4, contrast=0.4, saturation=0.0, hue=0.0)
    changes = tc.augmentation.Chain((tc.augmentation.Flip(0.5), light))
    return MakeViews(tc.augmentation.MultiCrop((2,), ((SIDE, SIDE),), (method.crop,), changes))


@torch.no_grad()
def end_point_errors(model: MotionContent, made: Pairs) -> torch.Tensor:
    """Return ``[N, SIDE, SIDE]`` pixels between the predicted and the true flow."""
    predicted = [model.flow({"pixels": part}) for part in torch.split(made.frames, 256)]
    return (torch.cat(predicted) - made.flow).square().sum(1).sqrt()


def by_image(errors: torch.Tensor, where: torch.Tensor) -> Floats:
    """Return the mean error of each image over the pixels of a mask."""
    count = where.sum((1, 2))
    sums = torch.where(where, errors, 0.0).sum((1, 2))
    return (sums / count)[count > 0].numpy().astype(np.float64)


def scored(errors: torch.Tensor, made: Pairs, kind: str) -> dict[str, Any]:
    """Return mean end-point errors with their intervals."""
    parts = {"all": made.known}
    if kind == "object":
        parts |= {"moving": made.known & made.moving, "still": made.known & ~made.moving}
    return {name: tc.statistics.bootstrap(by_image(errors, where)) for name, where in parts.items()}


def phase_correlation(made: Pairs) -> torch.Tensor:
    """Return end-point errors of one whole-pixel vector per pair: the peak of the normalised cross spectrum."""
    window = torch.hann_window(SIDE, periodic=False)
    first, second = (torch.fft.fft2((made.frames[:, t, 0] / 255.0 - 0.5) * window * window[:, None]) for t in (0, 1))
    cross = second * first.conj()
    peak = torch.fft.ifft2(cross / (cross.abs() + 1e-9)).real.flatten(1).argmax(1)
    y, x = ((part + SIDE // 2) % SIDE - SIDE // 2 for part in (peak // SIDE, peak % SIDE))
    return (-torch.stack([x, y], dim=1)[:, :, None, None] - made.flow).square().sum(1).sqrt()


def content(model: Any, fit: tc.data.Episodes, test: tc.data.Episodes) -> dict[str, Any]:
    """Read the class from single frames by a linear probe."""
    reading = Linear()(tc.probing.features(model, fit), tc.probing.features(model, test), "class")
    assert isinstance(reading, ClassResult)
    right = np.packbits(reading.actual == reading.predicted).tobytes().hex()
    return {**vars(reading.accuracy), "right": right}


def measure(run: Run[Settings]) -> dict[str, Any]:
    chosen, place = run.settings, run.data / "fashion_mnist"
    made = pairs(place / "train", chosen.train, False, 0.5, seed=0)
    held = {name: pairs(place / "test", chosen.test, True, float(name == "object"), 7) for name in ("scene", "object")}
    fit, test = episodes_of(made, 1), episodes_of(held["scene"], 1)
    method = recipe(chosen)
    model = method.build_model(SPEC, run.seed)
    if chosen.baseline:
        raw = tc.probing.RawInput(model.config, model.statistics, grid=(SIDE // 4, SIDE // 4))
        encoders = {"untrained": tc.probing.untrained_model(model, run.seed), "raw": raw}
        found = {name: content(one, fit, test) for name, one in encoders.items()}
        found["no motion"] = {name: scored(one.flow.square().sum(1).sqrt(), one, name) for name, one in held.items()}
        found["phase correlation"] = {"scene": scored(phase_correlation(held["scene"]), held["scene"], "scene")}
        return found
    begin = time.process_time()
    moved = episodes_of(made, 2)
    method.train(model, moved, seed=run.seed, to=run.work / "run", transforms=(views(method),), log_every=50)
    values: dict[str, Any] = {"train_cpu_seconds": round(time.process_time() - begin, 1)}
    if not run.name.startswith("content"):
        values["epe"] = {name: scored(end_point_errors(model, one), one, name) for name, one in held.items()}
    return {**values, "content": content(model, fit, test)}


def beyond_vicreg(every: Mapping[str, Mapping[str, RunResult]], variant: str) -> tuple[dict[str, float], int]:
    """Return the difference of the probes to VICReg alone, over seeds and, in pairs, images; and the seeds."""
    gaps = []
    for seed, run in every[variant].items():
        one, other = run.values["content"], every["content"][seed].values["content"]
        bits = (np.unpackbits(np.frombuffer(bytes.fromhex(found["right"]), np.uint8)) for found in (one, other))
        mine, theirs = (found[: one["n"]].astype(float) for found in bits)
        gaps.append(mine - theirs)
    return vars(tc.statistics.crossed_bootstrap(np.stack(gaps))), len(gaps)


def errors_of(found: Mapping[str, Any]) -> tuple[str, str, str]:
    return mean(found["scene"]["all"]), mean(found["object"]["all"]), mean(found["object"]["moving"])


def report(results: Mapping[str, RunResult]) -> Report:
    every, rows, gaps = studies.by_case(results), [], []
    still = results["baselines/0"].values
    rows = [("no motion", *errors_of(still["no motion"]), "", "")]
    rows.append(("phase correlation", mean(still["phase correlation"]["scene"]["all"]), "", "", "", ""))
    for seed, run in every["baselines"].items():
        rows += [(f"{name}, seed {seed}", "", "", "", rate(run.values[name]), "") for name in ("untrained", "raw")]
    for case in (one for one in CASES if one in every and one != "baselines"):
        for seed, run in every[case].items():
            errors = errors_of(run.values["epe"]) if "epe" in run.values else ("", "", "")
            seconds = f"{run.values['train_cpu_seconds']:.0f}"
            rows.append((f"{case}, seed {seed}", *errors, rate(run.values["content"]), seconds))
        if case != "content":
            gap, seeds = beyond_vicreg(every, case)
            gaps.append((case, f"{points(gap)} ({seeds} seed(s))"))
    header = ("", "scene, px", "object, px", "object, moving part, px", "class, linear probe", "training, CPU s")
    return Report([table(header, rows), table(("", "probe beyond VICReg alone, points"), gaps)], targets(every))


def targets(every: Mapping[str, Mapping[str, RunResult]]) -> list[Target]:
    rows = []
    whole = [run.values["epe"] for run in every["whole"].values()]
    for kind, part, name in (("scene", "all", "a scene"), ("object", "moving", "an object before a background")):
        worst = max((run[kind][part] for run in whole), key=lambda found: found["high"])
        quantity = f"MC-JEPA, translations of {name}: end-point error"
        rows.append(Target(quantity, "interval below 0.5 px, each seed", f"{mean(worst)} px", met(worst["high"] < 0.5)))
    gap, _ = beyond_vicreg(every, "whole")
    least = "no worse: an interval that ends above -1 point"
    quantity = "MC-JEPA, class by a linear probe, next to VICReg alone"
    return [*rows, Target(quantity, least, f"{points(gap)} points", met(gap["high"] > -0.01))]


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
    seeds_of={case: (0,) for case in CASES if case not in ("baselines", "whole", "content")},
    data=FASHION_MNIST,
    measure=measure,
    report=report,
)

if __name__ == "__main__":
    studies.main(STUDY)
