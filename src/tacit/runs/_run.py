"""Recipe, data, model and agent of a training run on disk."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tacit._config import OMIT_DEFAULT, from_json, to_json
from tacit._files import read_json, resolve
from tacit.errors import CheckpointError, DataError, TacitError

if TYPE_CHECKING:
    import torch

    from tacit.agent import Agent, NamedFallback
    from tacit.data import Episodes
    from tacit.models import Model

__all__ = ["Run", "RunRecord", "open"]

DIFFERENCES = 5  # the most options that an error names


@dataclass(frozen=True)
class RunRecord:
    """The content of ``run.json``.

    Attributes:
        recipe: The method.
        data: The path of the dataset.
        dataset_hash: The hash of its episodes as they were read.
        seed: The seed of the run.
        fraction: The fraction of the episodes that it trained on.
        split_seed: The seed of their selection.
        options: The complete recipe as it was used.
        start: The run with its initial weights.
        reading: The options to open the dataset with.
        cache: The folder for decoded episodes, if not the default one.
        reasons: The reasons for options that were chosen from the data, by their dotted names.
    """

    recipe: str
    data: str
    dataset_hash: str
    seed: int
    fraction: float = 0.9
    split_seed: int = 0
    options: Mapping[str, Any] = field(default_factory=dict)
    start: str = ""
    reading: Mapping[str, Any] = field(default_factory=dict)
    cache: str = ""
    reasons: Mapping[str, str] = field(default_factory=dict, metadata=OMIT_DEFAULT)

    @contextmanager
    def begun(self, to: Path) -> Iterator[None]:
        """Write ``run.json`` before the training in the block, and remove it if the training is refused.

        Files of an attempt that ended before its first update are no run and are replaced. The dataset is identified
        by its hash. Options that the weights do not depend on may change, and a complete run may continue for more
        steps.

        Raises:
            CheckpointError: if the directory holds another run or something else, which is not changed, or another
                process is training in it.
        """
        from tacit.training.processes import LOCK

        new_directory, new = not to.exists(), not (to / "run.json").exists()
        self._claim(to)
        try:
            yield
        except TacitError:
            if new and not _checkpoints(to):
                (to / "run.json").unlink(missing_ok=True)
            if new_directory and {item.name for item in to.iterdir()} <= {LOCK}:
                shutil.rmtree(to)
            raise

    def _claim(self, to: Path) -> None:
        """Refuse a directory that holds something else, and write ``run.json`` into it."""
        from tacit._files import write_atomically
        from tacit.training.processes import LOCK, run_lock

        places = _checkpoints(to)
        noted = (to / "run.json").exists()
        if to.exists() and not (places or noted) and (not to.is_dir() or {item.name for item in to.iterdir()} - {LOCK}):
            raise CheckpointError(
                f"{to} is no run, and it is not empty. Choose another place for this one.", code="T13"
            )
        with run_lock(to):
            if places and noted and (found := self._differs(RunRecord.load(to), _updates(to))):
                if _updates(to) > 0:
                    raise CheckpointError(
                        f"{to} holds another run: {found}. Choose another place, or remove that run.", code="T13"
                    )
                for place in places:
                    shutil.rmtree(place)
            to.mkdir(parents=True, exist_ok=True)
            write_atomically(to / "run.json", json.dumps(to_json(self), indent=2) + "\n")

    def _differs(self, other: RunRecord, done: int) -> str:
        """Return the different options of another run in words; empty if it can continue as this one.

        Args:
            other: The run on disk.
            done: The number of its updates.
        """
        from tacit._version_0_1 import partial
        from tacit.training.config import FREE_OPTIONS

        known, asked = ({**run.options, "loggers": None} for run in (other, self))
        for options in (known, asked):
            training = options.get("training")
            if isinstance(options.get("model"), Mapping):
                options["model"] = partial(options["model"])
            if isinstance(training, Mapping):
                options["training"] = {name: value for name, value in training.items() if name not in FREE_OPTIONS}
        if known.get("steps") == done < asked.get("steps", 0):
            known["steps"] = asked["steps"]  # it was complete and continues
        return _difference(
            replace(self, options=asked),
            replace(other, options=known, data=self.data, cache=self.cache, reasons=self.reasons),
        )

    @classmethod
    def load(cls, path: Path) -> RunRecord:
        """Read the record from the directory of a run.

        Raises:
            CheckpointError: if the directory is no run, or its run.json is damaged.
        """
        from tacit.training.config import without_removed_options

        file = path / "run.json"
        if not file.is_file():
            raise CheckpointError(
                f"{path} is no run: it has no run.json. Make one with: tacit train DATASET --to {path}"
            )
        try:
            return from_json(cls, without_removed_options(read_json(file)), str(file))
        except (OSError, ValueError) as error:  # a ConfigError is a ValueError
            raise CheckpointError(
                f"{file} cannot be read: {error} It is damaged or of another version of Tacit: restore it, or remove "
                "it and repeat the command that trained this run, which continues from its checkpoint."
            ) from error

    def episodes(self, data: str | Path) -> Episodes:
        """Open a dataset with the options of the run."""
        import tacit as tc

        return tc.data.open(data, cache=self.cache or None, **self.reading)

    def split(self, data: Path | None, say: Callable[[str], object] | None = None) -> tuple[Episodes, Episodes]:
        """Return the training and the held-out episodes; held-out copies of training episodes are left out.

        Args:
            data: The current path of the dataset; None: the recorded one.
            say: Called with a message about copies that are left out.

        Raises:
            DataError: if the dataset is not the one that the run was trained on.
        """
        episodes = self.episodes(data or self.data)
        if episodes.hash() != self.dataset_hash:
            raise DataError(
                f"{data or self.data} is not the dataset that this run was trained on (another hash), so which of its "
                "episodes are held out is unknown. Name the right one with --data."
            )
        fit_on, held_out = episodes.split(self.fraction, seed=self.split_seed)
        apart = held_out.without(fit_on)
        if say is not None and len(apart) < len(held_out):
            say(
                f"{len(held_out) - len(apart)} of {len(held_out)} held-out episodes are copies of others that were "
                "trained on, and are left out"
            )
        return fit_on, apart


def _checkpoints(run: Path) -> list[Path]:
    """Return the existing checkpoints, including one whose replacement was interrupted."""
    return [run / name for name in ("checkpoint", ".checkpoint.old") if (run / name).exists()]


def _difference(mine: RunRecord, theirs: RunRecord) -> str:
    """Return the different options of two runs in words; empty if there are none."""
    asked, known = _flat(to_json(mine)), _flat(to_json(theirs))
    names = [name for name in {**known, **asked} if asked.get(name) != known.get(name)]
    parts = (f"its {name} is {_shown(known, name)}, not {_shown(asked, name)}" for name in names[:DIFFERENCES])
    return "; ".join(parts) + (" ..." if len(names) > DIFFERENCES else "")


def _updates(run: Path) -> int:
    """Return a lower bound of the number of updates in a run."""
    from tacit import checkpoint

    try:
        step = checkpoint.load(run, ["training"]).parts["training"].config.get("step")
        return step if isinstance(step, int) else 1
    except CheckpointError:
        return 1  # it is damaged and may hold any number of updates


def _flat(values: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Return nested options by dotted name, as they are set on the command line."""
    found: dict[str, Any] = {}
    for name, value in values.items():
        inner = f"{prefix}{name}." if prefix or name != "options" else ""
        found |= _flat(value, inner) if isinstance(value, Mapping) and value else {f"{prefix}{name}": value}
    return found


def _shown(options: Mapping[str, Any], name: str) -> str:
    return json.dumps(options[name]) if name in options else "unset"


@dataclass(frozen=True)
class Run:
    """A run on disk.

    Attributes:
        path: Its directory.
        record: The content of its ``run.json``.
    """

    path: Path
    record: RunRecord

    @cached_property
    def _split(self) -> tuple[Episodes, Episodes]:
        return self.record.split(None)

    @property
    def train(self) -> Episodes:
        """Return the episodes that it trained on.

        Raises:
            DataError: if the dataset is missing or has changed.
        """
        return self._split[0]

    @property
    def held_out(self) -> Episodes:
        """Return the episodes that it did not train on.

        Raises:
            DataError: if the dataset is missing or has changed.
        """
        return self._split[1]

    @property
    def log(self) -> list[dict[str, Any]]:
        """Return the lines of its log."""
        from tacit.training import read_log

        return list(read_log(self.path))

    def model(self, device: str | torch.device = "cpu") -> Model:
        """Return its model.

        Raises:
            CheckpointError: if it has none yet, or it is damaged.
        """
        from tacit import checkpoint, models

        return checkpoint.load_model(self.path, device, kind=models.Model)

    def agent(self, device: str | torch.device = "cpu", fallback: NamedFallback | None = None) -> Agent:
        """Return its agent.

        Args:
            device: Where to compute.
            fallback: In place of the saved fallback.

        Raises:
            CheckpointError: if it has none, or it is damaged.
        """
        from tacit.agent import Agent

        return Agent.load(self.path, device, fallback=fallback)


def open(path: str | os.PathLike[str]) -> Run:
    """Open the directory of a run.

    Raises:
        CheckpointError: if it is no run, or its ``run.json`` is damaged.
    """
    place = resolve(path)
    return Run(place, RunRecord.load(place))
