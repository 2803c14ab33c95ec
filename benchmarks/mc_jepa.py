"""MC-JEPA on pictures that move by known amounts: `OMP_NUM_THREADS=1 uv run benchmarks/mc_jepa.py data/fashion_mnist`.

The dataset is one of pictures with a label ``class``, made by benchmarks/real_data.py: a folder with `train` and
`test`. Each picture is laid at random on a texture of its own and shown twice, 48 x 48, moved by a vector of whole and
half pixels, at most 6 long. In a **scene** everything moves; **object** keeps the texture still and moves the picture
alone. Half of the training pairs are of each kind. Scenes are composed at twice the size and averaged, so that half a
pixel is exact. Held-out pictures are from `test`, textures are drawn anew, and a quarter of the vectors is never
trained on: held-out pairs move by those.

**Motion**: mean end-point error over the pixels of the second picture that were visible in the first, by picture, with
a bootstrap interval over pictures; beside it the error of saying that nothing moves and, on scenes, of phase
correlation. In `object` the pixels of the picture and of the texture also count apart. **Content**: a linear probe
reads the class from the frozen latents of single frames, beside VICReg alone (`content`: the same encoder, views, steps
and batches), the untrained twin and raw pixels, with an interval over seeds and held-out pictures of the difference.
"No worse" was fixed beforehand as: the interval ends above -1 point.

`whole` and `content` run with every seed, the others with the first one: the flow alone (`motion`), content at a
thousandth (`light content`), that and the variance of each level and the pictures' comparison as published (see
:class:`tacit.recipes.MCJEPA`), and the whole without each term. Writes benchmarks/results/mc_jepa.json after every run
and goes on where it stopped.
"""

import argparse
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch.nn import functional as F

import tacit as tc
from record import Record
from tacit._config import to_json
from tacit.models import MotionContent
from tacit.probing.probes import ClassResult, Linear
from tacit.recipes import MCJEPA, Part
from tacit.training import TrainingConfig, Viewed

RESULTS = Path(__file__).parent / "results" / "mc_jepa.json"
SIDE, LONGEST = 48, 6
MARGIN = 2 * LONGEST  # at twice the size
SPEC = tc.Spec({"pixels": tc.Modality("pixels", (1, SIDE, SIDE))})
CONTENT = ("invariance", "variance", "covariance")
MAIN = ("whole", "content")
LIGHT = {"invariance": 10.0, "variance": 2.5, "covariance": 51.0}
VARIANTS: dict[str, dict[str, float]] = {
    "whole": {},
    "content": dict.fromkeys(MCJEPA.MOTION, 0.0),
    "motion": dict.fromkeys(CONTENT, 0.0),
    "light content": LIGHT,
    "as published": LIGHT,
    **{f"without {name}": {name: 0.0} for name in MCJEPA.MOTION},
}
"""What is run: weights that are not those of the recipe."""
OWN = ("photometric", "pyramid_variance")
"""The terms that the recipe uses in another way than is published."""
CHUNK = 500
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Pairs:
    """Pictures seen twice.

    Attributes:
        frames: ``[N, 2, 1, SIDE, SIDE]`` bytes.
        vector: ``[N, 2]`` pixels that it moves by.
        moving: ``[N, SIDE, SIDE]`` the pixels of the second that belong to what moves.
        known: ``[N, SIDE, SIDE]`` the pixels of the second that were visible in the first.
        classes: ``[N]``.
    """

    frames: torch.Tensor
    vector: torch.Tensor
    moving: torch.Tensor
    known: torch.Tensor
    classes: npt.NDArray[np.int64]

    @property
    def flow(self) -> torch.Tensor:
        """``[N, 2, SIDE, SIDE]`` where each pixel of the second was in the first."""
        return -self.vector[:, :, None, None] * self.moving[:, None]


def vectors() -> tuple[torch.Tensor, torch.Tensor]:
    """Training and held-out translations ``[n, 2]`` in half pixels (x right, y down), the same in every run."""
    steps = torch.arange(-2 * LONGEST, 2 * LONGEST + 1)
    grid = torch.cartesian_prod(steps, steps)
    grid = grid[grid.square().sum(1) <= (2 * LONGEST) ** 2]
    order = torch.randperm(len(grid), generator=torch.Generator().manual_seed(0))
    return grid[order[len(grid) // 4 :]], grid[order[: len(grid) // 4]]


def textures(count: int, side: int, draw: torch.Generator) -> torch.Tensor:
    """Grey levels ``[count, 1, side, side]`` of noise at many scales, between 0 and 1."""
    total = torch.zeros(count, 1, side, side)
    for cells in (4, 8, 16, 32, 60):
        noise = torch.randn(count, 1, cells, cells, generator=draw)
        total += cells**-0.35 * F.interpolate(noise, (side, side), mode="bicubic", align_corners=False)
    low, high = total.amin((2, 3), keepdim=True), total.amax((2, 3), keepdim=True)
    return (total - low) / (high - low)


def composed(
    pictures: torch.Tensor, classes: npt.NDArray[np.int64], moves: torch.Tensor, objects: torch.Tensor, seed: int
) -> Pairs:
    """Pairs of frames.

    Args:
        pictures: ``[N, 1, h, w]`` bytes; below a quarter of full brightness they are transparent.
        classes: ``[N]``.
        moves: ``[n, 2]`` vectors in half pixels to draw from.
        objects: ``[N]`` whether the picture moves alone.
        seed: Of texture, place and vector.
    """
    draw, count = torch.Generator().manual_seed(seed), len(pictures)
    sprites = F.interpolate(pictures / 255.0, scale_factor=2, mode="bilinear", align_corners=False)
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
    return _labelled(levels, alphas, vector / 2.0, objects, classes)


def _labelled(
    levels: torch.Tensor,
    alphas: list[torch.Tensor],
    vector: torch.Tensor,
    objects: torch.Tensor,
    classes: npt.NDArray[np.int64],
) -> Pairs:
    """What moves, and where that can be told: not at a pixel half covered."""
    first, second = alphas
    moving = torch.where(objects[:, None, None], second >= 0.5, True)
    still = (second < 0.05) & (first < 0.05)  # texture that was not hidden before either
    places = torch.arange(SIDE, dtype=torch.float32)
    x, y = (places - vector[:, axis, None] for axis in (0, 1))
    there = ((x >= 0) & (x <= SIDE - 1))[:, None, :] & ((y >= 0) & (y <= SIDE - 1))[:, :, None]
    known = torch.where(objects[:, None, None], moving | still, there)
    return Pairs(levels, vector, moving, known, classes)


def pairs(place: Path, count: int, held_out: bool, objects: float, seed: int) -> Pairs:
    """Pairs of the first ``count`` pictures of a dataset, of whose vectors none is both trained on and held out."""
    episodes = tc.data.open(place)[:count]
    found = list(episodes)
    pictures = torch.from_numpy(np.stack([one.observation["pixels"][0] for one in found]))
    classes = np.array([int(one.labels["class"].reshape(-1)[0]) for one in found])
    moves = vectors()[held_out]
    alone = torch.rand(len(found), generator=torch.Generator().manual_seed(seed + 1)) < objects
    parts = [
        composed(pictures[at : at + CHUNK], classes[at : at + CHUNK], moves, alone[at : at + CHUNK], seed + at)
        for at in range(0, len(found), CHUNK)
    ]
    frames, vector, moving, known = (
        torch.cat([vars(part)[name] for part in parts]) for name in ("frames", "vector", "moving", "known")
    )
    return Pairs(frames, vector, moving, known, classes)


def films(made: Pairs, frames: int) -> tc.data.Episodes:
    """The pairs, or their first frames alone, as episodes."""
    unacted = np.empty((frames - 1, 0), np.float32)
    return tc.data.from_episodes(
        [
            tc.Episode({"pixels": clip[:frames].numpy()}, unacted, labels={"class": np.full(frames, number)})
            for clip, number in zip(made.frames, made.classes, strict=True)
        ],
        SPEC,
    )


def recipe(variant: str, steps: int, size: str) -> MCJEPA:
    """The method, or what is left of it."""
    made = MCJEPA(
        size=size,
        model={"kernel": 3, "expander": (512,)},
        steps=steps,
        probe_every=0,
        weights=VARIANTS[variant],
        crop=(0.3, 1.0),
        training=TrainingConfig(batch_size=32, lr=2e-3, weight_decay=1e-6, warmup=0.05, lr_end=1e-2, threads=1),
    )
    if variant == "as published":
        plain = [Part(part.name, {}, part.weight) if part.name in OWN else part for part in made.objective]
        return replace(made, objective=tuple(plain))
    # Without the terms over motion no flow is asked for: VICReg, at its own price.
    return replace(made, weights={}, objective=made.objective[-2:]) if variant == "content" else made


def train(variant: str, seed: int, episodes: tc.data.Episodes, options: argparse.Namespace) -> tuple[Any, float]:
    """A trained model, and the CPU seconds that it took."""
    method = recipe(variant, options.steps, options.size)
    model = method.build_model(SPEC, seed)
    light = tc.augmentation.ColorJitter(brightness=0.4, contrast=0.4, saturation=0.0, hue=0.0)
    changes = tc.augmentation.Chain((tc.augmentation.Flip(0.5), light))
    views = Viewed(tc.augmentation.MultiCrop((2,), ((SIDE, SIDE),), (method.crop,), changes))
    begin = time.process_time()
    to = options.work / f"{variant.replace(' ', '_')}{seed}"
    method.train(model, episodes, seed=seed, to=to, transforms=(views,), log_every=50)
    return model, time.process_time() - begin


@torch.no_grad()
def end_point_errors(model: MotionContent, made: Pairs) -> torch.Tensor:
    """``[N, SIDE, SIDE]`` pixels between the flow that is told and the true one."""
    told = [model.flow({"pixels": part}) for part in torch.split(made.frames, 256)]
    return (torch.cat(told) - made.flow).square().sum(1).sqrt()


def by_picture(errors: torch.Tensor, where: torch.Tensor) -> Floats:
    """Mean error of each picture over the pixels of a mask, those of pictures that have some."""
    count = where.sum((1, 2))
    sums = torch.where(where, errors, 0.0).sum((1, 2))
    return (sums / count)[count > 0].numpy().astype(np.float64)


def judged(errors: torch.Tensor, made: Pairs, objects: bool) -> dict[str, Any]:
    """Mean end-point errors with their intervals."""
    parts = {"all": made.known}
    if objects:
        parts |= {"moving": made.known & made.moving, "still": made.known & ~made.moving}
    return {name: vars(tc.statistics.bootstrap(by_picture(errors, where))) for name, where in parts.items()}


def phase_correlation(made: Pairs) -> torch.Tensor:
    """End-point errors of one whole-pixel vector for each pair: the peak of the normalised cross spectrum."""
    window = torch.hann_window(SIDE, periodic=False)
    first, second = (torch.fft.fft2((made.frames[:, t, 0] / 255.0 - 0.5) * window * window[:, None]) for t in (0, 1))
    cross = second * first.conj()
    peak = torch.fft.ifft2(cross / (cross.abs() + 1e-9)).real.flatten(1).argmax(1)
    y, x = ((part + SIDE // 2) % SIDE - SIDE // 2 for part in (peak // SIDE, peak % SIDE))
    return (-torch.stack([x, y], dim=1)[:, :, None, None] - made.flow).square().sum(1).sqrt()


def read(model: Any, fit: tc.data.Episodes, test: tc.data.Episodes) -> ClassResult:
    """The class, by a linear probe of single frames."""
    reading = Linear()(tc.probing.features(model, fit), tc.probing.features(model, test), "class")
    assert isinstance(reading, ClassResult)
    return reading


def content(reading: ClassResult) -> dict[str, Any]:
    right = np.packbits(reading.actual == reading.predicted).tobytes().hex()
    return {**vars(reading.accuracy), "right": right}


def differences(runs: dict[str, Any]) -> dict[str, Any]:
    """How much better than VICReg alone each variant's probe is, over the seeds of both.

    The interval resamples seeds and, in pairs, pictures.
    """
    found = {}
    for variant in VARIANTS:
        gaps = []
        for name, run in runs.items():
            other = runs.get(f"content/{name.split('/')[1]}")
            if name.split("/")[0] == variant and variant != "content" and other:
                n = run["content"]["n"]
                mine, theirs = (
                    np.unpackbits(np.frombuffer(bytes.fromhex(one["content"]["right"]), np.uint8))[:n].astype(float)
                    for one in (run, other)
                )
                gaps.append(mine - theirs)
        if gaps:
            found[variant] = {**vars(tc.statistics.crossed_bootstrap(gaps)), "seeds": len(gaps)}
    return found


def main() -> None:
    """Run what is missing."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("dataset", type=Path, help="folder with the parts train and test")
    parser.add_argument("--seeds", type=int, nargs="*", default=[0, 1, 2])
    parser.add_argument("--variants", nargs="*", default=list(VARIANTS), choices=VARIANTS)
    parser.add_argument("--steps", type=int, default=1500)
    parser.add_argument("--size", default="nano", help="of the encoder")
    parser.add_argument("--train", type=int, default=12_000, help="training pictures")
    parser.add_argument("--test", type=int, default=2_000, help="held-out pictures")
    parser.add_argument("--work", type=Path, default=Path("runs/mc_jepa"))
    parser.add_argument("--results", type=Path, default=RESULTS)
    options = parser.parse_args()
    torch.set_num_threads(1)
    settings = {
        "dataset": options.dataset.name,
        "recipes": {variant: to_json(recipe(variant, options.steps, options.size)) for variant in VARIANTS},
        "pictures": [options.train, options.test],
        "vectors": [len(part) for part in vectors()],
    }
    record = Record(options.results, settings)
    trained = pairs(options.dataset / "train", options.train, False, 0.5, seed=0)
    episodes, fit = films(trained, 2), films(trained, 1)
    held = {name: pairs(options.dataset / "test", options.test, True, float(name == "object"), seed=7)
            for name in ("scene", "object")}  # fmt: skip
    test = films(held["scene"], 1)
    if "blind" not in record.read():
        still = {name: judged(made.flow.square().sum(1).sqrt(), made, name == "object") for name, made in held.items()}
        record.add("blind", "nothing moves", still)
        record.add(
            "blind", "phase correlation", {"scene": judged(phase_correlation(held["scene"]), held["scene"], False)}
        )
    jobs = [(variant, seed) for seed in options.seeds for variant in MAIN]
    jobs += [(variant, options.seeds[0]) for variant in VARIANTS if variant not in MAIN]
    for variant, seed in jobs:
        if variant not in options.variants or f"{variant}/{seed}" in record.section("runs"):
            continue
        model, seconds = train(variant, seed, episodes, options)
        run: dict[str, Any] = {"train_cpu_seconds": round(seconds, 1)}
        if variant != "content":
            run["epe"] = {
                name: judged(end_point_errors(model, made), made, name == "object") for name, made in held.items()
            }
        run["content"] = content(read(model, fit, test))
        if str(seed) not in record.section("floors"):
            floors = {
                "untrained": tc.probing.untrained_model(model, seed),
                "raw": tc.probing.RawInput(model.config, model.statistics, grid=(SIDE // 4, SIDE // 4)),
            }
            record.add("floors", str(seed), {name: content(read(floor, fit, test)) for name, floor in floors.items()})
        runs = {**record.section("runs"), f"{variant}/{seed}": run}
        record.add("runs", f"{variant}/{seed}", run, **{"beyond VICReg": differences(runs)})
        shown = {name: part["all"]["mean"] for name, part in run.get("epe", {}).items()}
        print(variant, seed, shown, f"class {run['content']['rate']:.3f}, {seconds:.0f} s", flush=True)


if __name__ == "__main__":
    main()
