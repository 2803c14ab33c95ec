"""Models as a person gets them: `tacit train` in a process of its own, which keeps models on the way and resumes."""

import json
import shlex
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import tacit as tc
from tacit.training import read_log


@dataclass(frozen=True)
class Trained:
    """What a training left.

    Attributes:
        command: What was typed, with DATA and RUN for places.
        models: By the number of updates after which they were kept.
        seconds: Of training, by its log, whichever calls it took.
    """

    command: str
    models: Mapping[int, Path]
    seconds: float


def command(recipe: str, options: Mapping[str, Any], data: Path, to: Path, steps: int, seed: int) -> list[str]:
    """What a person would type."""
    words = [part for name, value in options.items() for part in ("--set", f"{name}={json.dumps(value)}")]
    how = ["--recipe", recipe, "--steps", str(steps), "--seed", str(seed), *words]
    return ["tacit", "train", str(data), *how, "--to", str(to)]


def trained(
    recipe: str, options: Mapping[str, Any], data: Path, to: Path, *, steps: int, seed: int, keep: Sequence[int] = ()
) -> Trained:
    """Train a recipe with one thread.

    Args:
        recipe: Its name.
        options: Of the recipe, by dotted name.
        data: A dataset; a tenth of its episodes is not trained on.
        to: The directory of the run.
        steps: Updates.
        seed: Of everything.
        keep: Updates after which to keep the model; the last is kept in any case.
    """
    at = tuple(sorted({*keep, steps}))
    whole = {**options, "training.threads": 1, "training.keep": at}
    subprocess.run(command(recipe, whole, data, to, steps, seed), check=True, stdout=subprocess.DEVNULL)
    seconds = float(read_log(to)[-1]["seconds"])
    shown = command(recipe, whole, Path("DATA") / data.name, Path("RUN"), steps, seed)
    return Trained(shlex.join(shown), {step: to / "kept" / str(step) for step in at}, seconds)


def recipe_of(name: str, options: Mapping[str, Any]) -> tc.recipes.Recipe:
    """The same recipe with the same options, to look at or to count its operations."""
    made: tc.recipes.Recipe = tc.recipes.load(name)().with_options({**options, "training.threads": 1})
    return made
