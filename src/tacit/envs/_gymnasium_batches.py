"""Batches of Gymnasium environments, in this process or in separate processes."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

import gymnasium
import numpy as np
import numpy.typing as npt

from tacit._workers import Workers
from tacit.envs._gymnasium_world import Maker, World, drawn_at
from tacit.envs._gymnasium_wrappers import Wrapped
from tacit.envs._spaces import Stream, resize, streams
from tacit.errors import SpecError
from tacit.types import Array

__all__ = ["Batch", "Entries", "Facts", "Flags", "LocalBatch", "Outcome", "ProcessBatch", "scaled"]

Flags = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.float64]


class Outcome(NamedTuple):
    """The result of one step of a batch; NaN marks an unknown reward or success."""

    entries: dict[str, Array]
    terminated: Flags
    truncated: Flags
    reward: Floats
    success: Floats


@dataclass(frozen=True)
class Facts:
    """The properties of the environments of a batch."""

    name: str
    observation_space: gymnasium.Space[Any]
    action_space: gymnasium.Space[Any]
    render_mode: str | None
    fps: float | None


class Batch(Protocol):
    """Environments that step together. A world that has ended is not stepped."""

    facts: Facts

    def show(self, shown: Sequence[str], pixels: int | None) -> None:
        """Choose the entries for a model. The others become labels, or are dropped if no array can hold them."""

    def reset(self, seeds: Sequence[int]) -> dict[str, Array]:
        """Start an episode in every world."""

    def step(self, actions: Any, going: Flags) -> Outcome:
        """Step the worlds that have not ended; the rows of the others are undefined."""

    def close(self) -> None:
        """Close every world."""


class Entries:
    """The entries of an observation that are read."""

    def __init__(self, space: gymnasium.Space[Any], shown: Sequence[str], pixels: int | None, name: str) -> None:
        found, _ = streams(space)
        self._streams: Mapping[str, tuple[Stream, bool]] = {key: (one, key in shown) for key, one in found.items()}
        self.pixels, self._name = pixels, name

    def gather(self, observations: Sequence[Any]) -> dict[str, Array]:
        """Read single observations."""
        with _named(self._name):
            return {name: stream.gather(observations, shown) for name, (stream, shown) in self._streams.items()}

    def batch(self, observation: Any, count: int) -> dict[str, Array]:
        """Read an observation of several worlds."""
        with _named(self._name):
            return {name: one.batch(observation, count, shown) for name, (one, shown) in self._streams.items()}


class LocalBatch:
    """Environments that are stepped one after the other in this process."""

    def __init__(self, env: Maker, options: Mapping[str, Any], count: int, pixels: int | None) -> None:
        options = options if pixels is None else drawn_at(env, options, pixels)
        self._worlds: list[World] = []
        try:
            for _ in range(count):
                self._worlds.append(World(env, options, draws=pixels is not None))
        except BaseException:
            self.close()
            raise
        first = self._worlds[0]
        self.facts = Facts(
            first.name,
            first.env.observation_space,
            first.env.action_space,
            first.env.render_mode,
            (first.env.metadata or {}).get("render_fps"),
        )
        for world in self._worlds:
            _same_spaces(world.env, first.env, first.name)
        self._observations: list[Any] = [None] * count
        self._frames: list[Any] = [None] * count

    def show(self, shown: Sequence[str], pixels: int | None) -> None:
        """See :class:`Batch`."""
        self._entries = Entries(self.facts.observation_space, shown, pixels, self.facts.name)

    def reset(self, seeds: Sequence[int]) -> dict[str, Array]:
        """See :class:`Batch`."""
        for index, world in enumerate(self._worlds):
            self._observations[index] = world.reset(seeds[index])
        return self._read(range(len(seeds)))

    def step(self, actions: Any, going: Flags) -> Outcome:
        """See :class:`Batch`."""
        terminated, truncated = np.zeros((2, len(going)), np.bool_)
        reward, success = np.full((2, len(going)), np.nan)
        stepped = np.flatnonzero(going).tolist()
        for index in stepped:
            found = self._worlds[index].step(actions[index])
            self._observations[index], terminated[index], truncated[index], reward[index], success[index] = found
        return Outcome(self._read(stepped), terminated, truncated, reward, success)

    def close(self) -> None:
        """See :class:`Batch`."""
        for world in self._worlds:
            world.close()

    def _read(self, changed: Sequence[int]) -> dict[str, Array]:
        entries = self._entries.gather(self._observations)
        if self._entries.pixels is not None:
            for index in changed:
                self._frames[index] = self._worlds[index].render()
            entries["pixels"] = scaled(self._frames, self._entries.pixels)
        return entries


class ProcessBatch:
    """Environments in one process each, which convert and scale their observations."""

    def __init__(self, env: Maker, options: Mapping[str, Any], count: int, pixels: int | None) -> None:
        if isinstance(env, str):
            env = gymnasium.registry.get(env) or env  # a worker does not know what this process has registered
        make = functools.partial(_Hosted, env, options, pixels)
        name = env.env if isinstance(env, Wrapped) else env
        name = name if isinstance(name, str) else getattr(name, "id", getattr(name, "__qualname__", str(name)))
        self._workers = Workers([make] * count, f"environment {name!r}")
        self.facts: Facts = self._workers.call("facts", [()] * count)[0]

    def show(self, shown: Sequence[str], pixels: int | None) -> None:
        """See :class:`Batch`."""
        self._workers.call("show", [(shown, pixels)] * len(self._workers))

    def reset(self, seeds: Sequence[int]) -> dict[str, Array]:
        """See :class:`Batch`."""
        return _concatenated(self._workers.call("reset", [([seed],) for seed in seeds]))

    def step(self, actions: Any, going: Flags) -> Outcome:
        """See :class:`Batch`."""
        rows = [(actions[index : index + 1], going[index : index + 1]) for index in range(len(going))]
        parts = self._workers.call("step", rows)
        return Outcome(
            _concatenated([part.entries for part in parts]),
            np.concatenate([part.terminated for part in parts]),
            np.concatenate([part.truncated for part in parts]),
            np.concatenate([part.reward for part in parts]),
            np.concatenate([part.success for part in parts]),
        )

    def close(self) -> None:
        """See :class:`Batch`."""
        self._workers.close()


class _Hosted:
    """A batch of one environment in a worker."""

    def __init__(self, env: Maker, options: Mapping[str, Any], pixels: int | None) -> None:
        self._batch = LocalBatch(env, options, 1, pixels)
        self.show, self.reset, self.step = self._batch.show, self._batch.reset, self._batch.step
        self.close = self._batch.close

    def facts(self) -> Facts:
        """Return the properties of the environment."""
        return self._batch.facts


class _named:  # noqa: N801  # a context manager, written like one
    """A context manager whose errors name the environment with the unreadable observation."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __enter__(self) -> None:
        """Enter the block that reads entries."""

    def __exit__(self, _kind: object, error: BaseException | None, _trace: object) -> None:
        """Raise an error of the block again with the name of the environment."""
        if isinstance(error, SpecError):
            raise SpecError(f"environment {self._name!r}: {error}") from error.__cause__
        if isinstance(error, Exception):
            reason = f"{type(error).__name__}: {error}"
            raise SpecError(f"environment {self._name!r}: its observation is no array: {reason}") from error


def _same_spaces(one: gymnasium.Env[Any, Any], two: gymnasium.Env[Any, Any], name: str) -> None:
    if one.observation_space != two.observation_space or one.action_space != two.action_space:
        raise SpecError(
            f"environment {name!r}: the worlds of a batch have the same spaces; got {one.observation_space} and "
            f"{two.observation_space}, {one.action_space} and {two.action_space}."
        )


def _concatenated(parts: Sequence[Mapping[str, Array]]) -> dict[str, Array]:
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def scaled(frames: Sequence[npt.NDArray[np.uint8]], size: int) -> Array:
    """Return a batch of frames, each scaled to one size; their own sizes may differ."""
    if len({frame.shape for frame in frames}) == 1:
        return resize(np.stack(frames), size)
    return np.concatenate([resize(frame[None], size) for frame in frames])
