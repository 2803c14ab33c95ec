"""Training of a run: a recipe on a dataset, in a directory that :func:`tacit.runs.open` opens."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tacit import data
from tacit._config import from_json, to_json
from tacit._files import resolve
from tacit.data import Episodes
from tacit.models import Dynamics, Model
from tacit.recipes import load
from tacit.recipes._choice import suited
from tacit.recipes._recipe import AgentRecipe, Recipe
from tacit.runs import Run, RunRecord

__all__ = ["RunTraining", "prepare_run"]


@dataclass(frozen=True, eq=False)
class RunTraining:
    """Training of a recipe that is ready to start.

    Attributes:
        record: The recipe with its options, the dataset, the split and the seed.
        recipe: The recipe.
        model: The new model.
        fit_on: Episodes to train on.
        held_out: The other episodes.
    """

    record: RunRecord
    recipe: Recipe = field(repr=False)
    model: Model = field(repr=False)
    fit_on: Episodes
    held_out: Episodes

    def train(self, to: str | Path) -> Run:
        """Train the model, and the agent of an agent recipe, in the directory of a run.

        An interrupted training continues where it stopped.

        Raises:
            CheckpointError: if the directory has another run.
        """
        place, seed = resolve(to), self.record.seed
        start = Path(self.record.start) if self.record.start else None
        with self.record.begun(place):
            self.recipe.train(self.model, self.fit_on, seed=seed, to=place, start=start)
        if isinstance(self.recipe, AgentRecipe) and isinstance(self.model, Dynamics):
            self.recipe.train_agent(self.model, self.fit_on, seed=seed).save(place / "agent")
        return Run(place, self.record)


def prepare_run(
    dataset: str | Path,
    recipe: str = "",
    options: Mapping[str, Any] | None = None,
    *,
    seed: int = 0,
    device: str = "cpu",
    start: str | Path | None = None,
    reading: Mapping[str, Any] | None = None,
    cache: str = "",
) -> RunTraining:
    """Build the model of a recipe for a dataset, and check everything before the training.

    ::

        run = tc.recipes.prepare_run("data/rooms", "two_rooms", {"steps": 2_000}).train("runs/rooms")

    Args:
        dataset: The path of a dataset; a tenth of its episodes is held out.
        recipe: The name of a recipe, or a run whose recipe and options are taken; chosen from the data by default.
        options: Options of the recipe to replace, by dotted name.
        seed: Seed of the weights, the batches and everything else.
        device: Device of the training.
        start: A run with the initial weights.
        reading: Options of :func:`tacit.data.open`.
        cache: The folder for decoded episodes.

    Raises:
        ConfigError: if there is no such recipe or option, or the recipe does not fit the data.
    """
    recipe, plain = _named(recipe)
    method = plain.with_options(dict(options or {})) if plain else None
    if method is not None:
        method.training.check(method.steps)  # before the data are read
    episodes, reasons = data.open(dataset, cache=cache or None, **(reading or {})), dict[str, str]()
    if method is None:
        choice = suited(episodes)
        recipe, reasons = choice.name, dict(choice.reasons)
        method = choice.recipe.with_options(dict(options or {}))
        method.training.check(method.steps)
    model = method.build_model(episodes.spec, seed)
    method.check(model)  # before the recordings are read through
    model.to(device)
    record = RunRecord(
        recipe,
        str(dataset),
        episodes.hash(),
        seed,
        options=to_json(method),
        start=str(start or ""),
        reading=dict(reading or {}),
        cache=cache,
        reasons=reasons,
    )
    fit_on, held_out = episodes.split(record.fraction, seed=record.split_seed)
    return RunTraining(record, method, model, fit_on, held_out)


def _named(recipe: str) -> tuple[str, Recipe | None]:
    """Return the name of a recipe and the recipe with its options, of a run where ``recipe`` is one."""
    if not recipe or not (Path(recipe) / "run.json").is_file():
        return recipe, load(recipe)() if recipe else None
    record = RunRecord.load(Path(recipe))
    return record.recipe, from_json(load(record.recipe), dict(record.options), f"the recipe of {recipe}")
