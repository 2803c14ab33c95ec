"""Training of a recipe to the budget of a study, with measurements on the way."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from tacit import recipes
from tacit.checkpoint import load_model
from tacit.data import Clips
from tacit.data import open as open_data
from tacit.diagnostics import training_operations
from tacit.errors import ConfigError
from tacit.models import Model
from tacit.recipes import Recipe
from tacit.studies.study import Budget, Run
from tacit.studies.trained_run import train

__all__ = ["BudgetedRun", "recipe_of", "train_to_budget", "updates"]


@dataclass(frozen=True)
class BudgetedRun:
    """Training to a budget of operations.

    Attributes:
        command: The command of the training, with DATA and RUN in place of the folders.
        operations_a_step: Floating-point operations of an update.
        steps: Updates.
        seconds: Seconds of ``training`` and of ``probing``.
        points: The values of each kept model, with its ``step`` and ``operations``.
        model: The last model.
    """

    command: str
    operations_a_step: float
    steps: int
    seconds: Mapping[str, float]
    points: list[dict[str, Any]]
    model: Model

    def values(self) -> dict[str, Any]:
        """Return all but the model, for the values of a run."""
        return {name: value for name, value in vars(self).items() if name != "model"}


def recipe_of(name: str, options: Mapping[str, Any]) -> Recipe:
    """Return a recipe with options, for one thread."""
    made: Recipe = recipes.load(name)().with_options({**options, "training.threads": 1})
    return made


def updates(budget: Budget, operations: float, points: int) -> tuple[int, list[int]]:
    """Return the updates that a budget pays, and their halves, quarters and so on, at which to measure.

    Args:
        budget: The budget, with operations.
        operations: Operations of an update.
        points: Measurements.

    Raises:
        ConfigError: if the budget has no operations.
    """
    if budget.operations is None:
        raise ConfigError("a training to a budget needs one of operations: Study(budget=Budget(operations=1e14)).")
    steps = max(round(budget.operations / operations), 2**points)
    return steps, sorted({max(round(steps / 2**power), 1) for power in range(points)})


def train_to_budget(
    run: Run[Any],
    recipe: str,
    options: Mapping[str, Any],
    dataset: str,
    measure: Callable[[Model], Mapping[str, Any]],
    points: int,
) -> BudgetedRun:
    """Train a recipe for the operations of the budget, and measure models on the way; it continues if interrupted.

    Args:
        run: The run, with its budget, seed and folders.
        recipe: The name of the recipe.
        options: Options of the recipe by dotted name.
        dataset: The path of the data inside the folder of the data.
        measure: The measurement of a kept model.
        points: Measurements: of the last model, at half of the updates, at a quarter and so on.
    """
    place, method = run.data / dataset, recipe_of(recipe, options)
    episodes = open_data(place)
    model = method.build_model(episodes.spec, run.seed).train()
    each = training_operations(_loss(method, model, method.clips(episodes, model)))
    steps, at = updates(run.budget, each, points)
    trained = train(recipe, options, place, run.work / "run", steps=steps, seed=run.seed, keep=at)
    begin, found = time.process_time(), []
    for step, kept in trained.models.items():
        model = load_model(kept, kind=Model)
        found.append({"step": step, "operations": step * each, **measure(model)})
    seconds = {"training": trained.seconds, "probing": time.process_time() - begin}
    return BudgetedRun(trained.command, each, steps, seconds, found, model)


def _loss(method: Recipe, model: Any, clips: Clips) -> Callable[[int], Any]:
    """Return the loss of a batch by its number, as the training computes it."""
    objective, transforms = method.build_objective(), method.transforms(model)
    objective.prepare(model.latent_size, model.action_size)

    def loss(index: int) -> Any:
        clip = clips.batch(0, index, method.training.batch_size)
        for transform in transforms:
            clip = transform(clip, seed=index, rank=0)
        return objective(model.forecast(clip, objective.request()), index).total

    return loss
