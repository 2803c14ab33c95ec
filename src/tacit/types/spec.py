"""The specification of observations and actions."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Literal, TypeAlias

import numpy as np
import numpy.typing as npt

from tacit._config import OMIT_DEFAULT
from tacit._limits import is_positive, is_whole
from tacit.errors import SpecError
from tacit.types.spaces import ActionSpace, Box

__all__ = ["Array", "Modality", "Observation", "Spec", "State"]

Array: TypeAlias = npt.NDArray[np.generic]
Observation: TypeAlias = Mapping[str, Array]
"""An array per modality, under the names of :attr:`Spec.modalities`."""
State: TypeAlias = Mapping[str, npt.NDArray[np.generic]]
"""The full state of a batch of worlds: one array ``[B, ...]`` per quantity."""

NUMBERS, MODALITIES, RATES = 2**28, 1000, 1e9
"""Upper limits: numbers in one step of a modality, modalities, and steps a second."""


@dataclass(frozen=True)
class Modality:
    """A named stream of an observation.

    Args:
        kind: ``pixels`` (uint8 ``[C, H, W]`` a step), ``vector`` (float32 ``[D]`` a step) or ``series``
            (float32 ``[C]`` a sample, sampled at its own ``rate``).
        shape: The shape of one step or, for a series, of one sample.
        rate: Samples a second, for a series only; every other kind has one value per step.
        source: Height and width of the recorded frames, for pixels that were resized to ``shape`` when they were
            read. A model resizes frames of that size in the same way before it encodes them.
        names: The names of the components of a vector or series, with their units, for reports and messages. They
            count neither for equality nor in hashes. Empty: unknown.

    Raises:
        SpecError: if the shape, the rate, the source or the names do not fit the kind.
    """

    kind: Literal["pixels", "vector", "series"]
    shape: tuple[int, ...]
    rate: float | None = None
    source: tuple[int, int] | None = field(default=None, metadata=OMIT_DEFAULT)
    names: tuple[str, ...] = field(default=(), compare=False, metadata=OMIT_DEFAULT)

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
        if self.rate is not None and not (is_positive(self.rate) and 1 / RATES <= self.rate <= RATES):
            raise SpecError(
                f"a series needs a rate in samples a second between {1 / RATES:g} and {RATES:g}; got {self.rate}."
            )
        if self.source is not None:
            if self.kind != "pixels" or len(self.source) != 2 or min(self.source) < 1:
                raise SpecError(f"source is (height, width) of recorded frames, for pixels only; got {self.source}.")
            object.__setattr__(self, "source", (int(self.source[0]), int(self.source[1])))
        object.__setattr__(self, "names", tuple(self.names))
        if self.names and (self.kind == "pixels" or len(self.names) != self.shape[0]):
            raise SpecError(f"names has one for each component of a vector or series; got {self.names}.")

    @property
    def dtype(self) -> np.dtype[np.generic]:
        """Return ``uint8`` for pixels, ``float32`` for everything else."""
        return np.dtype(np.uint8 if self.kind == "pixels" else np.float32)


@dataclass(frozen=True)
class Spec:
    """The specification of the observations and actions of an environment or a dataset.

    Args:
        modalities: The streams of an observation by name.
        action: The space of one action; by default there are none.
        fps: Steps (and so actions) a second.
        position: The vector modality that holds the current position of the ``position`` components of the action,
            in the unit of the action. Without it, they have no action that holds still.
        position_index: Components of that modality, one for each ``position`` component of the action, in their order.
            Empty: all of them, in equal number.

    Raises:
        SpecError: if there is no modality, ``fps`` is out of range, or the position does not fit the action.
    """

    modalities: Mapping[str, Modality]
    action: ActionSpace = field(default_factory=lambda: Box((), ()))
    fps: float = 10.0
    position: str | None = field(default=None, metadata=OMIT_DEFAULT)
    position_index: tuple[int, ...] = field(default=(), metadata=OMIT_DEFAULT)

    def __post_init__(self) -> None:
        if not self.modalities:
            raise SpecError(
                "a Spec needs at least one modality, for example {'pixels': Modality('pixels', (3, 64, 64))}."
            )
        if not (is_positive(self.fps) and 1 / RATES <= self.fps <= RATES):
            raise SpecError(f"fps must be a positive number between {1 / RATES:g} and {RATES:g}; got {self.fps!r}.")
        if len(self.modalities) > MODALITIES:
            raise SpecError(f"a Spec has at most {MODALITIES} modalities; got {len(self.modalities)}.")
        for name, modality in self.modalities.items():
            if modality.rate is not None and modality.rate / self.fps * modality.shape[0] > NUMBERS:
                raise SpecError(
                    f"one step of a modality has at most {NUMBERS} numbers; {name!r} has {modality.rate:g} samples a "
                    f"second of {modality.shape[0]} numbers each at {self.fps:g} steps a second."
                )
        object.__setattr__(self, "position_index", tuple(self.position_index))
        self._check_position()

    def _check_position(self) -> None:
        """Refuse a position whose components cannot be assigned to action components."""
        index = self.position_index
        if self.position is None:
            if index:
                raise SpecError(f"position_index={index} needs the name of a modality: position='joints', for example.")
            return
        kinds = self.action.kinds
        wanted = kinds.count("position")
        if not wanted:
            raise SpecError(
                f"position={self.position!r} needs an action with components of kind 'position'; got {self.action}. "
                "Declare them, for example Box(low, high, kind='position'), or leave out position."
            )
        held = self.modalities.get(self.position)
        if held is None or held.kind != "vector":
            vectors = [name for name, modality in self.modalities.items() if modality.kind == "vector"]
            raise SpecError(
                f"position names a vector modality of the Spec; got {self.position!r}. "
                f"Its vector modalities are: {', '.join(vectors) or 'none'}."
            )
        size = held.shape[0]
        if not index and size != wanted:
            raise SpecError(
                f"the action has {wanted} components of kind 'position' and {self.position!r} has {size}. "
                "Say which belong to them, in the order of the action: position_index=(0, 1, ...)."
            )
        whole = all(is_whole(one) and 0 <= one < size for one in index)
        if index and not (whole and len(set(index)) == len(index) == wanted):
            raise SpecError(
                f"position_index needs {wanted} different numbers from 0 to {size - 1}, one for each component of "
                f"kind 'position'; got {index}."
            )

    @property
    def cameras(self) -> tuple[str, ...]:
        """Return the modalities that are pixels."""
        return tuple(name for name, modality in self.modalities.items() if modality.kind == "pixels")

    def only(self, names: Iterable[str]) -> Spec:
        """Return the Spec with some of the modalities. It loses its position if that is not one of them."""
        modalities = {name: self.modalities[name] for name in names}
        if self.position is None or self.position in modalities:
            return replace(self, modalities=modalities)
        return replace(self, modalities=modalities, position=None, position_index=())

    def samples(self, name: str, steps: int) -> int:
        """Return the length of modality ``name`` over ``steps`` observations.

        Sample ``k`` of a series falls at ``k / rate`` seconds and observation ``t`` at ``t / fps``; the samples
        of a step are those from its observation up to the next one, exclusive.
        """
        rate = self.modalities[name].rate
        return steps if rate is None else int(np.ceil(steps * rate / self.fps - 1e-9))

    def starts(self, name: str, steps: int) -> npt.NDArray[np.int64]:
        """Return ``[steps + 1]`` :meth:`samples` of 0 to ``steps`` observations: where those of each step begin."""
        rate, counts = self.modalities[name].rate, np.arange(steps + 1)
        return counts if rate is None else np.ceil(counts * rate / self.fps - 1e-9).astype(np.int64)
