"""Law of recorded states next to that of the theorem: Gaussian, independent, and moving at one rate."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
import numpy.typing as npt

from tacit.errors import DataError

__all__ = ["StateLaw", "VariableLaw", "advise", "excess_kurtosis", "gaussian_coverage", "state_law"]

Floats = npt.NDArray[np.floating]
BINS = 10
"""Intervals that are equally likely under a Gaussian."""
HEAVY, FLAT, SKEWED = 1.0, -0.6, 0.5
"""Excess kurtosis and skewness from which a law is called far from Gaussian; a uniform law has -1.2, Laplace 3."""
CORRELATED, RATES, STILL, FRESH = 0.3, 0.1, 0.999, 0.3
"""Correlation of two variables, difference of the correlations in time, and correlations in time that are extreme."""


@dataclass(frozen=True)
class VariableLaw:
    """Law of one state variable.

    Attributes:
        name: Its name, with its place in a vector: ``position[0]``.
        skewness: Third standardised moment; 0 for a symmetric law.
        kurtosis: Fourth standardised moment minus 3: 0 for a Gaussian, -1.2 for a uniform law.
        shares: Share of the states in each of ten intervals that are equally likely under a Gaussian of the same mean
            and variance.
        coverage: Overlap of the shares with those of the Gaussian, in [0, 1]; see :func:`gaussian_coverage`.
        rho: Correlation of the variable with itself one model step later, within episodes; NaN without such pairs.
    """

    name: str
    skewness: float
    kurtosis: float
    shares: tuple[float, ...]
    coverage: float
    rho: float


@dataclass(frozen=True)
class StateLaw:
    """Law of all state variables.

    Attributes:
        variables: Variables that vary.
        constant: Names of the variables that do not.
        correlation: Largest absolute correlation of two variables; 0 for fewer than two.
        correlated: The names of these two; empty for fewer than two.
        rows: Number of states.
    """

    variables: tuple[VariableLaw, ...]
    constant: tuple[str, ...]
    correlation: float
    correlated: tuple[str, ...]
    rows: int


def excess_kurtosis(values: Floats) -> float:
    """Return the fourth standardised moment minus 3 of values ``[N]``; 0 for a Gaussian.

    Raises:
        DataError: if the values do not vary or are not finite.
    """
    return float((_standardised(values) ** 4).mean() - 3)


def gaussian_coverage(values: Floats) -> tuple[float, tuple[float, ...]]:
    """Return the overlap of a law with a Gaussian, and its shares in ten intervals.

    The intervals are equally likely under a Gaussian of the mean and variance of the values ``[N]``. The overlap is the
    sum over intervals of the smaller of the share and 0.1: 1 where each has its share, 0.1 where all are in one.

    Raises:
        DataError: if the values do not vary or are not finite.
    """
    edges = [NormalDist().inv_cdf(part / BINS) for part in range(1, BINS)]
    counts = np.bincount(np.searchsorted(edges, _standardised(values)), minlength=BINS)
    shares = counts / len(values)
    return float(np.minimum(shares, 1 / BINS).sum()), tuple(shares.tolist())


def state_law(names: Sequence[str], states: Floats, episode: npt.NDArray[np.int64], frameskip: int = 1) -> StateLaw:
    """Describe the law of recorded states.

    Args:
        names: Name of each of the n variables.
        states: ``[N, n]``, episode by episode, in the order of the steps.
        episode: ``[N]`` number of the episode of each row.
        frameskip: Steps from one state to the next of a pair.

    Raises:
        DataError: if the shapes do not fit, a number is not finite, or no variable varies.
    """
    states, episode = np.asarray(states, np.float64), np.asarray(episode)
    if states.ndim != 2 or states.shape[1] != len(names) or episode.shape != (len(states),):
        raise DataError(
            f"the law of states needs states [N, {len(names)}] for {len(names)} names and an episode number for each "
            f"row; got {list(states.shape)} and {list(episode.shape)}."
        )
    if not np.isfinite(states).all():
        raise DataError("the states hold numbers that are not finite. Check the dataset: tacit data check DATASET.")
    spread = np.ptp(states, axis=0) if len(states) else np.zeros(len(names))
    moving = np.flatnonzero(spread > 1e-9 * (1 + np.abs(states).max(axis=0, initial=0)))
    if not len(moving):
        raise DataError(
            f"no state variable varies: {', '.join(names) or 'there is none'}. Record episodes in which one does."
        )
    pairs = np.flatnonzero(episode[frameskip:] == episode[:-frameskip])
    variables = []
    for column in moving.tolist():
        values = states[:, column]
        coverage, shares = gaussian_coverage(values)
        z = _standardised(values)
        rho = float((z[pairs] * z[pairs + frameskip]).mean()) if len(pairs) else float("nan")
        variables.append(
            VariableLaw(names[column], float((z**3).mean()), excess_kurtosis(values), shares, coverage, rho)
        )
    size, both = _largest_correlation(states[:, moving])
    constant = tuple(name for column, name in enumerate(names) if column not in moving)
    return StateLaw(tuple(variables), constant, size, tuple(variables[one].name for one in both), len(states))


def advise(law: StateLaw) -> tuple[str, ...]:
    """Return advice on the coverage of the data, one sentence for each finding; empty if the law is near enough."""
    found = [f"{name} does not vary: record episodes in which it does." for name in law.constant]
    for one in law.variables:
        found += _advice_on(one)
    if law.correlation > CORRELATED:
        first, second = law.correlated
        found.append(
            f"{first} and {second} are correlated ({law.correlation:.2f}): record episodes in which one varies without "
            "the other, or drop one of the two."
        )
    rates = [one for one in law.variables if FRESH <= one.rho <= STILL]
    if rates:
        slow, fast = max(rates, key=lambda one: one.rho), min(rates, key=lambda one: one.rho)
        if slow.rho - fast.rho > RATES:
            found.append(
                f"{fast.name} changes faster than {slow.name} (correlation from one model step to the next "
                f"{fast.rho:.2f} and {slow.rho:.2f}): latents stretch slow variables. Take a policy that moves both "
                "at one rate."
            )
    return tuple(found)


def _advice_on(one: VariableLaw) -> list[str]:
    """Return the findings on one variable."""
    found = []
    if one.kurtosis > HEAVY:
        found.append(
            f"{one.name} stays near its mean, with rare extremes (excess kurtosis {one.kurtosis:.1f}, Gaussian 0): "
            "record more episodes that start away from the mean."
        )
    if one.kurtosis < FLAT:
        found.append(
            f"{one.name} is spread evenly up to its limits, or has few values (excess kurtosis {one.kurtosis:.1f}, "
            "Gaussian 0): record more episodes around the middle of its range, for example with starts from a Gaussian."
        )
    if abs(one.skewness) > SKEWED:
        rare = "low" if one.skewness < 0 else "high"
        found.append(f"{one.name} is lopsided (skewness {one.skewness:.1f}): record more of its {rare} values.")
    if one.rho > STILL:
        found.append(
            f"{one.name} hardly changes within an episode (correlation {one.rho:.3f} from one model step to the next): "
            "alignment of successive latents cannot tell its values apart. Let it change, or take a larger frameskip."
        )
    if one.rho < FRESH:
        found.append(
            f"{one.name} is nearly independent from one model step to the next (correlation {one.rho:.2f}): take a "
            "smaller frameskip or slower actions."
        )
    return found


def _largest_correlation(states: Floats) -> tuple[float, tuple[int, ...]]:
    """Return the largest absolute correlation of two columns, and their numbers."""
    if states.shape[1] < 2:
        return 0.0, ()
    matrix = np.abs(np.corrcoef(states, rowvar=False))
    np.fill_diagonal(matrix, 0.0)
    first, second = np.unravel_index(int(matrix.argmax()), matrix.shape)
    return float(matrix[first, second]), (int(first), int(second))


def _standardised(values: Floats) -> npt.NDArray[np.float64]:
    """Return values ``[N]`` with mean 0 and variance 1."""
    values = np.asarray(values, np.float64)
    centred = values - values.mean()
    size = float(np.sqrt(np.square(centred).mean()))
    if values.ndim != 1 or not (np.isfinite(size) and size > 0):
        raise DataError(
            f"the law of a variable needs finite values [N] that vary; got shape {list(values.shape)} with a standard "
            f"deviation of {size:.3g}."
        )
    found: npt.NDArray[np.float64] = centred / size
    return found
