"""Metrics of linear identifiability: linear R2, orthogonality, and the bound of arXiv 2605.26379.

Rows are samples; states are ``z [N, n]`` and latents ``h [N, D]``. Everything is computed in float64.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tacit.errors import ConfigError, DataError

__all__ = [
    "Bound",
    "WorldScores",
    "bound",
    "fit_linear",
    "linear_r2",
    "orthogonality",
    "score_world",
]

Floats = npt.NDArray[np.floating]
Doubles = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class LinearMap:
    """Linear map with a bias, fitted by least squares.

    Attributes:
        matrix: ``[inputs, outputs]``; an input multiplies it from the left.
        bias: ``[outputs]``.
    """

    matrix: Doubles
    bias: Doubles

    def __call__(self, inputs: Floats) -> Doubles:
        """Map ``[N, inputs]`` to ``[N, outputs]``."""
        found: Doubles = np.asarray(inputs, np.float64) @ self.matrix + self.bias
        return found

    def r2(self, inputs: Floats, targets: Floats) -> float:
        """Return 1 minus residual over total sum of squares, both summed over rows and columns.

        Raises:
            DataError: if the targets do not vary.
        """
        targets = _rows("targets", targets)
        total = np.square(targets - targets.mean(axis=0)).sum()
        if not total > 0:
            raise DataError("R2 needs targets that vary; all rows are equal. Leave the constant columns out.")
        return float(1 - np.square(targets - self(inputs)).sum() / total)


@dataclass(frozen=True)
class Bound:
    """Bound on the distance of latents from a rotation of the states, ``E |h - Qz|^2 <= D + (epsilon + D)^2``.

    Latents and states are centred. The bound holds for Gaussian states and exact expectations.

    Attributes:
        loss: ``L = E |h(z') - h(z)|^2`` over states and next states.
        delta: ``max(L - 2 (1 - rho) tr Cov(h), 0)``: what a linear encoder would not lose.
        epsilon: ``|Cov(h) - I|``, Frobenius norm.
        nonlinear: ``D = delta / (2 rho (1 - rho))``.
        limit: ``D + (epsilon + D)^2``.
        error: ``E |h - Qz|^2`` for the best orthogonal ``Q``.
    """

    loss: float
    delta: float
    epsilon: float
    nonlinear: float
    limit: float
    error: float

    @property
    def holds(self) -> bool:
        """Return whether the error is within the limit, up to 1e-9 for rounding."""
        return self.error <= self.limit + 1e-9


@dataclass(frozen=True)
class WorldScores:
    """Scores of an encoder in a synthetic world.

    Attributes:
        r2_states: Linear R2 of the states from the latents.
        r2_latents: Linear R2 of the latents from the states.
        orthogonality: See :func:`orthogonality`; 0 for a rotation.
        bound: The bound and the error.
    """

    r2_states: float
    r2_latents: float
    orthogonality: float
    bound: Bound


def fit_linear(inputs: Floats, targets: Floats) -> LinearMap:
    """Fit targets ``[N, outputs]`` by a linear map of inputs ``[N, inputs]`` with a bias, by least squares.

    Raises:
        DataError: if the arrays are not ``[N, ...]`` with the same N, or hold numbers that are not finite.
    """
    x, y = _rows("inputs", inputs), _rows("targets", targets)
    if len(x) != len(y):
        raise DataError(f"a linear map needs one target for each input; got {len(y)} for {len(x)}.")
    middle_x, middle_y = x.mean(axis=0), y.mean(axis=0)
    matrix = np.linalg.lstsq(x - middle_x, y - middle_y, rcond=None)[0]
    return LinearMap(matrix, middle_y - middle_x @ matrix)


def linear_r2(inputs: Floats, targets: Floats) -> float:
    """Return the R2 of targets ``[N, outputs]`` by a linear map of ``[N, inputs]``, on the rows of the fit.

    Raises:
        DataError: as :func:`fit_linear`, or if the targets do not vary.
    """
    return fit_linear(inputs, targets).r2(inputs, targets)


def orthogonality(states: Floats, latents: Floats, *, scaled: bool = False) -> float:
    """Return ``|A^T A - I| / sqrt(n)``, Frobenius norm, of the linear map ``A`` from states to latents.

    It is 0 for a rotation: distances between latents are then distances between states.

    Args:
        states: ``[N, n]``, of unit variance.
        latents: ``[N, D]``.
        scaled: First divide ``A^T A`` by its mean diagonal, so that a rotation times any factor has 0.

    Raises:
        DataError: as :func:`fit_linear`, or with ``scaled`` if the latents do not depend on the states.
    """
    matrix = fit_linear(states, latents).matrix
    square = matrix @ matrix.T
    if scaled:
        scale = np.trace(square) / len(square)
        if not scale > 0:
            raise DataError("the latents do not depend linearly on the states, so their scale is unknown.")
        square = square / scale
    return float(np.linalg.norm(square - np.eye(len(square))) / math.sqrt(len(square)))


def procrustes_error(states: Floats, latents: Floats) -> float:
    """Return ``min_Q E |h - Qz|^2`` over orthogonal ``Q``, for centred states and latents ``[N, n]``.

    Raises:
        DataError: if the shapes differ.
    """
    z, h = _centred(_rows("states", states)), _centred(_rows("latents", latents))
    if z.shape != h.shape:
        raise DataError(f"the orthogonal map needs latents of the shape of the states, {z.shape}; got {h.shape}.")
    left, _, right = np.linalg.svd(z.T @ h)
    return float(np.square(h - z @ (left @ right)).sum(axis=1).mean())


def bound(states: Floats, latents: Floats, next_latents: Floats, rho: float) -> Bound:
    """Compute the bound of arXiv 2605.26379 and the error that it limits.

    Args:
        states: ``[N, n]``.
        latents: Of the states, ``[N, n]``.
        next_latents: Of the next states, ``[N, n]``.
        rho: Correlation of state and next state, in (0, 1).

    Raises:
        ConfigError: if rho is out of range.
        DataError: if the shapes differ.
    """
    if not 0 < rho < 1:
        raise ConfigError(f"the bound needs rho between 0 and 1; got {rho}.")
    h, after = _rows("latents", latents), _rows("next_latents", next_latents)
    if h.shape != after.shape:
        raise DataError(f"the bound needs next latents of the shape {h.shape} of the latents; got {after.shape}.")
    error = procrustes_error(states, h)
    loss = float(np.square(after - h).sum(axis=1).mean())
    # Both ends of a pair have the same law; the mean of their covariances is that of an even number of samples.
    both = (_centred(h), _centred(after))
    covariance = np.mean([one.T @ one / len(one) for one in both], axis=0)
    delta = max(loss - 2 * (1 - rho) * float(np.trace(covariance)), 0.0)
    epsilon = float(np.linalg.norm(covariance - np.eye(len(covariance))))
    nonlinear = delta / (2 * rho * (1 - rho))
    return Bound(loss, delta, epsilon, nonlinear, nonlinear + (epsilon + nonlinear) ** 2, error)


def score_world(states: Floats, latents: Floats, next_latents: Floats, rho: float) -> WorldScores:
    """Compute all scores of an encoder in a synthetic world; the arguments are those of :func:`bound`.

    Raises:
        ConfigError: if rho is out of range.
        DataError: if the shapes differ, or the latents do not vary.
    """
    limits = bound(states, latents, next_latents, rho)
    return WorldScores(linear_r2(latents, states), linear_r2(states, latents), orthogonality(states, latents), limits)


def _rows(name: str, values: Floats) -> Doubles:
    """Return finite values ``[N, columns]`` in float64."""
    found = np.asarray(values, np.float64)
    if found.ndim != 2 or not found.size:
        raise DataError(f"{name} need the shape [rows, columns] with at least one of each; got {list(found.shape)}.")
    if not np.isfinite(found).all():
        raise DataError(f"{name} hold numbers that are not finite. Check the encoder and its inputs.")
    return found


def _centred(values: Doubles) -> Doubles:
    found: Doubles = values - values.mean(axis=0)
    return found
