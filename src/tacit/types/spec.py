"""What the world shows and accepts."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

import numpy as np
import numpy.typing as npt

from tacit.errors import SpecError

__all__ = ["ActionSpace", "Array", "Box", "Discrete", "Modality", "Observation", "Spec", "State"]

Array: TypeAlias = npt.NDArray[np.generic]
Observation: TypeAlias = Mapping[str, Array]
"""One array per modality, under the names of :attr:`Spec.modalities`."""
State: TypeAlias = Mapping[str, npt.NDArray[np.generic]]
"""The full state of a batch of worlds: one array ``[B, ...]`` per quantity."""

COMPONENTS, NUMBERS, MODALITIES, RATES = 10_000, 2**28, 1000, 1e9
"""Upper limits: components of an action, numbers in one step of a modality, modalities, and steps a second."""


@dataclass(frozen=True)
class Box:
    """A bounded continuous action space of shape ``[A]``; without components, nobody acts: pictures, films, signals.

    Args:
        low: The lower bound of each component, finite.
        high: The upper bound of each component, finite and not below ``low``.

    Raises:
        SpecError: if the bounds differ in length, are not finite or are crossed.
    """

    low: tuple[float, ...]
    high: tuple[float, ...]

    def __post_init__(self) -> None:
        longest = max(len(self.low), len(self.high))
        if longest > COMPONENTS:
            raise SpecError(f"an action has at most {COMPONENTS} components; got a Box of {longest}.")
        for name in ("low", "high"):  # an array or a list is taken as well
            object.__setattr__(self, name, tuple(float(bound) for bound in vars(self)[name]))
        if len(self.low) != len(self.high):
            raise SpecError(f"Box needs as many low as high bounds; got {len(self.low)} and {len(self.high)}.")
        for index, (low, high) in enumerate(zip(self.low, self.high, strict=True)):
            if not (np.isfinite(low) and np.isfinite(high) and low <= high):
                raise SpecError(
                    f"Box component {index} needs finite bounds with low <= high; got [{low}, {high}]. "
                    "Give the range that the actuator really accepts."
                )

    @property
    def size(self) -> int:
        """``A``, the number of components."""
        return len(self.low)


@dataclass(frozen=True)
class Discrete:
    """A choice among ``n`` actions, carried as a one-hot vector of shape ``[n]`` (so ``A = n``).

    Raises:
        SpecError: if ``n`` is below two.
    """

    n: int

    def __post_init__(self) -> None:
        if self.n < 2:
            raise SpecError(f"Discrete needs at least two choices; got n={self.n}.")
        if self.n > COMPONENTS:
            raise SpecError(f"an action has at most {COMPONENTS} components; got Discrete with n={self.n}.")

    @property
    def size(self) -> int:
        """``A``, the width of the one-hot vector."""
        return self.n


ActionSpace: TypeAlias = Box | Discrete


@dataclass(frozen=True)
class Modality:
    """One named stream of an observation.

    Args:
        kind: ``pixels`` (uint8 ``[C, H, W]`` a step), ``vector`` (float32 ``[D]`` a step) or ``series``
            (float32 ``[C]`` a sample, sampled at its own ``rate``).
        shape: The shape of one step or, for a series, of one sample.
        rate: Samples a second, for a series only; every other kind ticks with the actions.
        source: Height and width of the recorded frames, for pixels that were resized to ``shape`` when they were
            read. A model resizes frames of that size in the same way before it encodes them.

    Raises:
        SpecError: if the shape, the rate or the source does not fit the kind.
    """

    kind: Literal["pixels", "vector", "series"]
    shape: tuple[int, ...]
    rate: float | None = None
    source: tuple[int, int] | None = field(default=None, metadata={"optional": True})  # tacit._config

    def __post_init__(self) -> None:
        axes = {"pixels": 3, "vector": 1, "series": 1}.get(self.kind)
        if axes is None:
            raise SpecError(f"a modality is 'pixels', 'vector' or 'series'; got {self.kind!r}.")
        if len(self.shape) != axes or any(size < 1 for size in self.shape):
            raise SpecError(f"a {self.kind} modality needs {axes} axes of at least 1; got shape {self.shape}.")
        if math.prod(self.shape) > NUMBERS:
            raise SpecError(f"one step of a modality has at most {NUMBERS} numbers; got shape {self.shape}.")
        if (self.kind == "series") != (self.rate is not None):
            raise SpecError(
                f"a rate belongs to a series and to nothing else; got kind {self.kind!r}, rate {self.rate}."
            )
        if self.rate is not None and not 1 / RATES <= self.rate <= RATES:
            raise SpecError(
                f"a series needs a rate in samples a second between {1 / RATES:g} and {RATES:g}; got {self.rate}."
            )
        if self.source is not None:
            if self.kind != "pixels" or len(self.source) != 2 or min(self.source) < 1:
                raise SpecError(f"source is (height, width) of recorded frames, for pixels only; got {self.source}.")
            object.__setattr__(self, "source", (int(self.source[0]), int(self.source[1])))

    @property
    def dtype(self) -> np.dtype[np.generic]:
        """``uint8`` for pixels, ``float32`` for everything else."""
        return np.dtype(np.uint8 if self.kind == "pixels" else np.float32)


@dataclass(frozen=True)
class Spec:
    """What an environment or a dataset shows and accepts.

    Args:
        modalities: The streams of an observation by name.
        action: The space of one action; by default there are none.
        fps: Steps (and so actions) a second.
    """

    modalities: Mapping[str, Modality]
    action: ActionSpace = Box((), ())
    fps: float = 10.0

    def __post_init__(self) -> None:
        if not self.modalities:
            raise SpecError(
                "a Spec needs at least one modality, for example {'pixels': Modality('pixels', (3, 64, 64))}."
            )
        if not 1 / RATES <= self.fps <= RATES:
            raise SpecError(f"fps must be a positive number between {1 / RATES:g} and {RATES:g}; got {self.fps}.")
        if len(self.modalities) > MODALITIES:
            raise SpecError(f"a Spec has at most {MODALITIES} modalities; got {len(self.modalities)}.")
        for name, modality in self.modalities.items():
            if modality.rate is not None and modality.rate / self.fps * modality.shape[0] > NUMBERS:
                raise SpecError(
                    f"one step of a modality has at most {NUMBERS} numbers; {name!r} has {modality.rate:g} samples a "
                    f"second of {modality.shape[0]} numbers each at {self.fps:g} steps a second."
                )

    @property
    def cameras(self) -> tuple[str, ...]:
        """The modalities that are pixels."""
        return tuple(name for name, modality in self.modalities.items() if modality.kind == "pixels")

    def samples(self, name: str, steps: int) -> int:
        """The length of modality ``name`` over ``steps`` observations.

        Sample ``k`` of a series falls at ``k / rate`` seconds and observation ``t`` at ``t / fps``; the samples
        of a step are those from its observation on, up to the next one.
        """
        rate = self.modalities[name].rate
        return steps if rate is None else int(np.ceil(steps * rate / self.fps - 1e-9))
