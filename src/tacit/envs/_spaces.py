"""Conversion of Gymnasium observation spaces to modalities.

An entry of an observation becomes pixels where its space is an image, and a vector otherwise:

- uint8 from 0 to 255 with 2 axes ``[H, W]``, 3 with channels first or last, or 4 as a stack of such images;
- other integers from 0 to 255, and floats from 0 to 1 or from 0 to 255, where 3 or 4 axes look like an image.

Stacked frames become channels, the oldest frame first and the channels of a frame together.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import gymnasium
import numpy as np
import numpy.typing as npt
from gymnasium import spaces

from tacit.errors import SpecError
from tacit.types import Array, Modality

__all__ = ["Stream", "resize", "streams"]

Convert = Callable[[Array], Array]
EXACT = 2**24
"""Limit up to which integers are exact in float32."""
CHANNELS = 4
"""The most channels of one frame; more are stacked frames."""
SMALLEST = 16
"""The smallest height and width at which numbers other than uint8 count as an image."""
WIDEST = 10_000
"""The most choices that become a one-hot vector."""


@dataclass(frozen=True)
class Stream:
    """An entry of an observation space and its conversion.

    Attributes:
        name: Its keys, joined with dots; ``pixels`` or ``state`` where the observation has one entry only.
        path: The keys that lead to it.
        space: Its space.
        modality: The modality that it becomes.
        convert: Turns a batch ``[B, ...]`` of the space into a batch of the modality.
        label: The same for an entry that is not shown to a model.
        note: A warning for the user about the conversion, if there is one.
    """

    name: str
    path: tuple[Any, ...]
    space: gymnasium.Space[Any]
    modality: Modality
    convert: Convert
    label: Convert
    note: str = ""

    def of(self, observation: Any) -> Any:
        """Return this entry of an observation.

        Raises:
            SpecError: if the observation lacks it.
        """
        for key in self.path:
            try:
                observation = observation[key]
            except (KeyError, IndexError, TypeError) as error:
                raise SpecError(f"the observation has no entry {self.name!r}, which its space declares.") from error
        return observation

    def gather(self, observations: Sequence[Any], shown: bool) -> Array:
        """Return this entry of single observations as a batch.

        Raises:
            SpecError: if a value does not fit the space.
        """
        shape, dtype = self.space.shape or (), self.space.dtype
        values = [self.of(one) for one in observations] if self.path else observations
        fitted = [
            one if type(one) is np.ndarray and one.dtype == dtype and one.shape == shape else self._fitted(one, shape)
            for one in values
        ]
        batch = np.concatenate(fitted).reshape(len(fitted), *shape) if shape else np.stack(fitted)
        return self._converted(batch, shown)

    def batch(self, observation: Any, count: int, shown: bool) -> Array:
        """Return this entry of an observation of ``count`` worlds as a batch. No memory is shared with it.

        Raises:
            SpecError: if a value does not fit the space.
        """
        return self._converted(self._fitted(self.of(observation), (count, *(self.space.shape or ()))), shown)

    def _converted(self, values: Array, shown: bool) -> Array:
        try:
            return self.convert(values) if shown else self.label(values)
        except SpecError as error:
            raise SpecError(f"entry {self.name!r}: {error}") from error.__cause__

    def _fitted(self, value: Any, shape: tuple[int, ...]) -> Array:
        """Return a value as an array of a shape whose numbers fit the space. Floats keep their width."""
        array, dtype = np.asarray(value), np.dtype(self.space.dtype)
        if array.shape != shape:
            raise SpecError(f"entry {self.name!r} has shape {array.shape}, and its space declares {shape}.")
        if array.dtype == dtype or (array.dtype.kind == "f" and dtype.kind == "f"):
            return array
        if array.dtype.kind in "biu":
            cast = array.astype(dtype)
            if bool((cast == array).all()):
                return cast
            raise SpecError(f"entry {self.name!r} holds numbers that do not fit the {dtype} that its space declares.")
        raise SpecError(f"entry {self.name!r} has dtype {array.dtype}, and its space declares {dtype}.")


def streams(space: gymnasium.Space[Any], path: tuple[Any, ...] = ()) -> tuple[dict[str, Stream], dict[str, str]]:
    """Return the entries of a space that become modalities, and the reasons why others cannot.

    Raises:
        SpecError: if two entries have the same name.
    """
    name = ".".join(map(str, path))
    if isinstance(space, spaces.Dict | spaces.Tuple):
        parts = space.spaces.items() if isinstance(space, spaces.Dict) else enumerate(space.spaces)
        usable: dict[str, Stream] = {}
        refused: dict[str, str] = {}
        for key, part in parts:
            found, reasons = streams(part, (*path, key))
            for twice in (usable.keys() | refused.keys()) & (found.keys() | reasons.keys()):
                raise SpecError(f"two entries of the observation are called {twice!r}. Rename one in a wrapper.")
            usable |= found
            refused |= reasons
        return usable, refused
    try:
        modality, convert, label, note = _leaf(space)
    except SpecError as error:
        name = name or "state"
        return {}, {name: str(error)}
    name = name or ("pixels" if modality.kind == "pixels" else "state")
    return {name: Stream(name, path, space, modality, convert, label or convert, note)}, {}


def _leaf(space: gymnasium.Space[Any]) -> tuple[Modality, Convert, Convert | None, str]:
    """Return modality, conversion, conversion as a label where it differs, and a note."""
    match space:
        case spaces.Box() if (order := _image_axes(space)) is not None:
            return _image(space, order)
        case spaces.Box():
            return _vector(space)
        case spaces.MultiBinary():
            return Modality("vector", (int(np.prod(space.shape)),)), _flat, None, ""
        case spaces.Discrete():
            return _one_hot(np.array([space.n]), np.array([space.start]))
        case spaces.MultiDiscrete():
            return _one_hot(np.asarray(space.nvec).ravel(), np.asarray(space.start).ravel())
    raise SpecError(f"a {type(space).__name__} space has no fixed size")


def _image_axes(space: spaces.Box) -> tuple[int, ...] | None:
    """Return the axes of ``[B, ...]`` as batch, frames, channels, height, width; None where it is no image.

    Raises:
        SpecError: if it is an image whose channel axis is ambiguous.
    """
    shape, low, high = space.shape, space.low, space.high
    byte = space.dtype == np.uint8
    if len(shape) < 2 or (byte and len(shape) == 2 and min(shape) <= CHANNELS):
        return None
    if not (np.all(low == 0) and np.max(high) in ((1, 255) if space.dtype.kind == "f" else (255,))):
        return None
    if not byte:
        sides = sorted(shape[-3:])
        if len(shape) not in (3, 4) or sides[0] not in (1, 3, 4) or sides[1] < SMALLEST:
            return None
    if len(shape) == 2:
        return (0, 1, 2)
    if len(shape) > 4:
        raise SpecError(f"an image has 2 to 4 axes, of which the first may stack frames; got shape {shape}")
    first, last = shape[-3], shape[-1]
    single = len(shape) == 3
    if (last <= CHANNELS and (first > CHANNELS or first == last)) or (single and CHANNELS < last < first):
        return (0, 3, 1, 2) if single else (0, 1, 4, 2, 3)
    if first <= CHANNELS < last or (single and CHANNELS < first < last):
        return (0, 1, 2, 3) if single else (0, 1, 2, 3, 4)
    raise SpecError(f"it is not clear which axis of an image of shape {shape} holds the channels")


def _image(space: spaces.Box, order: tuple[int, ...]) -> tuple[Modality, Convert, Convert | None, str]:
    height, width = (space.shape[axis - 1] for axis in order[-2:])
    channels = int(np.prod(space.shape)) // (height * width)
    modality = Modality("pixels", (channels, height, width))
    top = float(np.max(space.high))

    def convert(batch: Array) -> Array:
        values: npt.NDArray[Any] = np.asarray(batch)
        if values.dtype != np.uint8:
            if not bool(((values >= 0) & (values <= top)).all()):
                raise SpecError(f"expected an image from 0 to {top:g}; it holds {_outside(values, 0, top)}.")
            values = np.rint(values.astype(np.float64) * (255 / top)).astype(np.uint8)
        ordered = values.transpose(order).reshape(len(values), *modality.shape)
        return np.array(ordered, order="C")

    note = f"is an image of {space.dtype} and becomes uint8, which has 256 levels" if space.dtype.kind == "f" else ""
    return modality, convert, None, note


def _vector(space: spaces.Box) -> tuple[Modality, Convert, Convert | None, str]:
    if space.dtype.kind not in "biuf":
        raise SpecError(f"numbers of dtype {space.dtype} are not real")
    modality = Modality("vector", (int(np.prod(space.shape)),))
    note = ""
    sides = sorted((1, *space.shape)[-3:])
    if len(space.shape) in (2, 3, 4) and sides[0] in (1, 3, 4) and sides[1] >= SMALLEST:
        note = (
            f"has the shape {space.shape} of an image, but not the range 0 to 255 or 0 to 1, and becomes a vector of "
            f"{modality.shape[0]} numbers; to have pixels, scale it in gymnasium.wrappers.TransformObservation"
        )
    if space.dtype.kind not in "iu" or bool(np.all(space.low >= -EXACT) and np.all(space.high <= EXACT)):
        return modality, _flat, None, note

    def exact(batch: npt.NDArray[Any]) -> Array:
        if not bool(((batch >= -EXACT) & (batch <= EXACT)).all()):
            found = _outside(batch, -EXACT, EXACT)
            raise SpecError(
                f"expected whole numbers up to 2**24, which float32 holds exactly; got {found}. "
                "Scale or split it in gymnasium.wrappers.TransformObservation, or leave it out by modalities=[...]."
            )
        return _flat(batch)

    return modality, exact, lambda batch: np.array(batch).reshape(len(batch), -1), note


def _flat(batch: Array) -> Array:
    if batch.dtype == np.float32:
        return np.array(batch).reshape(len(batch), -1)
    with np.errstate(over="ignore"):  # infinite values are refused when they are shown
        return np.array(batch, np.float32).reshape(len(batch), -1)


def _one_hot(sizes: npt.NDArray[Any], starts: npt.NDArray[Any]) -> tuple[Modality, Convert, Convert | None, str]:
    """Return a modality of concatenated one-hot rows of several choices, and its conversions."""
    width = int(sizes.sum())
    if width > WIDEST:
        raise SpecError(f"a choice among {width} would be a one-hot vector of as many numbers")
    before = np.concatenate([[0], np.cumsum(sizes)[:-1]]).astype(np.int64)

    def convert(batch: Array) -> Array:
        chosen = np.asarray(batch, np.int64).reshape(len(batch), -1) - starts
        if not bool(((chosen >= 0) & (chosen < sizes)).all()):
            raise SpecError(f"expected choices from {starts.tolist()}, {sizes.tolist()} each; got {batch.tolist()}.")
        rows = np.zeros((len(chosen), width), np.float32)
        np.put_along_axis(rows, chosen + before, 1.0, axis=1)
        return rows

    return Modality("vector", (width,)), convert, None, ""


def _outside(values: npt.NDArray[Any], low: float, high: float) -> Any:
    """Return the first value that is not between two bounds."""
    return values[~((values >= low) & (values <= high))].flat[0]


def resize(images: npt.NDArray[np.uint8], size: int) -> npt.NDArray[np.uint8]:
    """Resize ``[B, C, H, W]`` to ``[B, C, size, size]``: each pixel is the mean of the area that it covers."""
    if images.shape[2:] == (size, size):
        return images
    rows, columns = (_weights(length, size) for length in images.shape[2:])
    return np.asarray(rows @ images.astype(np.float32) @ columns.T + 0.5, np.uint8)


@cache
def _weights(length: int, size: int) -> npt.NDArray[np.float32]:
    """Return the share of each of ``length`` pixels in each of ``size``."""
    edge = np.arange(size + 1)[:, None] * (length / size)
    overlap = np.minimum(edge[1:], np.arange(length) + 1.0) - np.maximum(edge[:-1], np.arange(length))
    return np.asarray(np.maximum(overlap, 0.0) * (size / length), np.float32)
