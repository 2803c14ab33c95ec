"""A run on disk: what was trained, on what, and the agent that came of it.

::

    runs/two_rooms/run.json      recipe, data, split and seed
    runs/two_rooms/checkpoint/   the model and the state of the training
    runs/two_rooms/log.jsonl     how it went
    runs/two_rooms/agent/        the model with its planner, cost and policy
"""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tacit._config import from_json, named_value, to_json
from tacit._files import read_json, resolve
from tacit.errors import CheckpointError, ConfigError, DataError, TacitError

if TYPE_CHECKING:
    from tacit.agent import NamedFallback
    from tacit.data import Episodes
    from tacit.evaluation import ClosedLoop

__all__ = ["Run", "agent_of", "device", "options", "other_world", "reading", "show_success"]

DIFFERENCES = 5
"""How many options that differ are named."""


@dataclass(frozen=True)
class Run:
    """The content of ``run.json``.

    Attributes:
        recipe: The method.
        data: Where the dataset is.
        dataset_hash: Of its episodes as they were read.
        seed: Of the run.
        fraction: Of the episodes that it trained on.
        split_seed: Of their choice.
        options: The whole recipe as it was used.
        start: The run whose weights began it.
        reading: Options that the dataset is opened with.
        cache: The folder for decoded episodes, if not the usual one.
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

    @contextmanager
    def begun(self, to: Path) -> Iterator[None]:
        """Write ``run.json`` before the training in the block, and remove it if the training is refused.

        What an attempt left that ended before its first update is no run and is replaced. The dataset is known by its
        hash. Options that the weights do not depend on may change, and a complete run may go on for more steps.

        Raises:
            CheckpointError: if the directory holds another run or something else, which is left as it is, or another
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
        from tacit.training.processes import LOCK, sole

        places = _checkpoints(to)
        noted = (to / "run.json").exists()
        if to.exists() and not (places or noted) and (not to.is_dir() or {item.name for item in to.iterdir()} - {LOCK}):
            raise CheckpointError(f"{to} is no run, and it is not empty. Choose another place for this one.")
        with sole(to):
            if places and noted and (found := self._differs(Run.load(to), _updates(to))):
                if _updates(to) > 0:
                    raise CheckpointError(f"{to} holds another run: {found}. Choose another place, or remove that run.")
                for place in places:
                    shutil.rmtree(place)
            to.mkdir(parents=True, exist_ok=True)
            write_atomically(to / "run.json", json.dumps(to_json(self), indent=2) + "\n")

    def _differs(self, other: Run, done: int) -> str:
        """Name what another run was asked for that this one is not; empty if it can go on as this one.

        Args:
            other: The run on disk.
            done: Its updates.
        """
        from tacit.training.config import FREE_OPTIONS

        known, asked = ({**run.options} for run in (other, self))
        for options in (known, asked):
            training = options.get("training")
            if isinstance(training, Mapping):
                options["training"] = {name: value for name, value in training.items() if name not in FREE_OPTIONS}
        if known.get("steps") == done < asked.get("steps", 0):
            known["steps"] = asked["steps"]  # it was complete and goes on
        return _difference(
            replace(self, options=asked), replace(other, options=known, data=self.data, cache=self.cache)
        )

    @classmethod
    def load(cls, path: Path) -> Run:
        """Read it from the directory of a run.

        Raises:
            CheckpointError: if the directory is no run, or its run.json is damaged.
        """
        file = path / "run.json"
        if not file.is_file():
            raise CheckpointError(
                f"{path} is no run: it has no run.json. Make one with: tacit train DATASET --to {path}"
            )
        try:
            return from_json(cls, read_json(file), str(file))
        except (OSError, ValueError) as error:  # a ConfigError is a ValueError
            raise CheckpointError(
                f"{file} cannot be read: {error} It is damaged or of another version of Tacit: restore it, or remove "
                "it and give the command again that trained this run, which goes on from its checkpoint."
            ) from error

    def episodes(self, data: str | Path) -> Episodes:
        """Open a dataset as that of the run was."""
        import tacit as tc

        return tc.data.open(data, cache=self.cache or None, **self.reading)

    def split(self, data: Path | None) -> tuple[Episodes, Episodes]:
        """The training and the held-out episodes of the run; held-out copies of training episodes are left out.

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
        if len(apart) < len(held_out):
            print(
                f"{len(held_out) - len(apart)} of {len(held_out)} held-out episodes are copies of others that were "
                "trained on, and are left out"
            )
        return fit_on, apart


def _checkpoints(run: Path) -> list[Path]:
    """Return the checkpoints that are there, also one whose replacement was interrupted."""
    return [run / name for name in ("checkpoint", ".checkpoint.old") if (run / name).exists()]


def _difference(mine: Run, theirs: Run) -> str:
    """What a run was asked for that another was not, in words; empty if they are the same."""
    asked, known = _flat(to_json(mine)), _flat(to_json(theirs))
    names = [name for name in {**known, **asked} if asked.get(name) != known.get(name)]
    parts = (f"its {name} is {_shown(known, name)}, not {_shown(asked, name)}" for name in names[:DIFFERENCES])
    return "; ".join(parts) + (" ..." if len(names) > DIFFERENCES else "")


def _updates(run: Path) -> int:
    """How many updates there are in a run, at the least."""
    from tacit import checkpoint

    try:
        step = checkpoint.load(run, ["training"]).parts["training"].config.get("step")
        return step if isinstance(step, int) else 1
    except CheckpointError:
        return 1  # it is damaged, and may hold anything


def _flat(values: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Nested options by dotted name, as they are set on the command line."""
    found: dict[str, Any] = {}
    for name, value in values.items():
        inner = f"{prefix}{name}." if prefix or name != "options" else ""
        found |= _flat(value, inner) if isinstance(value, Mapping) and value else {f"{prefix}{name}": value}
    return found


def _shown(options: Mapping[str, Any], name: str) -> str:
    return json.dumps(options[name]) if name in options else "unset"


def other_world(run: Path, env: str) -> str:
    """A word of warning where the data of a run were collected in another world than ``env``, else nothing.

    Shapes alone cannot tell worlds apart. Options, such as another layout, do not make another world.
    """
    from tacit import envs
    from tacit.data.reading import collection_note

    try:
        noted = read_json(collection_note(resolve(Run.load(run).data)))["env"]
    except (OSError, ValueError, KeyError, TypeError):
        return ""  # it is not known where the data came from
    if not isinstance(noted, str) or noted.partition(":")[0] not in envs.names() or _world(noted) == _world(env):
        return ""
    return (
        f"warning: {run} was trained on recordings of {_world(noted)}, and {_world(env)} is another world: what the "
        "agent does there says little of either."
    )


def agent_of(run: Path, device: str, fallback: NamedFallback | None = None) -> Any:
    """Return the agent of a run, which is to act in a simulator.

    Args:
        run: The directory of the run.
        device: Where it is to compute.
        fallback: ``noop`` or ``last_action`` in place of what was saved with it. None: what was saved, or
            ``last_action`` where that is not possible, which stderr then says.

    Raises:
        CheckpointError: if the run has none, saying what to do.
        ConfigError: if the fallback is not possible.
    """
    from tacit import recipes
    from tacit.agent import Agent
    from tacit.agent._fallback import possible

    if (run / "agent").exists():
        agent = Agent.load(run / "agent", device, fallback=fallback)
        chosen = possible(agent.fallback, agent.model.spec)
        if chosen == agent.fallback:
            return agent
        print(
            "Where planning fails the last action is repeated, since the Spec does not say which action does nothing; "
            "--fallback noop takes zero for that.",
            file=sys.stderr,
        )
        return Agent.load(run / "agent", device, fallback="last_action")
    recipe = Run.load(run).recipe
    if issubclass(recipes.load(recipe), recipes.AgentRecipe):
        raise CheckpointError(f"{run} has no agent yet: its training was interrupted. Its command goes on from there.")
    raise CheckpointError(
        f"{run} is a run of {recipe}, which learns to see and has no agent. Let one look with it: tacit train DATASET "
        f"--recipe two_rooms --set encoder={run} --to RUN"
    )


def _world(env: str) -> str:
    """The name of an environment without its options."""
    kind, _, words = env.partition(":")
    adapted = [word for word in words.split(",") if word and "=" not in word]
    return ":".join((kind, *adapted))


def options(words: tuple[str, ...]) -> dict[str, Any]:
    """``training.lr=3e-4`` and the like; see :func:`tacit._config.named_value`."""
    return dict(map(named_value, words))


def reading(words: tuple[str, ...]) -> tuple[dict[str, Any], str]:
    """Return the options that a dataset is opened with, and the folder of its cache.

    Raises:
        ConfigError: for an option that is not one of reading.
    """
    found = options(words)
    if "path" in found:
        raise ConfigError("no reader has the option 'path'; give the path as the first word.")
    return found, str(found.pop("cache", ""))


def device(name: str) -> str:
    """The device to use: as named, or for ``auto`` CUDA where there is some.

    Raises:
        ConfigError: if torch has no such device.
    """
    import torch

    if name == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    try:
        torch.empty(1, device=name)
    except (RuntimeError, AssertionError) as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise ConfigError(f"torch cannot use the device {name!r} here: {reason}") from error
    return name


def show_success(name: str, run: ClosedLoop) -> None:
    """Print the line of an actor that is done."""
    rate = run.success
    print(f"  {name:<10} {rate.rate:6.1%}  [{rate.low:.1%}, {rate.high:.1%}]  n = {rate.n}", flush=True)
