"""Random fixed-length windows of episodes: the batches of training."""

from __future__ import annotations

import math
import threading
import weakref
from collections.abc import Collection
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import torch

from tacit._resources import amount, available_memory
from tacit._seeds import CounterStream, counter_rng
from tacit.data.batches import ClipBatches
from tacit.errors import ConfigError, DataError
from tacit.types import Array, Clip

if TYPE_CHECKING:
    from tacit.data.episodes import Episodes

__all__ = ["Clips"]

LARGE = 2**28
"""Size of a new buffer in bytes from which the free memory is checked first."""


class Clips:
    """All windows of ``length`` observations, ``frameskip`` steps apart, inside one episode.

    ``batch(seed, step, size)`` draws from them; ``len`` counts them. The samples of a series that belong
    to an observation are the ``R`` latest at its time or before, with ``R`` the number of samples in
    ``frameskip`` steps, rounded up: the interval that led to the observation, never what follows it.
    With a series, windows start at the first step that has so many samples behind it.

    Args:
        episodes: The episodes of the windows.
        length: Observations of a window, ``T``.
        frameskip: Steps from one observation to the next; an action block holds as many actions.
        modalities: The modalities to read.

    Raises:
        ConfigError: if length or frameskip is below one.
        DataError: if no episode is long enough.
    """

    def __init__(self, episodes: Episodes, length: int, frameskip: int, modalities: Collection[str]) -> None:
        if length < 1 or frameskip < 1:
            raise ConfigError(f"clips need length >= 1 and frameskip >= 1; got {length} and {frameskip}.")
        self.episodes, self.length, self.frameskip = episodes, length, frameskip
        self.spec = episodes.spec.only(modalities)
        self._earliest = max(self._first_full(name) for name in self.spec.modalities)
        span = (length - 1) * frameskip + 1
        windows = np.maximum(episodes.lengths - span + 1 - self._earliest, 0)
        self._ends = np.cumsum(windows)
        if not len(self):
            longest = int(episodes.lengths.max()) if len(episodes) else 0
            raise DataError(
                f"clips of {length} observations, {frameskip} steps apart, need an episode of "
                f"{span + self._earliest} observations; the longest of {len(episodes)} has {longest}. "
                "Ask for a smaller length or frameskip: clip and model.frameskip of a recipe.",
                code="T05",
            )
        self._packed, self._numbers = episodes.packed(tuple(modalities))
        self._buffers = _Buffers()
        self._offsets = np.arange(length) * frameskip
        self._moves = np.arange((length - 1) * frameskip)

    def __len__(self) -> int:
        """Return the number of windows."""
        return int(self._ends[-1]) if len(self._ends) else 0

    def batch(self, seed: int, step: int, size: int) -> Clip:
        """Draw ``size`` windows uniformly: a pure function of the three arguments.

        Args:
            seed: Seed of the run, not negative.
            step: Step of training, not negative.
            size: Number of windows ``B``.

        Returns:
            Pixels uint8 ``[B, T, C, H, W]``, vectors float32 ``[B, T, D]``, series ``[B, T, R, C]``, action
            blocks ``[B, T - 1, frameskip * A]``, the position of the episode in ``self.episodes`` and
            the first step of each window.
        """
        if seed < 0 or step < 0 or size < 1:
            raise ConfigError(f"a batch needs seed >= 0, step >= 0 and size >= 1; got {seed}, {step}, {size}.")
        rng = counter_rng(seed, CounterStream.CLIPS, step)
        return self.cut(*self.windows(rng.integers(0, len(self), size)))

    def bytes(self, size: int) -> int:
        """Return the bytes of the observations of a batch of ``size``."""
        spec, total = self.spec, 0
        for name, modality in spec.modalities.items():
            each = 1 if modality.rate is None else spec.samples(name, self.frameskip)
            total += each * int(np.prod(modality.shape)) * modality.dtype.itemsize
        return size * self.length * total

    def windows(self, index: npt.NDArray[np.int64]) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
        """Return episode position and first step, ``[B]`` each, of the windows ``index [B]`` out of ``len(self)``.

        Windows count by episode and, within it, by step.
        """
        episode = np.searchsorted(self._ends, index, side="right")
        before = np.where(episode > 0, self._ends[episode - 1], 0)
        return episode, index - before + self._earliest

    def cut(self, episode: npt.NDArray[np.int64], start: npt.NDArray[np.int64]) -> Clip:
        """Return the windows from steps ``start [B]`` of the episodes at positions ``episode [B]``.

        Raises:
            DataError: if a window leaves its episode.
        """
        last = start + self._offsets[-1]
        inside = (start >= self._earliest) & (last < self.episodes.lengths[episode])
        if not inside.all():
            worst = int(np.argmin(inside))
            raise DataError(f"the clip at step {start[worst]} leaves episode {episode[worst]} of these episodes.")
        if self._packed.require is not None:
            self._packed.require(self._numbers[episode])
        observation = {name: self._observation(name, episode, start) for name in self.spec.modalities}
        moves = self._first("action", episode)[:, None] + start[:, None] + self._moves
        action = self._buffers.gather(self._packed.action, moves).view(
            len(start), self.length - 1, self.frameskip * self.spec.action.size
        )
        return Clip(observation, action, torch.from_numpy(episode), torch.from_numpy(start))

    def batches(
        self, size: int, seed: int = 0, *, start: int = 0, steps: int | None = None, prefetch: int = 2
    ) -> ClipBatches:
        """Return the batches of consecutive steps, for a loop or a ``torch.utils.data.DataLoader``.

        Args:
            size: Number of windows in a batch.
            seed: Seed of the draws.
            start: The first step, for example that of a resumed run.
            steps: Number of batches; None: without end.
            prefetch: Batches that a thread reads ahead; it does not change them.

        Raises:
            ConfigError: if a value is out of range.
        """
        return ClipBatches(self, size, seed, start, steps, prefetch)

    def _first(self, name: str, episode: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        return self._packed.first[name][self._numbers[episode]]

    def _latest(self, name: str, steps: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        """Return the last row of modality ``name`` that is not after the observations at ``steps``."""
        rate = self.spec.modalities[name].rate
        return steps if rate is None else np.floor(steps * rate / self.spec.fps + 1e-9).astype(np.int64)

    def _first_full(self, name: str) -> int:
        """Return the first step that has as many rows as an observation takes."""
        if self.spec.modalities[name].rate is None:
            return 0
        latest = self._latest(name, np.arange(self.frameskip + 1))
        return int(np.argmax(latest >= self.spec.samples(name, self.frameskip) - 1))

    def _observation(self, name: str, episode: npt.NDArray[np.int64], start: npt.NDArray[np.int64]) -> torch.Tensor:
        steps = start[:, None] + self._offsets
        if self.spec.modalities[name].rate is not None:
            each = self.spec.samples(name, self.frameskip)
            steps = self._latest(name, steps)[:, :, None] - np.arange(each)[::-1]
        first = self._first(name, episode).reshape(-1, *[1] * (steps.ndim - 1))
        return self._buffers.gather(self._packed.observation[name], first + steps)


class _Buffers:
    """Memory for batches, reused when no tensor of an earlier batch refers to it.

    For large batches, fresh memory costs several times the copy: the system clears every page before it is written.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._lent: dict[tuple[object, ...], list[tuple[Array, weakref.ref[Array]]]] = {}

    def __reduce__(self) -> tuple[type[_Buffers], tuple[()]]:
        return type(self), ()

    def gather(self, source: Array, index: npt.NDArray[np.int64]) -> torch.Tensor:
        """Return ``source[index]`` as a tensor, copied once."""
        shape = (*index.shape, *source.shape[1:])
        with self._lock:
            buffers = self._lent.setdefault((shape, source.dtype), [])
            free = (number for number, (_, lent) in enumerate(buffers) if lent() is None)
            number = next(free, len(buffers))
            memory = buffers[number][0] if number < len(buffers) else _memory(shape, source.dtype)
            view = memory.view()  # the object that the tensor and all its views, and nothing else, refer to
            buffers[number : number + 1] = [(memory, weakref.ref(view))]
        np.take(source, index, axis=0, out=view, mode="clip")
        return torch.from_numpy(view)


def _memory(shape: tuple[int, ...], dtype: np.dtype[np.generic]) -> Array:
    """Return memory for a batch.

    Raises:
        ConfigError: if there is not enough.
    """
    size = math.prod(shape) * dtype.itemsize
    free = available_memory() if size > LARGE else None
    if free is not None and size > free:
        raise ConfigError(
            f"a batch of {shape[0]} clips takes {amount(size)} of memory for one modality, and {amount(free)} are "
            "available. Use a smaller batch, shorter clips, or images read at a smaller size: tacit.data.open(..., "
            "size=64).",
            code="T10",
        )
    return np.empty(shape, dtype)
