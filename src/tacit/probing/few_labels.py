"""Accuracy of probes that are fitted on a few labels of each class."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from tacit._progress import track
from tacit.errors import ConfigError, DataError
from tacit.probing.features import Features
from tacit.probing.probes._probe import Probe, as_target, is_class
from tacit.statistics.intervals import Estimate, bootstrap

__all__ = ["FewLabels", "draw_labels", "fit_few_labels"]


@dataclass(frozen=True)
class FewLabels:
    """Accuracy of a probe that is fitted on a few labels of each class.

    Attributes:
        shots: Number of labels of each class that the probe was fitted on.
        accuracy: Mean over the draws of those labels, with its bootstrap interval over the draws.
        draws: The accuracy of each draw.
        validation_shots: Number of further labels of each class that settings were chosen on; 0 for a single setting.
        rows_test: Number of held-out rows, the same for every draw.
    """

    shots: int
    accuracy: Estimate
    draws: tuple[float, ...]
    validation_shots: int
    rows_test: int

    def __str__(self) -> str:
        return f"{self.shots} labels of each class: {self.accuracy} over {len(self.draws)} draws"


def fit_few_labels(
    probe: Probe,
    features: tuple[Features, Features],
    target: str,
    *,
    shots: Sequence[int],
    draws: int,
    seed: int,
    device: str | torch.device,
    progress: bool | None,
) -> tuple[FewLabels, ...]:
    """Fit a probe on a few labels of each class, drawn several times.

    A draw takes one row of each episode at most, since rows of one episode are nearly copies. A probe that chooses
    settings gets as many further labels for validation, of other episodes.

    Args:
        probe: The probe.
        features: Features to draw labels from, and held-out features.
        target: The name of a class.
        shots: Numbers of labels of each class, one result for each.
        draws: Number of draws.
        seed: Seed of the draws and the probe.
        device: Device of the computation.
        progress: Show a progress bar; None: on a terminal and in a notebook.

    Raises:
        ConfigError: if shots or draws is below one.
        DataError: if the target is not a class, or too few episodes have a label of some class.
    """
    fit, test = features
    truth = as_target(fit.target(target), target)
    if not is_class(truth):
        raise DataError(f"a few labels of each class need a class; {target!r} is a quantity. Leave out shots.")
    if min(shots) < 1 or draws < 1:
        raise ConfigError(f"shots and draws are at least 1; got {tuple(shots)} and {draws}.")
    most = max(shots)
    draw_labels(truth[:, 0], fit.units, most, most if probe.chooses else 0, seed)  # raises before anything is fitted
    results = []
    for count in shots:
        scores = []
        extra = count if probe.chooses else 0
        for number in track(range(draws), draws, f"draws of {count} labels of each class", show=progress):
            rows, others = draw_labels(truth[:, 0], fit.units, count, extra, seed=[seed, count, number])
            validation = fit.select(others) if extra else None
            few = fit.select(rows)
            found = probe(few, test, target, validation=validation, seed=seed, device=device, progress=False)
            scores.append(found.score)
        results.append(FewLabels(count, bootstrap(scores, seed), tuple(scores), extra, len(test)))
    return tuple(results)


def draw_labels(
    classes: npt.NDArray[Any], episode: npt.NDArray[np.int64], shots: int, extra: int, seed: int | Sequence[int]
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Draw rows with ``shots`` labels of each class, and others with ``extra`` of each, of different episodes.

    Raises:
        DataError: if a class has too few episodes.
    """
    rng = np.random.default_rng(seed)
    order = rng.permutation(len(classes))
    _, first = np.unique(episode[order], return_index=True)
    once = order[np.sort(first)]
    rows, others = [], []
    for one in np.unique(classes):
        there = once[classes[once] == one]
        if len(there) < shots + extra:
            raise DataError(
                f"{shots} labels to fit on and {extra} for validation need {shots + extra} episodes of each class, "
                f"pieces of one recording counted once; class {one} has {len(there)}. Ask for fewer shots, or give "
                "the probe a single setting."
            )
        rows.append(there[:shots])
        others.append(there[shots : shots + extra])
    return np.sort(np.concatenate(rows)), np.sort(np.concatenate(others))
