"""Manifest of an evaluation: all that its numbers depend on, so that it can be repeated and checked."""

from __future__ import annotations

import base64
import hashlib
import json
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from tacit import checkpoint, envs
from tacit._config import from_json, to_json
from tacit._files import read_json, resolve, write_atomically
from tacit._states import tasks_of
from tacit.agent import Agent
from tacit.errors import ConfigError, DataError
from tacit.evaluation import ClosedLoop, held_out_tasks
from tacit.evaluation.closed_loop import closed_loop
from tacit.statistics import Rate
from tacit.types import GoalEnvironment, Tasks

__all__ = ["Manifest", "Repeated", "manifest_of", "read_manifest", "repeat", "write_manifest"]

SCHEMA = "tacit-manifest-1"
SHOWN = 4
"""Starts and goals whose images are kept."""
PIXELS = 4
"""The largest difference of a pixel from the kept image, of 255."""


@dataclass(frozen=True)
class Manifest:
    """An evaluation of an agent on held-out tasks.

    Attributes:
        agent: The folder of the agent, from the folder of the manifest.
        digest: The digest of the agent; see :meth:`tacit.Agent.digest`. It covers weights, normalisers and planner.
        env: The name of the environment with its options.
        episodes: The number of tasks.
        seed: Seed of the tasks and of the agent.
        history: Latents that the model reads.
        frameskip: Actions of a block.
        planner: The planner, the horizon and the interval of decisions.
        normalizers: The digest of the statistics of the model's inputs.
        dataset: The hash of the training data; empty: unknown.
        tasks: The digest of starts and goals.
        images: Compressed images of the first starts and goals by camera, as another renderer may draw them otherwise.
        versions: Versions of the software, which may differ.
        success: The measured success.
        solved: ``[n]`` the outcome of each task.
        fallback: The action of the agent where planning fails, if it is a named one.
        schema: The version of these fields.
    """

    agent: str
    digest: str
    env: str
    episodes: int
    seed: int
    history: int
    frameskip: int
    planner: Mapping[str, Any]
    normalizers: str
    dataset: str
    tasks: str
    images: Mapping[str, str]
    versions: Mapping[str, str]
    success: Rate
    solved: tuple[bool, ...]
    fallback: Literal["noop", "last_action"] | None = None
    schema: str = SCHEMA


@dataclass(frozen=True)
class Repeated:
    """An evaluation that was repeated.

    Attributes:
        success: The success now.
        recorded: The success that the manifest holds.
        changed: Tasks with another outcome.
        versions: Software with another version: the recorded one and the present one.
    """

    success: Rate
    recorded: Rate
    changed: int
    versions: Mapping[str, tuple[str, str]] = field(default_factory=dict)

    def __str__(self) -> str:
        outcome = "the same outcome of every task" if not self.changed else f"{self.changed} tasks with another outcome"
        other = "".join(f"\n  {name} {before}, now {now}" for name, (before, now) in self.versions.items())
        return f"solved {self.success}, recorded {self.recorded}: {outcome}{other}"


def manifest_of(agent: Agent, env: str, run: ClosedLoop, *, path: str = "..", dataset: str | None = None) -> Manifest:
    """Return the manifest of an evaluation by :func:`tacit.evaluation.closed_loop`.

    Args:
        agent: The agent.
        env: The name of the environment.
        run: Its evaluation on tasks that the environment drew.
        path: The folder of the agent, from that of the manifest.
        dataset: The hash of the training data.
    """
    return Manifest(
        agent=path,
        env=env,
        episodes=len(run.solved),
        seed=run.seed,
        dataset=dataset or "",
        images=_images(envs.make_goal(env), run.tasks),
        versions=checkpoint.provenance()["versions"],
        success=run.success,
        solved=tuple(run.solved.tolist()),
        fallback=agent.fallback if isinstance(agent.fallback, str) else None,
        **_facts(agent, run.tasks),
    )


def write_manifest(manifest: Manifest, path: str | Path) -> Path:
    """Write a manifest as JSON, atomically, and return its path."""
    place = resolve(path)
    place.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(place, json.dumps(to_json(manifest), indent=1) + "\n")
    return place


def read_manifest(path: str | Path) -> Manifest:
    """Read a manifest.

    Raises:
        DataError: if the file is none, or of another version.
    """
    try:
        found = from_json(Manifest, read_json(resolve(path)))
    except (ValueError, KeyError, TypeError, ConfigError) as error:
        raise DataError(f"{path} is not a manifest of an evaluation: {error}. `tacit eval` writes one.") from error
    if found.schema != SCHEMA:
        raise DataError(f"{path} is a manifest of the version {found.schema!r}; this Tacit reads {SCHEMA!r}.")
    return found


def repeat(path: str | Path, device: str = "cpu", progress: bool | None = None) -> Repeated:
    """Repeat the evaluation of a manifest.

    Args:
        path: The file.
        device: Where to compute.
        progress: Show a progress bar; None: on a terminal and in a notebook.

    Raises:
        DataError: if the file is no manifest.
        ConfigError: if the agent, the tasks or the images are others, naming the field.
    """
    place = resolve(path)
    known = read_manifest(place)
    agent, env = Agent.load(place.parent / known.agent, device, fallback=known.fallback), envs.make_goal(known.env)
    tasks, _ = held_out_tasks(env, known.episodes, known.seed)
    for name, now in _facts(agent, tasks).items():
        before = vars(known)[name]
        if to_json(now) != to_json(before):
            raise ConfigError(
                f"the manifest was made with {name} {_short(before)}; now it is {_short(now)}. Evaluate again to make "
                "a new one: tacit eval RUN --env ENV.",
                code="T12",
            )
    _check_images(known.images, _images(env, tasks))
    found = closed_loop(agent, env, tasks=tasks, seed=known.seed, progress=progress)
    versions = checkpoint.provenance()["versions"]
    others = {one: (was, versions.get(one, "none")) for one, was in known.versions.items() if versions.get(one) != was}
    changed = int((found.solved != np.array(known.solved)).sum())
    return Repeated(found.success, known.success, changed, others)


def _facts(agent: Agent, tasks: Tasks) -> dict[str, Any]:
    """Return the fields that a repetition compares."""
    config = agent.config
    planner = {
        "name": type(config.planner).__name__,
        **{key: to_json(value) for key, value in vars(config.planner).items()},
    }
    return {
        "digest": agent.digest(),
        "history": agent.model.history,
        "frameskip": agent.frameskip,
        "planner": {**planner, "horizon": config.horizon, "replan_every": config.replan_every},
        "normalizers": _normalizers(agent.model),
        "tasks": _digest([tasks.start, tasks.goal]),
    }


def _normalizers(model: Any) -> str:
    """Return the digest of the statistics of a model's inputs; empty where it has none."""
    parts = getattr(model, "normalizers", None)
    return "" if parts is None else _digest([{name: value.cpu().numpy() for name, value in parts.state_dict().items()}])


def _digest(parts: list[Mapping[str, npt.NDArray[Any]]]) -> str:
    found = hashlib.sha256()
    for part in parts:
        for name in sorted(part):
            values = np.ascontiguousarray(np.asarray(part[name], np.float64).round(9))
            found.update(f"{name} {values.shape}".encode() + values.tobytes())
    return found.hexdigest()


def _images(env: GoalEnvironment, tasks: Tasks) -> dict[str, str]:
    """Return compressed images of the first starts and goals, by camera."""
    some = tasks_of(tasks, slice(0, SHOWN))
    shown = [env.observe(states) for states in (some.start, some.goal)]
    found = {}
    for camera in env.spec.cameras:
        images = np.ascontiguousarray(np.stack([np.asarray(one[camera], np.uint8) for one in shown]))
        shape = ",".join(map(str, images.shape))
        found[camera] = f"{shape}:{base64.b64encode(zlib.compress(images.tobytes(), 9)).decode()}"
    return found


def _check_images(known: Mapping[str, str], now: Mapping[str, str]) -> None:
    """Refuse a renderer that draws the tasks otherwise.

    Raises:
        ConfigError: if a camera differs by more than ``PIXELS``, or there are others.
        DataError: if the images are damaged.
    """
    if set(known) != set(now):
        raise ConfigError(f"the manifest has images of {', '.join(known)}; the environment shows {', '.join(now)}.")
    for camera, text in known.items():
        before, after = _unpacked(text), _unpacked(now[camera])
        apart = 256 if before.shape != after.shape else int(np.abs(before.astype(np.int16) - after).max())
        if apart > PIXELS:
            raise ConfigError(
                f"the images of {camera} differ by {apart} of 255 from those of the manifest, and at most {PIXELS} are "
                "allowed: the environment is drawn by another renderer or version, and scores cannot be compared.",
                code="T12",
            )


def _unpacked(text: str) -> npt.NDArray[np.uint8]:
    try:
        shape, _, data = text.partition(":")
        sizes = tuple(map(int, shape.split(",")))
        length = int(np.prod(sizes))
        values = zlib.decompressobj().decompress(base64.b64decode(data, validate=True), length + 1)
        return np.frombuffer(values, np.uint8).reshape(sizes)
    except (ValueError, zlib.error) as error:
        raise DataError(f"an image of the manifest is damaged: {error}.") from error


def _short(value: Any) -> str:
    text = json.dumps(to_json(value))
    return text if len(text) <= 80 else f"{text[:77]}..."
