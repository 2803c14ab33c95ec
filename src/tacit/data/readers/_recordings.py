"""Recordings of robots as episodes: arrays with one row for each step, read one episode at a time."""

from __future__ import annotations

import math
import warnings
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import numpy.typing as npt

from tacit.data.formats._choice import at_size, gathered
from tacit.data.formats._features import Feature, Roles, assign, declared, label_name, modality_names
from tacit.data.readers._files import NAMED, FileSet, FileStorage
from tacit.data.readers._recorded_arrays import Rows, frames
from tacit.data.readers._recording_content import Content, Entry, RecordingOptions
from tacit.data.validation import Defect
from tacit.errors import ConfigError, DataError
from tacit.types import REWARD, ActionSpace, Array, Box, Discrete, Episode, Modality, Spec

__all__ = ["RecordingStorage"]

FPS = 10.0
"""Steps a second of a recording without a clock."""


class RecordingStorage(FileStorage):
    """Storage of the episodes of a recording.

    Args:
        content: The index of its files.
        options: The reader with its options.

    Raises:
        ConfigError: if the options do not fit the recording.
        DataError: if no episode has enough steps, or an array cannot be read and is not left out.
    """

    def __init__(self, content: Content, options: RecordingOptions) -> None:
        self._content, self._depth = content, options.depth
        roles = assign(content.path, content.features, options)
        self._keys, self._label_keys = _names(content, roles, options)
        self._actions = roles.action
        self._entries = _long_enough(content, bool(roles.action))
        spec = Spec(
            {name: _modality(content.features[key]) for name, key in self._keys.items()},
            self._space(),
            fps=options.fps or content.fps or _without_clock(content.path),
        )
        roles.warn(content.path)
        labels = {name: _label(content.features[key]) for name, key in self._label_keys.items()}
        super().__init__(
            FileSet(content.path, content.files, (), np.full(len(content.files), -1)),
            options,
            declared(at_size(spec, options.size), options),
            np.array([entry.length for entry in self._entries], dtype=np.int64),
            np.array([entry.source for entry in self._entries], dtype=np.int64),
            labels,
        )

    @property
    def groups(self) -> Sequence[str]:
        """Return the group of each episode; empty for a whole recording."""
        return super().groups if self._content.grouped else [""] * len(self._entries)

    def parts(self, file: Path) -> Sequence[Path]:
        """Return the files of which one of the files of the recording consists."""
        return self._content.parts(file)

    def file(self, index: int, _field: str) -> str:
        """Return the file of episode ``index``."""
        return str(self._content.files[self._entries[index].source])

    def read(self, index: int, modalities: Collection[str]) -> Episode:
        """Return episode ``index``."""
        entry = self._entries[index]
        with self._opened(index, "episode") as arrays:
            observation: dict[str, Array] = {}
            for name in modalities:
                key = self._keys[name]
                if arrays[key].length != entry.length:
                    problem = f"expected {entry.length} rows, one for each observation; got {arrays[key].length}."
                    raise Defect(self.file(index, name), index, name, problem)
                if self.spec.modalities[name].kind == "pixels":
                    where = f"{self.file(index, name)}, episode {index}, field {name!r}"
                    observation[name] = gathered(self._frames(arrays[key], index, name), entry.length, where)
                else:
                    observation[name] = self._numbers(arrays, index, key).astype(np.float32)
            labels = {name: self._labelled(arrays, index, name, key) for name, key in self._label_keys.items()}
            action = self._acted(arrays, index)
        return Episode(
            observation=observation,
            action=action[: entry.length - 1],
            terminated=entry.terminated,
            final_action=action[-1] if len(action) == entry.length and self._actions else None,
            labels=labels,
            index=index,
            seed=entry.seed,
            task=entry.task,
        )

    def frames(self, index: int, name: str) -> Iterator[npt.NDArray[np.uint8]]:
        """Yield the images of a modality; see :class:`tacit.data.storage.Streamed`."""
        with self._opened(index, name) as arrays:
            yield from self._frames(arrays[self._keys[name]], index, name)

    @contextmanager
    def _opened(self, index: int, field: str) -> Iterator[Mapping[str, Rows]]:
        """Open the arrays of an episode; convert the errors of a damaged file to a Defect."""
        try:
            with self._content.arrays(self._entries[index]) as arrays:
                yield arrays
        except DataError:
            raise
        except (OSError, LookupError, RuntimeError, ValueError, TypeError, ArithmeticError) as error:
            raise Defect(
                self.file(index, field), index, field, f"cannot be read ({error}); the file is truncated or damaged."
            ) from error

    def _frames(self, rows: Rows, index: int, name: str) -> Iterator[npt.NDArray[np.uint8]]:
        """Yield the images of an array at the size of the modality."""
        feature = self._content.features[self._keys[name]]
        try:
            yield from frames(rows, feature, self.spec.modalities[name].shape[1:], self._depth)
        except (OSError, RuntimeError, ValueError) as error:
            raise Defect(self.file(index, name), index, name, str(error)) from error

    def _numbers(self, arrays: Mapping[str, Rows], index: int, key: str) -> Array:
        """Return all rows of an array as ``[rows, D]``."""
        try:
            values = arrays[key][:]
        except (OSError, RuntimeError, ValueError) as error:
            problem = f"cannot be read ({error}); the file is truncated or damaged."
            raise Defect(self.file(index, key), index, key, problem) from error
        return values.reshape(len(values), -1)

    def _acted(self, arrays: Mapping[str, Rows], index: int) -> npt.NDArray[np.float32]:
        """Return the actions ``[rows, A]`` as float32, one-hot for choices."""
        length = self._entries[index].length
        parts = [self._numbers(arrays, index, feature.key) for feature in self._actions]
        short = next((f for f, part in zip(self._actions, parts, strict=True) if len(part) != len(parts[0])), None)
        if short is not None:
            raise Defect(self.file(index, "action"), index, short.key, "its rows are not those of the other actions.")
        if not parts:
            return np.zeros((length, 0), np.float32)
        space = self.spec.action
        if isinstance(space, Discrete):
            chosen = parts[0][:, 0].astype(np.int64)
            if not ((chosen >= 0) & (chosen < space.n)).all():
                bad = int(np.argmax((chosen < 0) | (chosen >= space.n)))
                problem = f"expected a choice below {space.n} in row {bad}; got {chosen[bad]}."
                raise Defect(self.file(index, "action"), index, self._actions[0].key, problem)
            return np.eye(space.n, dtype=np.float32)[chosen]
        return np.concatenate([part.astype(np.float32) for part in parts], axis=1)

    def _labelled(self, arrays: Mapping[str, Rows], index: int, name: str, key: str) -> Array:
        """Return a label ``[T, ...]``; the row of the last observation is completed where it has none."""
        length, values = self._entries[index].length, self._numbers(arrays, index, key)
        values = values.reshape(len(values), *self.labels[name][1])
        if key in self._content.later:
            values = values[1:]
        if len(values) == length - 1 and length > 1:
            last = np.zeros_like(values[:1]) if name == REWARD else values[-1:]
            values = np.concatenate([values, last])
        return values

    def _space(self) -> ActionSpace:
        """Return the space of the actions: that of the files, or the range of the recorded actions."""
        if not self._actions:
            return Box((), ())
        content, width = self._content, sum(math.prod(feature.shape) for feature in self._actions)
        given = content.space
        if isinstance(given, Discrete) and len(self._actions) == 1 and width == 1:
            return given
        if isinstance(given, Box) and given.size == width:
            return given
        low, high = np.full(width, np.inf), np.full(width, -np.inf)
        for index in range(len(self._entries)):
            with self._opened(index, "action") as arrays:
                parts = [self._numbers(arrays, index, feature.key) for feature in self._actions]
            values = np.concatenate([part.astype(np.float32) for part in parts], axis=1)
            finite = np.isfinite(values)
            low = np.minimum(low, np.where(finite, values, np.inf).min(axis=0, initial=np.inf))
            high = np.maximum(high, np.where(finite, values, -np.inf).max(axis=0, initial=-np.inf))
        if not (low <= high).all():
            component = int(np.argmin(low <= high))
            raise Defect(
                content.files[0], None, self._actions[0].key, f"component {component} of the actions is never finite."
            )
        return Box(tuple(low.tolist()), tuple(high.tolist()))


def _names(content: Content, roles: Roles, options: RecordingOptions) -> tuple[dict[str, str], dict[str, str]]:
    """Return the array of each modality and of each label."""
    found = modality_names(roles.observation, options.names("strip") or content.strip)
    keys = {content.names.get(key, name): key for key, name in found.items()}
    labels = {content.names.get(f.key, label_name(f.key)): f.key for f in roles.label}
    if len(keys) < len(roles.observation) or len(labels) < len(roles.label):
        raise ConfigError(f"two arrays of {content.path} would have the same name. Leave one out with skip=.")
    return keys, labels


def _modality(feature: Feature) -> Modality:
    if feature.image is not None:
        return Modality("pixels", feature.image)
    return Modality("vector", (math.prod(feature.shape),))


def _label(feature: Feature) -> tuple[str, tuple[int, ...]]:
    return feature.dtype, () if feature.shape == (1,) else feature.shape


def _without_clock(path: Path) -> float:
    warnings.warn(
        f"{path} does not say how many steps a second it has; {FPS:g} are assumed. Give it: fps=...", stacklevel=6
    )
    return FPS


def _long_enough(content: Content, acted: bool) -> list[Entry]:
    """Return the episodes with at least one observation, and an action after it where there are actions."""
    least = 2 if acted else 1
    kept = [entry for entry in content.entries if entry.length >= least]
    short = [entry for entry in content.entries if entry.length < least]
    named = ", ".join(f"{_place(content, entry)} ({entry.length})" for entry in short[:NAMED])
    named += ", ..." if len(short) > NAMED else ""
    need = "two observations and the action between them" if acted else "one observation"
    if not kept:
        raise DataError(f"{content.path}: expected an episode of {need}; there is none{named and f', only {named}'}.")
    if short:
        warnings.warn(
            f"left out {len(short)} of {len(content.entries)} episodes in {content.path} that are shorter than {need}: "
            f"{named} steps.",
            stacklevel=5,
        )
    return kept


def _place(content: Content, entry: Entry) -> str:
    """Return the place of an episode, for messages."""
    return entry.place or f"{content.files[entry.source].name} from row {entry.start}"
