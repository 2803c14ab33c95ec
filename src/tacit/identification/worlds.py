"""Synthetic worlds with known states: a law of independent variables, pairs in time, and a mixing.

States ``z`` have unit variance. All draws about one state ``z`` have the form ``rho z + sqrt(1 - rho^2) eta``: with
Gaussian draws, the states of an Ornstein-Uhlenbeck process (arXiv 2605.26379).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from tacit._config import from_json, named_value
from tacit.errors import ConfigError
from tacit.identification.mixings import Mixing, make_mixing

__all__ = ["SyntheticWorld", "draw_generalised_normal", "make_world"]

Floats = npt.NDArray[np.floating]


@dataclass(frozen=True)
class SyntheticWorld:
    """World of independent state variables with unit variance, seen through a mixing.

    Attributes:
        mixing: Name of the mixing; one of :data:`tacit.identification.MIXINGS`.
        size: Numbers ``n`` in a state and in an observation.
        alpha: Exponent of the generalised normal law of states and noise: 1 Laplace, 2 Gaussian, large uniform.
        rho: Correlation of a state with the next, in (0, 1); two views of one state have ``rho^2``.
        layers: Layers of a coupling; None: 8 in two dimensions, 4 in more.
        seed: Seed of the matrices of a coupling.

    Raises:
        ConfigError: if an option is out of range, or the mixing has another size.
    """

    mixing: str = "spiral"
    size: int = 2
    alpha: float = 2.0
    rho: float = 0.95
    layers: int | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        if not (self.alpha > 0 and math.isfinite(self.alpha)):
            raise ConfigError(f"alpha of a synthetic world is a number above 0; got {self.alpha}. 2 is the Gaussian.")
        if not 0 < self.rho < 1:
            raise ConfigError(f"rho of a synthetic world is between 0 and 1; got {self.rho}. The paper takes 0.95.")
        _ = self.map

    @cached_property
    def map(self) -> Mixing:
        """Return its mixing."""
        return make_mixing(self.mixing, self.size, self.layers, self.seed)

    def states(self, count: int, rng: np.random.Generator) -> Floats:
        """Draw states ``[count, n]`` in float32."""
        return draw_generalised_normal((count, self.size), self.alpha, rng)

    def views(self, count: int, views: int, rng: np.random.Generator) -> Floats:
        """Draw views ``[count, views, n]`` in float32, each of one state ``[count, n]`` with noise of its own."""
        state = draw_generalised_normal((count, 1, self.size), self.alpha, rng)
        noise = draw_generalised_normal((count, views, self.size), self.alpha, rng)
        return _moved(state, noise, self.rho)

    def pairs(self, count: int, rng: np.random.Generator) -> tuple[Floats, Floats]:
        """Draw states and next states, ``[count, n]`` each in float64, for scores.

        In a Gaussian world, state and noise have the mean 0 and the covariance ``I`` exactly, in these rows. The loss
        of a linear encoder then has no sampling error, so that a bound on it can be compared with an error.

        Raises:
            ConfigError: if there are not more rows than numbers in state and noise, ``2 n``.
        """
        if count <= 2 * self.size:
            raise ConfigError(f"pairs of a world of size {self.size} need more than {2 * self.size} rows; got {count}.")
        drawn = draw_generalised_normal((count, 2 * self.size), self.alpha, rng).astype(np.float64)
        if self.alpha == 2.0:
            drawn -= drawn.mean(axis=0)
            factor = np.linalg.cholesky(drawn.T @ drawn / count)
            drawn = np.linalg.solve(factor, drawn.T).T
        state, noise = np.split(drawn, 2, axis=1)
        return state, _moved(state, noise, self.rho)


def make_world(word: str) -> SyntheticWorld:
    """Make the synthetic world that one word describes, as on the command line.

    Args:
        word: A mixing, and options after a colon: ``spiral``, ``spiral:alpha=1``, ``coupling:size=8,rho=0.9``.

    Raises:
        ConfigError: if there is no such mixing or option, or an option is out of range.
    """
    name, _, options = word.partition(":")
    given = dict(named_value(option) for option in options.split(",") if option)
    return from_json(SyntheticWorld, {**given, "mixing": name}, f"synthetic world {name!r}")


def draw_generalised_normal(shape: tuple[int, ...], alpha: float, rng: np.random.Generator) -> Floats:
    """Draw from the density ``exp(-|x / s|^alpha)`` with mean 0 and variance 1, in float32.

    Args:
        shape: The shape of the result.
        alpha: The exponent, above 0.
        rng: The generator.
    """
    if alpha == 2.0:
        return rng.standard_normal(shape, np.float32)
    scale = math.exp((math.lgamma(1 / alpha) - math.lgamma(3 / alpha)) / 2)
    size = scale * rng.standard_gamma(1 / alpha, shape) ** (1 / alpha)
    found: Floats = (size * rng.choice([-1.0, 1.0], shape)).astype(np.float32)
    return found


def _moved(state: Floats, noise: Floats, rho: float) -> Floats:
    """Return ``rho state + sqrt(1 - rho^2) noise``."""
    found: Floats = rho * state + math.sqrt(1 - rho**2) * noise
    return found
