"""Recording of episode ``i`` of a collection, in this process or in another."""

from __future__ import annotations

import dataclasses
import functools
import json
import warnings
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from inspect import Signature, signature
from pathlib import Path
from types import FunctionType
from typing import Any

import numpy as np
import numpy.typing as npt

from tacit import envs
from tacit._check import require_environment
from tacit._files import read_json, write_atomically
from tacit._foreign import foreign
from tacit._seeds import derive_seed
from tacit._workers import Workers
from tacit.collection.policies import KINDS, Act, Acting, Each, Expert, Policy, Random, named
from tacit.data.reading import collection_note
from tacit.data.storage import digest
from tacit.errors import ConfigError, DataError, SpecError
from tacit.types import (
    REWARD,
    SUCCESS,
    ActionSpace,
    Array,
    Box,
    Environment,
    Episode,
    Observation,
    Transition,
)

__all__ = ["NUM_ENVS", "Recipe", "alike"]

NUM_ENVS = 16
"""Default number of worlds in a batch."""


@dataclass(frozen=True)
class Recipe:
    """Recipe of episode ``i``, in this process or in another."""

    env: str | Environment | Callable[..., Environment]
    policy: Policy
    steps: int
    seed: int
    num_envs: int | None

    def open(self) -> Environment:
        """Return the environment, newly made unless it was given."""
        if isinstance(self.env, str):
            return envs.make(self.env, self.num_envs or NUM_ENVS)
        made = self._made(self.env) if callable(self.env) else self.env
        world = require_environment(made, "collect")
        if self.num_envs not in (None, world.num_envs):
            raise ConfigError(f"the environment has {world.num_envs} worlds; got num_envs={self.num_envs} beside it.")
        return world

    def _made(self, make: Callable[..., Environment]) -> Environment:
        """Make the environment by a function or class."""
        name, takes = _named(make), None
        with suppress(ValueError):  # a function in C may have no signature
            takes = signature(make)
        options: dict[str, int] = {"num_envs": self.num_envs or NUM_ENVS}
        if takes is not None and not _binds(takes, **options):
            if not _binds(takes):
                raise ConfigError(
                    f"collect calls {name} with num_envs=..., or with nothing; it takes {takes}. Fix the other "
                    "arguments, for example with functools.partial."
                )
            options = {}
        with foreign(f"environment {name}"):
            return make(**options)

    def claim(self, path: Path, first: Episode) -> None:
        """Write a note of the collection next to the dataset, before its first episode is added."""
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(collection_note(path), json.dumps({**self._facts(), "first": digest(first)}))

    def check(self, path: Path, done: int, env: Environment) -> Episode:
        """Record the first episode again and return it; refuse to extend another collection.

        Names cannot distinguish two instances or functions, so the first episode is recorded again: it must be equal to
        the stored one.
        """
        theirs, mine = _noted(collection_note(path)), self._facts()
        first = theirs.pop("first", None)
        if theirs != mine:
            what = json.dumps(theirs) if theirs else "something that collect did not record"
            raise ConfigError(f"{path} holds {done} episodes of {what}; got {json.dumps(mine)}. Choose another place.")
        again = self.record(env, [0])[0]
        same = next((one for one in (again, _unsolved(again)) if digest(one) == first), None)
        if same is None:
            raise ConfigError(
                f"{path} holds {done} episodes of {json.dumps(theirs)}, but their first one, recorded again, comes out "
                "otherwise. Give the environment and the policy the options that they had, or choose another place; "
                "if those are the same, they are no function of the seed."
            )
        return same

    def _facts(self) -> dict[str, Any]:
        return {"env": _named(self.env), "policy": _named(self.policy), "steps": self.steps, "seed": self.seed}

    def record_all(self, env: Environment, indices: Sequence[int], workers: int) -> Generator[Episode]:
        """Yield episodes ``indices`` in order, in batches as large as ``env``."""
        batches = [indices[start : start + env.num_envs] for start in range(0, len(indices), env.num_envs)]
        if workers == 1 or len(batches) < 2:
            for batch in batches:
                yield from self.record(env, batch)
            return
        make = functools.partial(_Recorder, self)
        what = f"environment {_named(self.env)!r} with policy {_named(self.policy)!r}"
        with Workers([make] * min(workers, len(batches)), what) as processes:
            for episodes in processes.map("record", batches):
                yield from episodes

    def _start(self, env: Environment, seeds: Sequence[int]) -> tuple[Observation, Act]:
        """Return the first observation of every world, and the function that acts from then on."""
        if isinstance(self.policy, (Random, Expert, Each, Acting)):  # failures in these are not failures of the policy
            return self.policy(env, seeds, self.steps)
        border = foreign(f"policy {named(self.policy)}", advice=f"(It was called with env, seeds and steps. {KINDS})")
        with border:
            started: Any = self.policy(env, seeds, self.steps)
        if not (isinstance(started, tuple) and len(started) == 2 and callable(started[1])):
            raise ConfigError(f"policy {named(self.policy)} returned a {type(started).__name__}. {KINDS}")
        observation, act = started

        def bordered(step: int, observation: Observation) -> npt.NDArray[np.float32]:
            with border:
                return np.asarray(act(step, observation), np.float32)

        return observation, bordered

    def record(self, env: Environment, indices: Sequence[int]) -> list[Episode]:
        """Record at most one episode for each world; surplus worlds repeat the last one."""
        seeds = [derive_seed(self.seed, index) for index in indices]
        seeds += seeds[-1:] * (env.num_envs - len(seeds))
        observation, act = self._start(env, seeds)
        observations, labels, actions = [{**observation}], [{**env.labels()}], []
        outcomes: list[Transition] = []
        lengths = np.full(len(seeds), self.steps)
        terminated = np.zeros(len(seeds), np.bool_)
        for step in range(self.steps):
            actions.append(_inside(env.spec.action, act(step, observation), len(seeds)))
            now = env.step(actions[-1])
            if now.action is not None:
                actions[-1] = now.action
            observation = now.observation
            outcomes.append(now)
            observations.append({**observation})
            labels.append({**env.labels()})
            ended = (now.terminated | now.truncated) & (lengths > step + 1)
            lengths[ended], terminated = step + 1, terminated | now.terminated
            if (lengths <= step + 1).all():
                break
        shown, told, acted = _histories(observations), _histories(labels), np.stack(actions)
        results = _outcomes(outcomes)
        return [
            Episode(
                observation=_rows(shown, world, length + 1),
                action=acted[:length, world].copy(),
                terminated=bool(terminated[world]),
                labels=_rows(told, world, length + 1)
                | {name: _after(values[:length, world]) for name, values in results.items()},
                index=index,
                seed=seeds[world],
            )
            for world, (index, length) in enumerate(zip(indices, lengths.tolist(), strict=False))
        ]


def _binds(known: Signature, **options: int) -> bool:
    """Return whether a function can be called with these options."""
    try:
        known.bind(**options)
    except TypeError:
        return False
    return True


class _Recorder:
    """Recipe and environment of a worker."""

    def __init__(self, recipe: Recipe) -> None:
        self._recipe, self._env = recipe, recipe.open()

    def record(self, indices: Sequence[int]) -> list[Episode]:
        """Record episodes; see :meth:`Recipe.record`."""
        return self._recipe.record(self._env, indices)

    def close(self) -> None:
        """Close the environment."""
        self._env.close()


def _noted(file: Path) -> dict[str, Any]:
    """Return the note of a collection, with the names of after version 0.1; empty where there is none."""
    if not file.exists():
        return {}
    try:
        found = read_json(file)
        if not isinstance(found, dict):
            raise ValueError("expected an object")
    except (OSError, ValueError) as error:
        raise DataError(
            f"{file}, which says what was collected there, cannot be read: {error}. Restore it, or collect to another "
            "place; the episodes themselves can still be opened."
        ) from error
    return {**found, "policy": str(found["policy"]).replace("(hold=", "(repeat=")} if "policy" in found else found


def _named(value: object) -> str:
    """Return a description of ``value`` that is the same in every process."""
    if isinstance(value, str):
        return value
    if isinstance(value, functools.partial):
        options = [*map(repr, value.args), *(f"{name}={option!r}" for name, option in value.keywords.items())]
        return f"{_named(value.func)}({', '.join(options)})"
    if isinstance(value, Each):
        return _named(value.function)
    if dataclasses.is_dataclass(value):
        return repr(value)
    kind = value if isinstance(value, (type, FunctionType)) else type(value)
    return f"{kind.__module__}.{kind.__qualname__}"


def _inside(space: ActionSpace, action: npt.NDArray[np.float32], count: int) -> npt.NDArray[np.float32]:
    """Return the actions inside the space, as the world executes them; episodes record these."""
    if np.shape(action) != (count, space.size):
        raise SpecError(f"a policy gives actions of shape ({count}, {space.size}); got shape {np.shape(action)}.")
    out = np.array(action, np.float32)
    for where, part in space.parts:
        if isinstance(part, Box):
            out[:, where] = part.project(out[:, where])
    return out


def _outcomes(steps: Sequence[Transition]) -> dict[str, Array]:
    """Return rewards and successes ``[T - 1, B]`` of a batch, by label, where it has them."""
    found: dict[str, Array] = {}
    rewards, successes = [now.reward for now in steps], [now.success for now in steps]
    if all(value is not None for value in rewards):
        found[REWARD] = np.asarray(rewards, np.float32)
    if any(value is not None for value in successes):  # an environment may report it at the end only
        unsolved = np.zeros(steps[0].terminated.shape, np.bool_)
        found[SUCCESS] = np.stack([unsolved if value is None else value for value in successes])
    return found


def alike(episodes: Iterable[Episode], first: Episode | None = None) -> Iterator[Episode]:
    """Yield episodes that all have successes, or none, as the first one does.

    An environment may report success only where there is one.
    """
    warned = False
    for episode in episodes:
        first = first or episode
        if SUCCESS in first.labels and SUCCESS not in episode.labels:
            episode = _unsolved(episode)
        elif SUCCESS in episode.labels and SUCCESS not in first.labels:
            if not warned:
                warnings.warn(
                    f"the environment said nothing of success in the first episodes, so that of episode "
                    f"{episode.index} and later ones is not recorded. Let it put is_success into every info.",
                    stacklevel=3,
                )
            warned = True
            labels = {name: values for name, values in episode.labels.items() if name != SUCCESS}
            episode = dataclasses.replace(episode, labels=labels)
        yield episode


def _unsolved(episode: Episode) -> Episode:
    """Return an episode without reported success as an unsuccessful one."""
    return dataclasses.replace(episode, labels={SUCCESS: np.zeros(len(episode), np.bool_), **episode.labels})


def _after(values: Array) -> Array:
    """Return ``[T]`` outcomes of ``T - 1`` actions: after the last one no reward, and the same success."""
    last = values[-1:] if values.dtype == np.bool_ else np.zeros_like(values[-1:])
    return np.concatenate([values, last])


def _histories(steps: Sequence[dict[str, Array]]) -> dict[str, Array]:
    """Return arrays ``[T, B, ...]`` by name, moved out of the steps to save memory."""
    return {name: np.stack([step.pop(name) for step in steps]) for name in list(steps[0])}


def _rows(values: Mapping[str, Array], world: int, length: int) -> dict[str, Array]:
    """Return the first rows of one world."""
    return {name: value[:length, world].copy() for name, value in values.items()}
