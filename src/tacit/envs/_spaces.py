"""Gymnasium spaces as modalities and action spaces."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import gymnasium
import numpy as np
import numpy.typing as npt

from tacit.errors import SpecError
from tacit.types import ActionSpace, Array, Box, Discrete, Modality

__all__ = ["Stream", "action_space", "resize", "streams"]


@dataclass(frozen=True)
class Stream:
    """One modality inside a Gymnasium observation.

    Attributes:
        path: Keys that lead to it.
        modality: What it becomes.
        convert: Its batch ``[B, ...]`` as an array of the modality's shape and dtype.
    """

    path: tuple[Any, ...]
    modality: Modality
    convert: Callable[[Any], Array]

    def read(self, observation: Any) -> Array:
        """This stream of a batched observation."""
        for key in self.path:
            observation = observation[key]
        return self.convert(observation)


def streams(space: gymnasium.Space[Any], path: tuple[Any, ...] = ()) -> dict[str, Stream]:
    """The modalities of an observation space by name; keys of nested spaces are joined with dots.

    Raises:
        SpecError: for a space without a fixed size, such as Text, Graph or Sequence.
    """
    name = ".".join(str(key) for key in path)
    match space:
        case gymnasium.spaces.Dict():
            return {k: v for key, part in space.spaces.items() for k, v in streams(part, (*path, key)).items()}
        case gymnasium.spaces.Tuple():
            return {k: v for key, part in enumerate(space.spaces) for k, v in streams(part, (*path, key)).items()}
        case gymnasium.spaces.Box() if space.dtype == np.uint8 and len(space.shape) in (2, 3):
            return {name or "pixels": Stream(path, *_pictures(space.shape))}
        case gymnasium.spaces.Box() | gymnasium.spaces.MultiBinary():
            return {name or "state": Stream(path, Modality("vector", (int(np.prod(space.shape)),)), _vectors)}
        case gymnasium.spaces.Discrete():
            return {name or "state": Stream(path, Modality("vector", (int(space.n),)), _one_hot(space))}
    raise SpecError(
        f"observations may be made of Box, Discrete, MultiBinary, Dict and Tuple spaces; got {space} at "
        f"{name or 'the top'}. Wrap the environment, for example in gymnasium.wrappers.TransformObservation."
    )


def action_space(space: gymnasium.Space[Any]) -> ActionSpace:
    """A Gymnasium action space as ours.

    Raises:
        SpecError: unless it is a Box with finite bounds or a Discrete.
    """
    if isinstance(space, gymnasium.spaces.Discrete):
        return Discrete(int(space.n))
    if not isinstance(space, gymnasium.spaces.Box):
        raise SpecError(
            f"actions must be a Box or a Discrete space; got {space}. Wrap the environment, for example in "
            "gymnasium.wrappers.TransformAction."
        )
    if not np.isfinite([space.low, space.high]).all():
        raise SpecError(
            f"actions need finite bounds; got {space}. Give the range that the actuator accepts: wrap the "
            "environment in gymnasium.wrappers.RescaleAction or TransformAction with a bounded Box."
        )
    return Box(tuple(map(float, space.low.ravel())), tuple(map(float, space.high.ravel())))


def resize(pictures: npt.NDArray[np.uint8], size: int) -> npt.NDArray[np.uint8]:
    """``[B, C, H, W]`` to ``[B, C, size, size]``: each pixel is the mean of the area that it covers."""
    if pictures.shape[2:] == (size, size):
        return pictures

    def weights(length: int) -> npt.NDArray[np.float32]:
        edge = np.arange(size + 1)[:, None] * (length / size)
        overlap = np.minimum(edge[1:], np.arange(length) + 1.0) - np.maximum(edge[:-1], np.arange(length))
        return np.asarray(np.maximum(overlap, 0.0) * (size / length), np.float32)

    small = weights(pictures.shape[2]) @ pictures.astype(np.float32) @ weights(pictures.shape[3]).T
    return np.asarray(small + 0.5, np.uint8)


def _pictures(shape: tuple[int, ...]) -> tuple[Modality, Callable[[Any], Array]]:
    if len(shape) == 2:
        return Modality("pixels", (1, *shape)), lambda batch: np.array(batch[:, None])
    if shape[0] < shape[2]:
        return Modality("pixels", shape), np.array
    return Modality("pixels", (shape[2], *shape[:2])), lambda batch: np.ascontiguousarray(np.moveaxis(batch, -1, 1))


def _vectors(batch: Any) -> Array:
    return np.array(batch, np.float32).reshape(len(batch), -1)


def _one_hot(space: gymnasium.spaces.Discrete) -> Callable[[Any], Array]:
    rows = np.eye(int(space.n), dtype=np.float32)
    return lambda batch: rows[np.asarray(batch) - int(space.start)]
