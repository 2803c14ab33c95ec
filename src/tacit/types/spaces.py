"""Spaces of actions."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal, TypeAlias, TypeVar, cast, get_args

import numpy as np
import numpy.typing as npt

from tacit._arrays import array_namespace, like
from tacit._config import OMIT_DEFAULT
from tacit._limits import is_whole
from tacit.errors import SpecError

__all__ = ["ActionKind", "ActionSpace", "Box", "Discrete", "Mixed"]

N = TypeVar("N")
COMPONENTS = 10_000
"""The largest number of components of an action."""

ActionKind: TypeAlias = Literal["position", "delta", "velocity", "force"]
"""The physical quantity that one action component commands.

``position`` is an absolute target, such as a joint angle: to do nothing is to command the current position. ``delta``
is a change of the target, ``velocity`` a speed and ``force`` a force or torque: doing nothing is zero.
"""


@dataclass(frozen=True)
class Box:
    """A bounded continuous action space of shape ``[A]``.

    Without components there are no actions, as in data of images, videos and signals.

    Args:
        low: The lower bound of each component, finite.
        high: The upper bound of each component, finite and not below ``low``.
        kind: The :data:`ActionKind` of all components, or a tuple with one entry (or None) for each. None: unknown.
        names: The names of the components, with their units, for reports and messages. They count neither for
            equality nor in hashes. Empty: unknown.

    Raises:
        SpecError: if the bounds differ in length, are not finite or are crossed, a kind is unknown, or there are more
            or fewer names than components.
    """

    low: tuple[float, ...]
    high: tuple[float, ...]
    kind: ActionKind | tuple[ActionKind | None, ...] | None = field(default=None, metadata=OMIT_DEFAULT)
    names: tuple[str, ...] = field(default=(), compare=False, metadata=OMIT_DEFAULT)

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
        object.__setattr__(self, "kind", _kinds(self.kind, self.size))
        object.__setattr__(self, "names", tuple(self.names))
        if self.names and len(self.names) != self.size:
            raise SpecError(f"Box needs a name for each of {self.size} components, or none; got {self.names}.")

    @property
    def size(self) -> int:
        """Return ``A``, the number of components."""
        return len(self.low)

    def sample(self, rng: np.random.Generator, shape: tuple[int, ...] = ()) -> npt.NDArray[np.float32]:
        """Draw actions ``[*shape, A]``, uniform in the box."""
        return self.project(rng.uniform(self.low, self.high, (*shape, self.size)).astype(np.float32))

    def project(self, actions: N) -> N:
        """Return the nearest actions ``[..., A]`` in the box, as a NumPy array or torch tensor like the input.

        Bounds are float32, rounded inwards, so that no result lies outside the box by a rounding error.
        """
        xp = array_namespace(actions)
        low, high = (like(bound, actions) for bound in self.bounds)
        return cast("N", xp.minimum(xp.maximum(actions, low), high))

    def contains(self, actions: Any) -> npt.NDArray[np.bool_]:
        """Return which actions ``[..., A]`` are in the box, up to the rounding of float32."""
        values = np.asarray(actions, np.float32)
        low, high = np.array([self.low, self.high], np.float32)
        rounding = np.spacing(np.maximum(np.abs(low), np.abs(high)))
        return np.asarray(((values >= low - rounding) & (values <= high + rounding)).all(axis=-1))

    @cached_property
    def bounds(self) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
        """Return low and high ``[A]`` as float32, rounded inwards where the range is wide enough for that."""
        exact = np.array([self.low, self.high], np.float64).reshape(2, -1)
        with np.errstate(over="ignore"):
            low, high = exact.astype(np.float32)
        inner_low = np.where(low < exact[0], np.nextafter(low, np.float32(np.inf)), low)
        inner_high = np.where(high > exact[1], np.nextafter(high, np.float32(-np.inf)), high)
        narrow = inner_low > inner_high
        return np.where(narrow, low, inner_low), np.where(narrow, low, inner_high)

    @property
    def kinds(self) -> tuple[ActionKind | None, ...]:
        """Return the kind of each component, None where it is unknown."""
        return self.kind if isinstance(self.kind, tuple) else (self.kind,) * self.size

    @property
    def parts(self) -> tuple[tuple[slice, Box | Discrete], ...]:
        """Return the components of each simple space of an action: all of them."""
        return ((slice(0, self.size), self),)

    def from_uniform(self, numbers: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """Convert numbers ``[..., A]``, uniform in ``[0, 1)``, to uniform actions ``[..., A]``."""
        low, high = np.array(self.low), np.array(self.high)
        return self.project((low + (high - low) * numbers).astype(np.float32))


def _kinds(kind: Any, size: int) -> ActionKind | tuple[ActionKind | None, ...] | None:
    """Return kinds in their shortest form, so that equal spaces compare equal.

    Raises:
        SpecError: if there are too few or too many, or one is unknown.
    """
    known = get_args(ActionKind)
    if not (kind is None or isinstance(kind, (str, tuple, list))):
        raise SpecError(f"the kind of a Box is a name or a tuple of names; got {kind!r}.")
    kinds: tuple[Any, ...] = (kind,) * size if kind is None or isinstance(kind, str) else tuple(kind)
    if len(kinds) != size:
        raise SpecError(f"Box needs one kind for each of its {size} components, or one for all; got {kind!r}.")
    for one in (*kinds, kind if isinstance(kind, str) else None):
        if one is not None and one not in known:
            raise SpecError(f"the kind of an action component is one of {', '.join(known)} or None; got {one!r}.")
    return next(iter(kinds), None) if len(set(kinds)) <= 1 else kinds


@dataclass(frozen=True)
class Discrete:
    """A choice among ``n`` actions, represented as a one-hot vector of shape ``[n]`` (so ``A = n``).

    Args:
        n: The number of choices.
        noop: The choice that does nothing. None: unknown, or there is none.

    Raises:
        SpecError: if ``n`` is below two or ``noop`` is not one of the choices.
    """

    n: int
    noop: int | None = field(default=None, metadata=OMIT_DEFAULT)

    def __post_init__(self) -> None:
        if self.n < 2:
            raise SpecError(f"Discrete needs at least two choices; got n={self.n}.")
        if self.n > COMPONENTS:
            raise SpecError(f"an action has at most {COMPONENTS} components; got Discrete with n={self.n}.")
        if self.noop is not None and not (is_whole(self.noop) and 0 <= self.noop < self.n):
            raise SpecError(f"noop is one of the choices 0 to {self.n - 1}, or None; got {self.noop!r}.")

    @property
    def size(self) -> int:
        """Return ``A``, the width of the one-hot vector."""
        return self.n

    def sample(self, rng: np.random.Generator, shape: tuple[int, ...] = ()) -> npt.NDArray[np.float32]:
        """Draw choices ``[*shape, A]``, one-hot."""
        return np.eye(self.n, dtype=np.float32)[rng.integers(self.n, size=shape)]

    def project(self, actions: N) -> N:
        """Return one-hot rows ``[..., A]`` at the largest entry of each, as an array or tensor like the input."""
        xp = array_namespace(actions)
        choice = xp.argmax(actions, axis=-1, keepdims=True)
        chosen = like(np.arange(self.n), actions, choice.dtype) == choice
        return cast("N", xp.astype(chosen, cast("Any", actions).dtype))

    def contains(self, actions: Any) -> npt.NDArray[np.bool_]:
        """Return which rows ``[..., A]`` are one-hot."""
        values = np.asarray(actions)
        return np.asarray(np.isin(values, (0.0, 1.0)).all(axis=-1) & (values.sum(axis=-1) == 1))

    @property
    def bounds(self) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
        """Return low and high ``[A]`` of the one-hot vector."""
        return np.zeros(self.n, np.float32), np.ones(self.n, np.float32)

    @property
    def kinds(self) -> tuple[ActionKind | None, ...]:
        """Return the kind of each component: None, since a choice is no physical quantity."""
        return (None,) * self.n

    @property
    def parts(self) -> tuple[tuple[slice, Box | Discrete], ...]:
        """Return the components of each simple space of an action: all of them."""
        return ((slice(0, self.n), self),)

    def from_uniform(self, numbers: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """Convert numbers ``[..., A]``, uniform in ``[0, 1)``, to uniform choices ``[..., A]``, one-hot."""
        return self.project(numbers)


@dataclass(frozen=True)
class Mixed:
    """Several simple spaces at once, such as a gear and a steering angle.

    An action is one vector ``[A]``: the components of the spaces one after the other.

    Args:
        spaces: The simple spaces.
        names: A name for each of them; empty: they have none.

    Raises:
        SpecError: if there are fewer than two spaces, one of them has no components or is not simple, or names are
            missing or repeated.
    """

    spaces: tuple[Box | Discrete, ...]
    names: tuple[str, ...] = field(default=(), metadata=OMIT_DEFAULT)

    def __post_init__(self) -> None:
        object.__setattr__(self, "spaces", tuple(self.spaces))
        object.__setattr__(self, "names", tuple(self.names))
        if len(self.spaces) < 2 or not all(isinstance(one, Box | Discrete) and one.size for one in self.spaces):
            raise SpecError(f"Mixed needs two or more spaces, each a Box or a Discrete; got {self.spaces!r}.")
        if self.size > COMPONENTS:
            raise SpecError(f"an action has at most {COMPONENTS} components; got Mixed with {self.size}.")
        if self.names and (len(self.names) != len(self.spaces) or len(set(self.names)) != len(self.names)):
            raise SpecError(f"Mixed needs one name for each of its {len(self.spaces)} spaces; got {self.names}.")

    @property
    def size(self) -> int:
        """Return ``A``, the number of components of all spaces."""
        return sum(one.size for one in self.spaces)

    @cached_property
    def parts(self) -> tuple[tuple[slice, Box | Discrete], ...]:
        """Return the components of each simple space of an action."""
        ends = np.cumsum([one.size for one in self.spaces]).tolist()
        return tuple((slice(end - one.size, end), one) for one, end in zip(self.spaces, ends, strict=True))

    def sample(self, rng: np.random.Generator, shape: tuple[int, ...] = ()) -> npt.NDArray[np.float32]:
        """Draw actions ``[*shape, A]``, uniform in each space."""
        return np.concatenate([one.sample(rng, shape) for one in self.spaces], axis=-1)

    def project(self, actions: N) -> N:
        """Return the nearest actions ``[..., A]``, as an array or tensor like the input."""
        xp, values = array_namespace(actions), cast("Any", actions)
        return cast("N", xp.concat([one.project(values[..., where]) for where, one in self.parts], axis=-1))

    def contains(self, actions: Any) -> npt.NDArray[np.bool_]:
        """Return which actions ``[..., A]`` are in all spaces."""
        values = np.asarray(actions)
        return np.asarray(np.all([one.contains(values[..., where]) for where, one in self.parts], axis=0))

    def from_uniform(self, numbers: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """Convert numbers ``[..., A]``, uniform in ``[0, 1)``, to uniform actions ``[..., A]``."""
        return np.concatenate([one.from_uniform(numbers[..., where]) for where, one in self.parts], axis=-1)

    @property
    def bounds(self) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
        """Return low and high ``[A]`` of the vector."""
        low, high = zip(*(one.bounds for one in self.spaces), strict=True)
        return np.concatenate(low), np.concatenate(high)

    @property
    def kinds(self) -> tuple[ActionKind | None, ...]:
        """Return the kind of each component, None where it is unknown or a choice."""
        return tuple(kind for one in self.spaces for kind in one.kinds)


ActionSpace: TypeAlias = Box | Discrete | Mixed
