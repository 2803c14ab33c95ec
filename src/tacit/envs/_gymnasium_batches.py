"""Batches of Gymnasium environments: in this process, in processes of their own, or a vector environment."""

from __future__ import annotations

import functools
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import gymnasium
import numpy as np
import numpy.typing as npt
from gymnasium.vector import AutoresetMode, SyncVectorEnv, VectorEnv

from tacit._foreign import foreign
from tacit._workers import Workers
from tacit.envs._gymnasium_world import Maker, World, drawn_at, frame_of
from tacit.envs._spaces import Stream, resize, streams
from tacit.errors import ConfigError, SpecError
from tacit.types import Array

__all__ = ["Batch", "Facts", "LocalBatch", "ProcessBatch", "VectorBatch"]

Flags = npt.NDArray[np.bool_]
Outcome = tuple[dict[str, Array], Flags, Flags]
"""Entries by name, and which worlds were terminated and truncated."""


@dataclass(frozen=True)
class Facts:
    """What a batch says about its environments."""

    name: str
    observation_space: gymnasium.Space[Any]
    action_space: gymnasium.Space[Any]
    render_mode: str | None
    fps: float | None


class Batch(Protocol):
    """Environments in lock-step. A world that has ended is not stepped."""

    facts: Facts

    def show(self, shown: Sequence[str], pixels: int | None) -> None:
        """Choose the entries for a model; the others become labels, and what no array can hold is dropped."""

    def reset(self, seeds: Sequence[int]) -> dict[str, Array]:
        """Start an episode in every world."""

    def step(self, actions: Any, going: Flags) -> Outcome:
        """Act in the worlds that are still going; the rows of the others mean nothing."""

    def close(self) -> None:
        """Close every world."""


class _Entries:
    """The entries of an observation that are read."""

    def __init__(self, space: gymnasium.Space[Any], shown: Sequence[str], pixels: int | None, name: str) -> None:
        found, _ = streams(space)
        self._streams: Mapping[str, tuple[Stream, bool]] = {key: (one, key in shown) for key, one in found.items()}
        self.pixels, self._name = pixels, name

    def gather(self, observations: Sequence[Any]) -> dict[str, Array]:
        """Read single observations."""
        with _named(self._name):
            return {name: stream.gather(observations, shown) for name, (stream, shown) in self._streams.items()}

    def batch(self, observation: Any) -> dict[str, Array]:
        """Read a batched observation."""
        with _named(self._name):
            return {
                name: stream.batch(np.asarray(stream.of(observation)), shown)
                for name, (stream, shown) in self._streams.items()
            }


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
        self._entries = _Entries(self.facts.observation_space, shown, pixels, self.facts.name)

    def reset(self, seeds: Sequence[int]) -> dict[str, Array]:
        """See :class:`Batch`."""
        for index, world in enumerate(self._worlds):
            self._observations[index] = world.reset(seeds[index])
        return self._read(range(len(seeds)))

    def step(self, actions: Any, going: Flags) -> Outcome:
        """See :class:`Batch`."""
        terminated, truncated = np.zeros((2, len(going)), np.bool_)
        stepped = np.flatnonzero(going).tolist()
        for index in stepped:
            found = self._worlds[index].step(actions[index])
            self._observations[index], terminated[index], truncated[index] = found
        return self._read(stepped), terminated, truncated

    def close(self) -> None:
        """See :class:`Batch`."""
        for world in self._worlds:
            world.close()

    def _read(self, changed: Sequence[int]) -> dict[str, Array]:
        entries = self._entries.gather(self._observations)
        if self._entries.pixels is not None:
            for index in changed:
                self._frames[index] = self._worlds[index].render()
            entries["pixels"] = _scaled(self._frames, self._entries.pixels)
        return entries


class ProcessBatch:
    """Environments in a process each, which convert and scale what they show."""

    def __init__(self, env: Maker, options: Mapping[str, Any], count: int, pixels: int | None) -> None:
        if isinstance(env, str):
            env = gymnasium.registry.get(env) or env  # a worker does not know what this process has registered
        make = functools.partial(_Hosted, env, options, pixels)
        name = env if isinstance(env, str) else getattr(env, "id", getattr(env, "__qualname__", str(env)))
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
        terminated, truncated = (np.concatenate([part[flag] for part in parts]) for flag in (1, 2))
        return _concatenated([part[0] for part in parts]), terminated, truncated

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
        """Return what the batch says about its environment."""
        return self._batch.facts


class VectorBatch:
    """A vector environment of the user's.

    It resets worlds that have ended in its own way; the last observation of an episode is kept until the next reset.
    """

    def __init__(self, vector: VectorEnv[Any, Any, Any]) -> None:
        self._vector = vector
        name = vector.spec.id if vector.spec is not None else type(vector.unwrapped).__name__
        self._reset, self._step, self._render, self._close = (
            foreign(f"vector environment {name!r}: {verb}") for verb in ("reset", "step", "render", "close")
        )
        metadata = vector.metadata or {}
        if "autoreset_mode" not in metadata:
            warnings.warn(
                f"vector environment {name!r} has no metadata['autoreset_mode']; NEXT_STEP is assumed.", stacklevel=3
            )
        try:
            self._mode = AutoresetMode(metadata.get("autoreset_mode", AutoresetMode.NEXT_STEP))
        except ValueError as error:
            raise ConfigError(f"vector environment {name!r}: {error}. Gymnasium has the class AutoresetMode.") from None
        self.facts = Facts(
            name,
            vector.single_observation_space,
            vector.single_action_space,
            vector.render_mode,
            metadata.get("render_fps"),
        )
        if self._mode is AutoresetMode.SAME_STEP and isinstance(vector.unwrapped, SyncVectorEnv):
            self._require_fresh_arrays(vector.unwrapped)

    def show(self, shown: Sequence[str], pixels: int | None) -> None:
        """See :class:`Batch`."""
        if pixels is not None and self._mode is AutoresetMode.SAME_STEP:
            raise ConfigError("pixels cannot show the last frame under AutoresetMode.SAME_STEP; use NEXT_STEP.")
        self._entries = _Entries(self.facts.observation_space, shown, pixels, self.facts.name)

    def reset(self, seeds: Sequence[int]) -> dict[str, Array]:
        """See :class:`Batch`."""
        with self._reset:
            observation, _ = self._vector.reset(seed=list(seeds))  # type: ignore[arg-type]
        return self._read(observation)

    def step(self, actions: Any, going: Flags) -> Outcome:
        """See :class:`Batch`."""
        with self._step:
            if self._mode is AutoresetMode.DISABLED and not going.all():
                self._vector.reset(options={"reset_mask": ~going})
            observation, _, terminated, truncated, info = self._vector.step(actions)
        entries = self._read(observation)
        terminated, truncated = self._flags("terminated", terminated), self._flags("truncated", truncated)
        if self._mode is AutoresetMode.SAME_STEP:
            self._restore_last(entries, info, (terminated | truncated) & going)
        return entries, terminated, truncated

    def close(self) -> None:
        """See :class:`Batch`."""
        with self._close:
            self._vector.close()

    def _read(self, observation: Any) -> dict[str, Array]:
        entries = self._entries.batch(observation)
        if self._entries.pixels is not None:
            with self._render:
                frames = self._vector.render()
            count = self._vector.num_envs
            if not isinstance(frames, (tuple, list)) or len(frames) != count:
                raise SpecError(
                    f"vector environment {self.facts.name!r}: pixels need a render() that returns a frame for each of "
                    f"{count} worlds; got {type(frames).__name__}."
                )
            entries["pixels"] = _scaled([frame_of(frame, self.facts.name) for frame in frames], self._entries.pixels)
        return entries

    def _flags(self, name: str, values: Any) -> Flags:
        flags = np.asarray(values)
        if flags.shape != (self._vector.num_envs,):
            raise SpecError(
                f"vector environment {self.facts.name!r}: step's {name} has shape {flags.shape}; expected one for each "
                f"of {self._vector.num_envs} worlds."
            )
        return flags.astype(np.bool_)

    def _restore_last(self, entries: dict[str, Array], info: Mapping[str, Any], ended: Flags) -> None:
        """Put the last observation of each episode that ended where the first of the next one stands."""
        for world in np.flatnonzero(ended).tolist():
            last = info.get("final_obs")
            if isinstance(last, np.ndarray):
                last = last[world]
            elif isinstance(last, Mapping):
                last = _row(last, world)
            if last is None:
                raise SpecError(
                    f"vector environment {self.facts.name!r} resets in the same step, but its info has no final_obs of "
                    f"world {world}, so the last observation is lost. Use AutoresetMode.NEXT_STEP."
                )
            for name, batch in self._entries.gather([last]).items():
                entries[name][world] = batch[0]

    def _require_fresh_arrays(self, vector: SyncVectorEnv) -> None:
        """Refuse environments that write the first observation of an episode over the last one of the one before."""
        for env in vector.envs:
            with self._reset:
                one, two = env.reset(seed=0)[0], env.reset(seed=0)[0]
            found, _ = streams(self.facts.observation_space)
            for name, stream in found.items():
                if np.shares_memory(stream.of(one), stream.of(two)):
                    raise SpecError(
                        f"vector environment {self.facts.name!r} resets in the same step, and its environments return "
                        f"the entry {name!r} in one array that they write anew, so the last observation of an episode "
                        "is overwritten. Return a copy, or use AutoresetMode.NEXT_STEP."
                    )


class _named:  # noqa: N801  # a context manager, written like one
    """Name the environment in the SpecErrors of its entries."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __enter__(self) -> None:
        """Read entries."""

    def __exit__(self, _kind: object, error: BaseException | None, _trace: object) -> None:
        """Name the environment."""
        if isinstance(error, SpecError):
            raise SpecError(f"environment {self._name!r}: {error}") from error.__cause__


def _same_spaces(one: gymnasium.Env[Any, Any], two: gymnasium.Env[Any, Any], name: str) -> None:
    if one.observation_space != two.observation_space or one.action_space != two.action_space:
        raise SpecError(
            f"environment {name!r}: the worlds of a batch have the same spaces; got {one.observation_space} and "
            f"{two.observation_space}, {one.action_space} and {two.action_space}."
        )


def _concatenated(parts: Sequence[Mapping[str, Array]]) -> dict[str, Array]:
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def _row(batch: Any, world: int) -> Any:
    """Return one world's part of batched dictionaries."""
    return {key: _row(value, world) for key, value in batch.items()} if isinstance(batch, Mapping) else batch[world]


def _scaled(frames: Sequence[npt.NDArray[np.uint8]], size: int) -> Array:
    """Return a batch of frames, each scaled to a size; they may differ in theirs."""
    if len({frame.shape for frame in frames}) == 1:
        return resize(np.stack(frames), size)
    return np.concatenate([resize(frame[None], size) for frame in frames])
