"""Training by the command line, in a process of its own."""

from __future__ import annotations

import json
import shlex
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

__all__ = ["TrainedRun", "train"]


@dataclass(frozen=True)
class TrainedRun:
    """Finished training.

    Attributes:
        command: The command, with DATA and RUN in place of the folders.
        models: The kept models by the number of their updates.
        seconds: Seconds of training by its log, over all processes that continued it.
    """

    command: str
    models: Mapping[int, Path]
    seconds: float


def train(
    recipe: str, options: Mapping[str, Any], data: Path, to: Path, *, steps: int, seed: int, keep: Sequence[int] = ()
) -> TrainedRun:
    """Train a recipe with ``tacit train`` on one thread; an interrupted training continues.

    Args:
        recipe: The name of the recipe.
        options: Options of the recipe by dotted name.
        data: A dataset; a tenth of its episodes is held out.
        to: The directory of the run.
        steps: Updates.
        seed: The seed of the training.
        keep: Updates after which the model is kept; the last one always is.
    """
    from tacit.training import read_log

    at = tuple(sorted({*keep, steps}))
    every = {**options, "training.threads": 1, "training.keep": at}
    words = [word for name, value in every.items() for word in ("--set", f"{name}={json.dumps(value)}")]
    words = ["--recipe", recipe, "--steps", str(steps), "--seed", str(seed), *words, "--to"]
    command = [sys.executable, "-m", "tacit", "train", str(data), *words, str(to)]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    shown = shlex.join(["tacit", "train", f"DATA/{data.name}", *words, "RUN"])
    return TrainedRun(shown, {step: to / "kept" / str(step) for step in at}, float(read_log(to)[-1]["seconds"]))
