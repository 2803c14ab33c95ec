"""Mixings: invertible maps from the states of a synthetic world to its observations (arXiv 2605.26379)."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from tacit._registry import suggest
from tacit.errors import ConfigError

__all__ = ["MIXINGS", "make_mixing"]

Floats = npt.NDArray[np.floating]
MIXINGS = ("spiral", "banana", "sinusoid", "coupling")
"""Names of the mixings; all but ``coupling`` have two dimensions."""
GAIN = 2.0
"""Factor of the orthogonal matrices of a coupling."""


class Mixing(Protocol):
    """Interface of an invertible map between states and observations of the same size."""

    def mix(self, states: Floats, /) -> Floats:
        """Map states ``[N, n]`` to observations ``[N, n]``."""

    def unmix(self, observations: Floats, /) -> Floats:
        """Map observations ``[N, n]`` to states ``[N, n]``; the inverse of ``mix``."""


@dataclass(frozen=True)
class Spiral:
    """Rotation of each state ``z [2]`` by ``pi |z|``."""

    def mix(self, states: Floats, /) -> Floats:
        """Map states ``[N, 2]`` to observations ``[N, 2]``."""
        return _rotated(states, math.pi)

    def unmix(self, observations: Floats, /) -> Floats:
        """Map observations ``[N, 2]`` to states ``[N, 2]``."""
        return _rotated(observations, -math.pi)


@dataclass(frozen=True)
class Banana:
    """Parabola ``(z0, z1 + z0^2)``."""

    def mix(self, states: Floats, /) -> Floats:
        """Map states ``[N, 2]`` to observations ``[N, 2]``."""
        return np.stack([states[:, 0], states[:, 1] + states[:, 0] ** 2], axis=1)

    def unmix(self, observations: Floats, /) -> Floats:
        """Map observations ``[N, 2]`` to states ``[N, 2]``."""
        return np.stack([observations[:, 0], observations[:, 1] - observations[:, 0] ** 2], axis=1)


@dataclass(frozen=True)
class Sinusoid:
    """Sine shear ``(z0 + sin(1.5 z1), z1)``."""

    def mix(self, states: Floats, /) -> Floats:
        """Map states ``[N, 2]`` to observations ``[N, 2]``."""
        return np.stack([states[:, 0] + np.sin(1.5 * states[:, 1]), states[:, 1]], axis=1)

    def unmix(self, observations: Floats, /) -> Floats:
        """Map observations ``[N, 2]`` to states ``[N, 2]``."""
        return np.stack([observations[:, 0] - np.sin(1.5 * observations[:, 1]), observations[:, 1]], axis=1)


@dataclass(frozen=True, eq=False)
class Coupling:
    """Layers that add ``tanh(a W)`` of one half of a vector to the other half, in turn.

    Attributes:
        weights: ``[L, n / 2, n / 2]``, twice an orthogonal matrix for each layer.
    """

    weights: Floats

    @classmethod
    def drawn(cls, size: int, layers: int, seed: int) -> Coupling:
        """Draw the matrices of ``layers`` layers for states of ``size`` numbers.

        Raises:
            ConfigError: if the size is odd or below 2, or there is no layer.
        """
        if size < 2 or size % 2 or layers < 1:
            raise ConfigError(
                f"a coupling needs an even size of at least 2 and at least 1 layer; got size {size}, {layers} layers."
            )
        rng, half = np.random.default_rng(seed), size // 2
        drawn = (np.linalg.qr(rng.standard_normal((half, half))) for _ in range(layers))
        return cls(np.stack([GAIN * q * np.sign(np.diagonal(r)) for q, r in drawn]))

    def mix(self, states: Floats, /) -> Floats:
        """Map states ``[N, n]`` to observations ``[N, n]``."""
        halves = np.split(states, 2, axis=1)
        for layer, weight in enumerate(self.weights.astype(states.dtype)):
            halves[1 - layer % 2] = halves[1 - layer % 2] + np.tanh(halves[layer % 2] @ weight)
        return np.concatenate(halves, axis=1)

    def unmix(self, observations: Floats, /) -> Floats:
        """Map observations ``[N, n]`` to states ``[N, n]``."""
        halves = np.split(observations, 2, axis=1)
        for layer, weight in reversed(list(enumerate(self.weights.astype(observations.dtype)))):
            halves[1 - layer % 2] = halves[1 - layer % 2] - np.tanh(halves[layer % 2] @ weight)
        return np.concatenate(halves, axis=1)


def make_mixing(name: str, size: int = 2, layers: int | None = None, seed: int = 0) -> Mixing:
    """Return a mixing by name.

    Args:
        name: One of :data:`MIXINGS`.
        size: Numbers in a state.
        layers: Layers of a coupling; None: 8 in two dimensions, 4 in more.
        seed: Seed of the matrices of a coupling.

    Raises:
        ConfigError: if there is no such mixing, or it has another size.
    """
    if name not in MIXINGS:
        raise ConfigError(f"there is no mixing {name!r}.{suggest(name, MIXINGS)} There are: {', '.join(MIXINGS)}.")
    if name == "coupling":
        return Coupling.drawn(size, layers or (8 if size == 2 else 4), seed)
    if size != 2:
        raise ConfigError(f"the mixing {name!r} has size 2; got {size}. Take coupling for another size.")
    kinds: dict[str, Callable[[], Mixing]] = {"spiral": Spiral, "banana": Banana, "sinusoid": Sinusoid}
    return kinds[name]()


def _rotated(points: Floats, turn: float) -> Floats:
    """Rotate points ``[N, 2]`` by ``turn`` times their distance from the origin, in radians."""
    angle = turn * np.linalg.norm(points, axis=1)
    cosine, sine = np.cos(angle), np.sin(angle)
    x, y = points.T
    return np.stack([cosine * x - sine * y, sine * x + cosine * y], axis=1)
