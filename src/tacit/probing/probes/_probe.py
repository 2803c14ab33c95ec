"""Base class of probes, and the split of rows for fitting, validation and scoring."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from tacit._scales import varies
from tacit._threads import computing
from tacit.errors import DataError
from tacit.probing.features import Features
from tacit.probing.lazy_rows import Rows, pooled, select
from tacit.probing.probes._results import ProbeResult, class_result, quantity_result
from tacit.types import Array

__all__ = ["ConstantTarget", "Probe", "is_class"]

LARGE = 10.0
SMALL = 4_000_000
"""Numbers in the features up to which a probe is fitted with one thread."""

Prediction: TypeAlias = tuple[Tensor, Mapping[str, float]]
"""Predictions for the held-out rows, class numbers ``[N]`` or quantities ``[N, P]``, and the settings in use."""


class ConstantTarget(DataError):
    """Error for a target that has the same value in every row."""


@dataclass(frozen=True)
class LabelledRows:
    """Rows of features with their targets.

    Attributes:
        x: ``[N, D]`` or ``[N, n, D]``.
        y: Class numbers int64 ``[N]``, -1 for a class that is not fitted on, or quantities float64 ``[N, P]``.
    """

    x: Rows
    y: Tensor

    def select(self, rows: npt.NDArray[np.int64]) -> LabelledRows:
        """Return some of the rows."""
        index = torch.from_numpy(rows)
        return LabelledRows(select(self.x, index), self.y[index])


@dataclass(frozen=True)
class Task:
    """Data and settings of one fit of a probe.

    Attributes:
        fit: Rows to fit on while settings are chosen.
        validation: Rows to choose settings on; empty if there is nothing to choose.
        whole: All rows to fit on, for a last fit with the chosen settings where that is cheap.
        test: Held-out features.
        classes: Number of classes; None for quantities.
        seed: Seed of all random numbers.
        device: Device of the computation.
        progress: Show a progress bar where heads are trained; None: on a terminal and in a notebook.
    """

    fit: LabelledRows
    validation: LabelledRows
    whole: LabelledRows
    test: Rows
    classes: int | None
    seed: int
    device: torch.device
    progress: bool | None = None

    def standard(self, dtype: torch.dtype = torch.float32, flat: bool = False) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Return features of fit, validation, whole and test; tokens are averaged, or joined if ``flat``.

        They are standardised by the mean and deviation of ``whole``. Beyond ten deviations, held-out features are
        clamped to the largest of ``whole``, so that a nearly constant one cannot dominate.
        """
        parts = [pooled(x, dtype, self.device, flat) for x in (self.fit.x, self.validation.x, self.whole.x, self.test)]
        std, mean = torch.std_mean(parts[2], dim=0, correction=0)
        # Leave near-constant features unscaled; dividing by ~0 amplifies noise.
        scale = torch.where(std > 1e-6 * (mean.abs() + std.max()), std, torch.ones_like(std))
        fit, validation, whole, test = ((part - mean) / scale for part in parts)
        limit = whole.abs().amax(dim=0).clamp(min=LARGE)
        return fit, validation, whole, test.clamp(-limit, limit)


class Probe(ABC):
    """Small readout of frozen features. A probe is a frozen dataclass of settings, without weights."""

    @property
    def chooses(self) -> bool:
        """Return True if settings are chosen on validation rows."""
        return True

    def suits(self, target: Array) -> bool:
        """Return True if this probe predicts targets of this shape ``[N, ...]`` and type."""
        numbers = target.size // max(len(target), 1)
        return target.dtype.kind in "iubf" and (numbers == 1 or (target.ndim < 3 and not is_class(target)))

    def __call__(
        self,
        fit: Features,
        test: Features,
        target: str,
        *,
        validation: Features | None = None,
        seed: int = 0,
        device: str | torch.device = "cpu",
        progress: bool | None = None,
    ) -> ProbeResult:
        """Fit the probe, predict ``target`` from held-out features, and score the predictions.

        Whole numbers are classes and give a :class:`ClassResult`, others quantities and a :class:`QuantityResult`.
        Where both features have names of classes, such as subfolders of images, classes are matched by name and
        numbered as in ``fit``.

        Args:
            fit: Features to fit on.
            test: Held-out features of other episodes, used for scoring alone.
            target: The name of a target of both.
            validation: Features to choose the settings and the number of training steps on. None: a fifth of the
                episodes of ``fit``; where it is cheap, the last fit includes them.
            seed: Seed of all random numbers.
            device: Device of the computation.
            progress: Show a progress bar where heads are trained; None: on a terminal and in a notebook.

        Raises:
            ConfigError: if there is no such target.
            DataError: if two of the three features share an episode, the target does not vary, or is no class or
                quantity.
        """
        check_disjoint({"fit": fit, "test": test, **({} if validation is None else {"validation": validation})})
        test = test.renumbered(fit, target)
        validation = None if validation is None else validation.renumbered(fit, target)
        actual = as_target(test.target(target), target)
        task, classes = self._task(fit, test, target, validation, seed, torch.device(device))
        task = replace(task, progress=progress)
        with computing(1 if math.prod(fit.values.shape) <= SMALL else None):
            prediction, settings = self.fit_predict(task)
        common = {
            "probe": type(self).__name__,
            "target": target,
            "settings": dict(settings),
            "rows_fit": len(fit),
            "rows_test": len(test),
            "seed": seed,
        }
        predicted = prediction.cpu().numpy()
        if classes is None:
            return quantity_result(common, actual.astype(np.float64), predicted.astype(np.float64), test.units)
        return class_result(common, classes, actual[:, 0].astype(np.int64), classes[predicted], test.units)

    @abstractmethod
    def fit_predict(self, task: Task) -> Prediction:
        """Fit on ``task.fit``, choose settings on ``task.validation`` and predict ``task.test``."""

    def _task(
        self, fit: Features, test: Features, target: str, validation: Features | None, seed: int, device: torch.device
    ) -> tuple[Task, npt.NDArray[np.int64] | None]:
        truth = as_target(fit.target(target), target)
        classes = np.unique(truth).astype(np.int64) if is_class(truth) else None
        whole = LabelledRows(fit.values, class_indices(truth, classes))
        if (classes is not None and len(classes) < 2) or (classes is None and not _vary(truth)):
            raise ConstantTarget(f"the target {target!r} does not vary over the fitted rows; nothing can be learned.")
        if classes is None and not _vary(as_target(test.target(target), target)):
            raise ConstantTarget(f"the target {target!r} does not vary over the held-out rows; nothing can be scored.")
        inner, chosen_on = whole, whole.select(np.empty(0, np.int64))
        if validation is not None:
            truth = as_target(validation.target(target), target)
            chosen_on = LabelledRows(validation.values, class_indices(truth, classes))
        elif self.chooses:
            held = validation_split(fit.units, seed)
            inner, chosen_on = whole.select(np.flatnonzero(~held)), whole.select(np.flatnonzero(held))
        count = None if classes is None else len(classes)
        return Task(inner, chosen_on, whole, test.values, count, seed, device), classes


def selection_loss(outputs: Tensor, y: Tensor) -> Tensor:
    """Score the error of each of ``S`` readouts, ``[S]``; lower is better. NaN becomes infinite.

    Args:
        outputs: Logits ``[S, N, C]`` or quantities ``[S, N, P]``.
        y: Class numbers ``[N]``, scored by the number of wrong rows, with ties broken by the cross entropy; or
            quantities ``[N, P]``, scored by the squared error.
    """
    if y.is_floating_point():
        errors = (outputs - y).square().mean(dim=(1, 2))
    else:
        # A class without fitted rows is always wrong and has no cross entropy.
        known = y >= 0
        logs = outputs[:, known].log_softmax(dim=-1)
        loss = -logs.gather(2, y[known].expand(len(outputs), -1)[..., None]).mean(dim=(1, 2)) if known.any() else 0.0
        wrong = (outputs.argmax(dim=-1) != y).sum(dim=1)
        errors = wrong + loss / (1 + loss)
    return errors.nan_to_num(torch.inf, torch.inf)


def is_class(target: Array) -> bool:
    """Return True if a target is a class: whole numbers or truth values."""
    return target.dtype.kind in "iub"


def validation_split(unit: npt.NDArray[np.int64], seed: int) -> npt.NDArray[np.bool_]:
    """Return a mask ``[N]`` of validation rows: a fifth of the episodes, by whole groups.

    Raises:
        DataError: if there is only one group.
    """
    groups = np.unique(unit)
    if len(groups) < 2:
        raise DataError(
            f"a probe needs two episodes to fit on, one of them for validation, that are not pieces of one recording; "
            f"got {len(groups)}. Give more recordings, or separate features for validation: validation=..."
        )
    return np.isin(unit, np.random.default_rng(seed).permutation(groups)[: max(1, len(groups) // 5)])


def check_disjoint(parts: Mapping[str, Features]) -> None:
    """Refuse features that share an episode."""
    names = list(parts)
    for index, second in enumerate(names):
        for first in names[:index]:
            shared = parts[second].shared(parts[first])
            if shared:
                raise DataError(
                    f"{len(shared)} of {len(np.unique(parts[second].episode))} episodes of {second!r} are also in "
                    f"{first!r}, or pieces of a recording that is also in it (the first is number {shared[0]}), so "
                    "the score would not be a held-out one. Split with episodes.split(0.9, seed=0), or leave them "
                    f"out: {second}.without({first})."
                )


def as_target(target: Array, name: str) -> npt.NDArray[Any]:
    """Return a target as ``[N, P]``, with one column if it is a class."""
    flat = target.reshape(len(target), -1)
    if target.dtype.kind not in "iubf":
        raise DataError(f"the target {name!r} has dtype {target.dtype}; a class is a whole number, a quantity a float.")
    if is_class(target) and flat.shape[1] != 1:
        raise DataError(
            f"the target {name!r} has {flat.shape[1]} whole numbers a row, and a class is one. For a map of classes, "
            "use the probe 'dense'; store quantities as floating-point numbers."
        )
    return flat


def _vary(target: npt.NDArray[Any]) -> bool:
    """Return whether a quantity ``[N, P]`` varies in some component by more than rounding."""
    return bool(varies(target.std(axis=0), np.abs(target).max(axis=0)).any())


def class_indices(truth: npt.NDArray[Any], classes: npt.NDArray[np.int64] | None) -> Tensor:
    """Convert targets to ``[N, P]`` or class numbers as in :class:`LabelledRows`."""
    if classes is None:
        return torch.from_numpy(truth.astype(np.float64))
    number = np.searchsorted(classes, truth[:, 0]).clip(max=len(classes) - 1)
    return torch.from_numpy(np.where(classes[number] == truth[:, 0], number, -1))
