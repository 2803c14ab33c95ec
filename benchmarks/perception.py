"""Training of encoders to a budget of operations, and comparison with the untrained encoder and the raw input."""

import itertools
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import tacit as tc
from tacit import studies
from tacit.statistics import Curve, cost_ratio
from tacit.studies import Run, RunResult, Target, mean, met, table
from timing import operations_of_step

SEEDS = 3
FASHION_MNIST = {
    "fashion_mnist/train": "e0509924186993b3b0d8703bc7eff41e213f76bf99552abfef3c447a345da98c",
    "fashion_mnist/test": "20b8b8836cefafae03c2892d87396d4d99ceddc4e6988e92f2931ffcef14a917",
}
JEPA = {
    "size": "nano",
    "clip": 8,
    "crop": [],
    "flip": 0.0,
    "model.frameskip": 1,
    "model.positions": "rope",
    "training.batch_size": 16,
    "model.mask_tokens": 2,
    "training.lr": 1e-3,
    "training.ema": [0.998, 0.998],
}
"""V-JEPA on whole frames, for minutes: nothing is cropped, small batches leave more updates."""
DENSE = {
    "objective": [
        {"name": "masked_prediction", "options": {"distance": "l1"}},
        {"name": "visible_prediction", "weight": 0.5},
    ]
}
"""The loss of V-JEPA 2.1. Without it the latents of so short a training are nearly alike."""
ENCODERS = ("trained", "untrained", "raw")


@dataclass(frozen=True)
class Reading:
    """Scores of a linear probe with one seed: of the trained encoder, the untrained one and the raw input."""

    recipe: str
    target: str
    trained: dict[str, float]
    untrained: dict[str, float]
    raw: dict[str, float]


def verdicts(readings: Iterable[Reading]) -> tuple[str, list[Target]]:
    """Return the table of all readings, and a target for each recipe: one reading above both baselines, each seed."""

    def key(one: Reading) -> tuple[str, str]:
        return one.recipe, one.target

    rows: list[tuple[str, ...]] = []
    beaten: dict[str, list[str]] = {}
    seeds: dict[str, int] = {}
    for (recipe, target), some in itertools.groupby(sorted(readings, key=key), key):
        runs = list(some)
        above = all(run.trained["low"] > max(run.untrained["high"], run.raw["high"]) for run in runs)
        seeds[recipe] = len(runs)
        if above and len(runs) >= SEEDS:
            beaten.setdefault(recipe, []).append(target)
        verdict = "no" if not above else "yes" if len(runs) >= SEEDS else f"so far, {len(runs)} seed(s)"
        scores = (", ".join(mean(vars(run)[kind], 3) for run in runs) for kind in ENCODERS)
        rows.append((recipe, target, *scores, verdict))
    targets = [
        Target(
            f"recipe {recipe}",
            f"a linear probe beats the untrained encoder and the raw input, disjoint intervals, {SEEDS} seeds",
            "; ".join(beaten.get(recipe, ())) or "nothing with every seed",
            met(recipe in beaten) if seeds[recipe] >= SEEDS else f"so far, {seeds[recipe]} seed(s)",
        )
        for recipe in seeds
    ]
    return table(("recipe", "read", *ENCODERS, "both baselines beaten"), rows), targets


def commands(results: Mapping[str, RunResult]) -> str:
    """Return the commands of the trainings with seed 0 as a block."""
    runs = (run.values for name, run in sorted(results.items()) if name.endswith("/0"))
    lines = (run["command"] for run in runs if "command" in run)
    return "Commands, with seed 0:\n\n```text\n" + "\n".join(lines) + "\n```"


def recipe_of(name: str, options: Mapping[str, Any]) -> tc.recipes.Recipe:
    made: tc.recipes.Recipe = tc.recipes.load(name)().with_options({**options, "training.threads": 1})
    return made


def loss_of(method: Any, model: Any, clips: Any) -> Callable[[int], Any]:
    """Return the loss of a batch by its number, as the training loop computes it."""
    objective, transforms = method.build_objective(), method.transforms(model)

    def loss(index: int) -> Any:
        clip = clips.batch(0, index, method.training.batch_size)
        for transform in transforms:
            clip = transform(clip, seed=index, rank=0)
        return objective(model.forecast(clip, objective.request()), index).total

    return loss


def updates(budget: studies.Budget, each: float, points: int) -> tuple[int, list[int]]:
    """Return the updates that a budget pays, and their halves, quarters ... after which the encoder is read."""
    assert budget.operations is not None
    steps = max(round(budget.operations / each), 2**points)
    return steps, sorted({max(round(steps / 2**power), 1) for power in range(points)})


def pretrained(run: Run[Any], train: str, points: int, read: Callable[[Any], Mapping[str, Any]]) -> tuple[Any, Any]:
    """Train the recipe of a run to its budget; return the readings on the way, and the last model.

    Args:
        run: Its settings have a recipe and options.
        train: The dataset.
        points: Readings.
        read: The reading of a frozen model.
    """
    chosen, episodes = run.settings, tc.data.open(run.data / train)
    method = recipe_of(chosen.recipe, chosen.options)
    model = method.build_model(episodes.spec, run.seed).train()
    each = operations_of_step(loss_of(method, model, method.clips(episodes, model)))
    steps, at = updates(run.budget, each, points)
    place, to = run.data / train, run.work / "run"
    trained = studies.train(chosen.recipe, chosen.options, place, to, steps=steps, seed=run.seed, keep=at)
    begin, found = time.process_time(), []
    for step, kept in trained.models.items():
        model = tc.checkpoint.load_model(kept, kind=tc.models.Model)
        found.append({"step": step, "operations": step * each, **read(model)})
    seconds = {"training": trained.seconds, "probing": time.process_time() - begin}
    values = {"command": trained.command, "operations_a_step": each, "steps": steps, "seconds": seconds}
    return {**values, "points": found}, model


def ratio(first: Curve, second: Curve, level: float) -> str:
    """Return the cost of the second curve over that of the first at a score."""
    if any(curve.mean()[0] >= level for curve in (first, second)):
        return "before the first point"
    return str(cost_ratio(first, second, level))
