"""Results of probes on held-out rows, with scores and intervals."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from tacit._scales import varies
from tacit.statistics.intervals import Estimate, Rate, wilson
from tacit.types import Array

__all__ = ["ClassResult", "FewEpisodesWarning", "ProbeResult", "QuantityResult", "SegmentationResult"]

Floats = npt.NDArray[np.float64]
RESAMPLES = 2000
FEW = 8
"""Episodes below which a bootstrap interval is much too narrow."""


@dataclass(frozen=True, eq=False)
class ProbeResult:
    """ProbeResult of the features of held-out episodes by a probe.

    Attributes:
        probe: The name of the probe.
        target: The name of the target.
        estimate: The score (share of correct classes, or R2) with a bootstrap interval over episodes, since rows of one
            episode are not independent.
        settings: Settings in use, chosen on validation rows.
        rows_fit: Number of rows that the probe was fitted on.
        rows_test: Number of held-out rows that it was scored on.
        seed: Seed of all random numbers.
        actual: The true targets of the held-out rows.
        predicted: The predictions.
    """

    probe: str
    target: str
    estimate: Estimate
    settings: Mapping[str, float]
    rows_fit: int
    rows_test: int
    seed: int
    actual: Array = field(repr=False)
    predicted: Array = field(repr=False)

    @property
    def score(self) -> float:
        """Return the score; 1 is perfect."""
        return self.estimate.mean


@dataclass(frozen=True, eq=False)
class ClassResult(ProbeResult):
    """ProbeResult of a class from each row, ``actual`` and ``predicted [N]``.

    Attributes:
        accuracy: Share of correct rows, with the Wilson interval of independent rows.
        classes: Classes of the fitted rows.
        recall: For each class, the share of its rows that were predicted as such; NaN without held-out rows.
    """

    accuracy: Rate
    classes: tuple[int, ...]
    recall: tuple[float, ...]

    def __str__(self) -> str:
        if self.estimate.n == self.rows_test:
            return str(self.accuracy)
        return f"{_percent(self.estimate)} of {self.rows_test} rows, {self.estimate.n} episodes"


@dataclass(frozen=True, eq=False)
class SegmentationResult(ClassResult):
    """ProbeResult of a class from each token.

    Attributes:
        iou: Intersection over union of each class; NaN where it is neither present nor predicted.
        mean_iou: Their mean over the classes that are present or predicted.
    """

    iou: tuple[float, ...]
    mean_iou: float

    def __str__(self) -> str:
        return f"{super().__str__()}, mean IoU {self.mean_iou:.3f}"


@dataclass(frozen=True, eq=False)
class QuantityResult(ProbeResult):
    """ProbeResult of numbers from each row, ``actual`` and ``predicted [N, P]``.

    Attributes:
        r2: Share of the explained variance: the mean over the components that vary, for any units.
        r2_components: The same for each component; NaN where a component does not vary.
        pearson: Mean correlation of prediction and truth over the components that vary.
        pearson_components: The correlation of each component.
        mse: Mean squared error over rows and components, in the square of the target's unit.
    """

    r2: float
    r2_components: tuple[float, ...]
    pearson: float
    pearson_components: tuple[float, ...]
    mse: float

    def __str__(self) -> str:
        return f"R2 {self.estimate} of {self.estimate.n} episodes, r {self.pearson:.3f}"


class FewEpisodesWarning(UserWarning):
    """An interval rests on too few episodes to be trusted."""


def class_result(
    common: Mapping[str, Any],
    classes: npt.NDArray[np.int64],
    actual: npt.NDArray[np.int64],
    predicted: npt.NDArray[np.int64],
    episode: npt.NDArray[np.int64],
) -> ClassResult:
    """Score classes ``[N]``; ``common`` has the fields that do not depend on the score."""
    right = actual == predicted
    return ClassResult(
        **common,
        estimate=by_episode((~right).astype(np.float64), np.ones(len(right)), episode, common["seed"]),
        actual=actual,
        predicted=predicted,
        accuracy=wilson(int(right.sum()), len(right)),
        classes=tuple(classes.tolist()),
        recall=tuple(_share(right[actual == one]) for one in classes),
    )


def segmentation_result(result: ClassResult) -> SegmentationResult:
    """Add intersection over union to the result of classes."""
    iou = []
    for one in result.classes:
        present, predicted = result.actual == one, result.predicted == one
        iou.append(_share((present & predicted)[present | predicted]))
    mean = float(np.nanmean(iou)) if np.isfinite(iou).any() else float("nan")
    return SegmentationResult(**vars(result), iou=tuple(iou), mean_iou=mean)


def quantity_result(
    common: Mapping[str, Any], actual: Floats, predicted: Floats, episode: npt.NDArray[np.int64]
) -> QuantityResult:
    """Score numbers ``[N, P]``; ``common`` has the fields that do not depend on the score."""
    squares = (actual - predicted) ** 2
    std = actual.std(axis=0)
    moves = varies(std, np.abs(actual).max(axis=0))
    scale = np.where(moves, std, np.inf)  # a component that does not vary counts nothing
    missed = squares / scale**2
    spread = ((actual - actual.mean(axis=0)) / scale) ** 2
    r2, pearson = _components(actual, predicted)
    estimate = by_episode(missed.sum(axis=1), spread.sum(axis=1), episode, common["seed"])
    return QuantityResult(
        **common,
        estimate=estimate,
        actual=actual,
        predicted=predicted,
        r2=estimate.mean,
        r2_components=r2,
        pearson=float(np.nanmean(pearson)),
        pearson_components=pearson,
        mse=float(squares.mean()),
    )


def by_episode(missed: Floats, total: Floats, episode: npt.NDArray[np.int64], seed: int) -> Estimate:
    """Compute ``1 - sum(missed) / sum(total)`` over rows. The interval is that of a bootstrap over their episodes."""
    _, unit = np.unique(episode, return_inverse=True)
    count = int(unit.max()) + 1
    if 1 < count < FEW:
        warnings.warn(
            f"an interval over {count} episodes is too narrow: hold out at least {FEW}.",
            FewEpisodesWarning,
            stacklevel=4,
        )
    missed_of, total_of = (np.bincount(unit, weights=part, minlength=count) for part in (missed, total))
    rng, shares = np.random.default_rng(seed), []
    for _ in range(RESAMPLES // 50):  # in parts, for the table of draws is large
        drawn = rng.integers(0, count, (50, count))
        sums = total_of[drawn].sum(axis=1)
        shares.append(1 - missed_of[drawn].sum(axis=1) / np.where(sums > 0, sums, np.nan))
    score = float(1 - missed.sum() / total.sum())
    low, high = np.nanquantile(np.concatenate(shares), [0.025, 0.975])
    return Estimate(score, min(float(low), score), max(float(high), score), count)


def _components(actual: Floats, predicted: Floats) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Return R2 and Pearson r of each component; NaN where the truth does not vary."""
    r2, pearson = [], []
    for truth, guess in zip(actual.T, predicted.T, strict=True):
        a, b = truth - truth.mean(), guess - guess.mean()
        moves = bool(varies(truth.std(keepdims=True), np.abs(truth).max(keepdims=True)).all())
        r2.append(float(1 - ((truth - guess) ** 2).sum() / (a @ a)) if moves else float("nan"))
        scale = np.sqrt((a @ a) * (b @ b))
        pearson.append(float("nan") if not moves else float(a @ b / scale) if scale > 0 else 0.0)
    return tuple(r2), tuple(pearson)


def _share(hits: npt.NDArray[np.bool_]) -> float:
    return float(hits.mean()) if len(hits) else float("nan")


def _percent(estimate: Estimate) -> str:
    interval = f"{100 * estimate.low:.1f}, {100 * estimate.high:.1f}" if estimate.n > 1 else "no interval"
    return f"{100 * estimate.mean:.1f} % [{interval}]"
