"""Base class of probes, with the choice of rows to fit, choose and score on."""

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
from tacit.probing._lazy_rows import Rows, pooled, select
from tacit.probing.features import Features
from tacit.probing.probes._readings import Reading, class_reading, quantity_reading
from tacit.types import Array

__all__ = ["Probe", "Unvarying", "is_class"]

LARGE = 10.0
SMALL = 4_000_000
"""Numbers in the features up to which a probe is fitted with one thread."""

Answer: TypeAlias = tuple[Tensor, Mapping[str, float]]
"""Reading of the test rows, class numbers ``[N]`` or quantities ``[N, P]``, and the settings in use."""


class Unvarying(DataError):
    """A target is the same in every row, so there is nothing to read."""


@dataclass(frozen=True)
class Part:
    """Rows and their targets.

    Attributes:
        x: ``[N, D]`` or ``[N, n, D]``.
        y: Class numbers int64 ``[N]``, -1 for a class that is not fitted on, or quantities float64 ``[N, P]``.
    """

    x: Rows
    y: Tensor

    def select(self, rows: npt.NDArray[np.int64]) -> Part:
        """Return some of the rows."""
        index = torch.from_numpy(rows)
        return Part(select(self.x, index), self.y[index])


@dataclass(frozen=True)
class Task:
    """Data and settings of one fit of a probe.

    Attributes:
        fit: The rows to fit on while the settings are chosen.
        aside: The rows to choose them on; empty where there is nothing to choose.
        whole: The rows to fit on with the chosen settings, where that is cheap.
        test: Held-out features.
        classes: How many there are; None where quantities are read.
        seed: Of everything random.
        device: Where to compute.
        progress: Show a progress bar where heads are trained; None: on a terminal and in a notebook.
    """

    fit: Part
    aside: Part
    whole: Part
    test: Rows
    classes: int | None
    seed: int
    device: torch.device
    progress: bool | None = None

    def standard(self, dtype: torch.dtype = torch.float32, flat: bool = False) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Return features of fit, aside, whole and test. Tokens are averaged, or ``flat``, end to end.

        They are standardised by the mean and deviation of ``whole``. Beyond ten deviations, held-out features are
        clamped to the largest of ``whole``, so that a nearly constant one cannot dominate.
        """
        parts = [pooled(x, dtype, self.device, flat) for x in (self.fit.x, self.aside.x, self.whole.x, self.test)]
        std, mean = torch.std_mean(parts[2], dim=0, correction=0)
        # Leave near-constant features unscaled; dividing by ~0 amplifies noise.
        scale = torch.where(std > 1e-6 * (mean.abs() + std.max()), std, torch.ones_like(std))
        fit, aside, whole, test = ((part - mean) / scale for part in parts)
        most = whole.abs().amax(dim=0).clamp(min=LARGE)
        return fit, aside, whole, test.clamp(-most, most)


class Probe(ABC):
    """A small readout. It is a frozen dataclass of its settings, never of what it was fitted to."""

    @property
    def chooses(self) -> bool:
        """Return True if settings are chosen on rows that are set aside."""
        return True

    def suits(self, target: Array) -> bool:
        """Return True if this probe reads targets of this shape ``[N, ...]`` and type."""
        numbers = target.size // max(len(target), 1)
        return target.dtype.kind in "iubf" and (numbers == 1 or (target.ndim < 3 and not is_class(target)))

    def __call__(
        self,
        fit: Features,
        test: Features,
        target: str,
        *,
        choose_on: Features | None = None,
        seed: int = 0,
        device: str | torch.device = "cpu",
        progress: bool | None = None,
    ) -> Reading:
        """Read ``target`` from held-out features.

        Whole numbers are classes and give a :class:`ClassReading`, others quantities and a :class:`QuantityReading`.
        Where both features know the names of classes, such as subfolders of images, classes are the same that have the
        same name, with the numbers that they have in ``fit``.

        Args:
            fit: Features to fit on; nothing of ``test`` is used but to score.
            test: Held-out features of other episodes.
            target: The name of a target of both.
            choose_on: Features that choose among settings and when to stop. Where None, a fifth of the episodes of
                ``fit`` does, and is fitted on afterwards where that is cheap.
            seed: Of everything random.
            device: Where to compute.
            progress: Show a progress bar where heads are trained; None: on a terminal and in a notebook.

        Raises:
            ConfigError: if there is no such target.
            DataError: if an episode is in two of the three, the target does not vary, or is no class or quantity.
        """
        apart({"fit": fit, "test": test, **({} if choose_on is None else {"choose_on": choose_on})})
        test = test.renumbered(fit, target)
        choose_on = None if choose_on is None else choose_on.renumbered(fit, target)
        actual = readable(test.target(target), target)
        task, classes = self._task(fit, test, target, choose_on, seed, torch.device(device))
        task = replace(task, progress=progress)
        with computing(1 if math.prod(fit.values.shape) <= SMALL else None):
            answer, settings = self.read(task)
        common = {
            "probe": type(self).__name__,
            "target": target,
            "settings": dict(settings),
            "rows_fit": len(fit),
            "rows_test": len(test),
            "seed": seed,
        }
        predicted = answer.cpu().numpy()
        if classes is None:
            return quantity_reading(common, actual.astype(np.float64), predicted.astype(np.float64), test.units)
        return class_reading(common, classes, actual[:, 0].astype(np.int64), classes[predicted], test.units)

    @abstractmethod
    def read(self, task: Task) -> Answer:
        """Fit, choose and read the held-out rows."""

    def _task(
        self, fit: Features, test: Features, target: str, choose_on: Features | None, seed: int, device: torch.device
    ) -> tuple[Task, npt.NDArray[np.int64] | None]:
        truth = readable(fit.target(target), target)
        classes = np.unique(truth).astype(np.int64) if is_class(truth) else None
        whole = Part(fit.values, numbered(truth, classes))
        if (classes is not None and len(classes) < 2) or (classes is None and not _vary(truth)):
            raise Unvarying(f"the target {target!r} does not vary over the rows to fit on; nothing can be learnt.")
        if classes is None and not _vary(readable(test.target(target), target)):
            raise Unvarying(f"the target {target!r} does not vary over the held-out rows; nothing can be scored.")
        inner, aside = whole, whole.select(np.empty(0, np.int64))
        if choose_on is not None:
            aside = Part(choose_on.values, numbered(readable(choose_on.target(target), target), classes))
        elif self.chooses:
            chosen = set_aside(fit.units, seed)
            inner, aside = whole.select(np.flatnonzero(~chosen)), whole.select(np.flatnonzero(chosen))
        count = None if classes is None else len(classes)
        return Task(inner, aside, whole, test.values, count, seed, device), classes


def badness(outputs: Tensor, y: Tensor) -> Tensor:
    """Score the error of each of ``S`` readouts, ``[S]``; lower is better. It is infinite where it is not finite.

    Args:
        outputs: Logits ``[S, N, C]`` or quantities ``[S, N, P]``.
        y: Class numbers ``[N]``, judged by the rows read wrong and among equals by cross entropy, or quantities
            ``[N, P]``, judged by squared error.
    """
    if y.is_floating_point():
        bad = (outputs - y).square().mean(dim=(1, 2))
    else:
        # A class that is not fitted on is wrong whatever is read, and has no cross entropy.
        known = y >= 0
        logs = outputs[:, known].log_softmax(dim=-1)
        loss = -logs.gather(2, y[known].expand(len(outputs), -1)[..., None]).mean(dim=(1, 2)) if known.any() else 0.0
        wrong = (outputs.argmax(dim=-1) != y).sum(dim=1)
        bad = wrong + loss / (1 + loss)
    return bad.nan_to_num(torch.inf, torch.inf)


def is_class(target: Array) -> bool:
    """Return True if a target is a class: whole numbers or truth values."""
    return target.dtype.kind in "iub"


def set_aside(unit: npt.NDArray[np.int64], seed: int) -> npt.NDArray[np.bool_]:
    """Return a mask ``[N]`` of the rows that choose settings.

    They are those of a fifth of the episodes, by whole groups.

    Raises:
        DataError: if there is only one group.
    """
    there = np.unique(unit)
    if len(there) < 2:
        raise DataError(
            f"a probe needs two episodes to fit on, one to set aside, that are no pieces of one recording; got "
            f"{len(there)}. Give more recordings, or features to choose on: choose_on=..."
        )
    return np.isin(unit, np.random.default_rng(seed).permutation(there)[: max(1, len(there) // 5)])


def apart(parts: Mapping[str, Features]) -> None:
    """Refuse features that share an episode."""
    names = list(parts)
    for index, second in enumerate(names):
        for first in names[:index]:
            shared = parts[second].shared(parts[first])
            if shared:
                raise DataError(
                    f"{len(shared)} of {len(np.unique(parts[second].episode))} episodes of {second!r} are also in "
                    f"{first!r}, or pieces of a recording of which it has others (the first is number {shared[0]}), so "
                    "the score would not be of held-out data. Split with episodes.split(0.9, seed=0), or leave them "
                    f"out: {second}.without({first})."
                )


def readable(target: Array, name: str) -> npt.NDArray[Any]:
    """Return a target as ``[N, P]``, with one column if it is a class."""
    flat = target.reshape(len(target), -1)
    if target.dtype.kind not in "iubf":
        raise DataError(f"the target {name!r} holds {target.dtype}; a class is a whole number, a quantity a float.")
    if is_class(target) and flat.shape[1] != 1:
        raise DataError(
            f"the target {name!r} has {flat.shape[1]} whole numbers a row, and a class is one. Read a map of classes "
            "with the probe 'dense'; store quantities as floating-point numbers."
        )
    return flat


def _vary(target: npt.NDArray[Any]) -> bool:
    """Return whether a quantity ``[N, P]`` varies in some component by more than rounding."""
    return bool(varies(target.std(axis=0), np.abs(target).max(axis=0)).any())


def numbered(truth: npt.NDArray[Any], classes: npt.NDArray[np.int64] | None) -> Tensor:
    """Convert targets to ``[N, P]`` or class numbers as in :class:`Part`."""
    if classes is None:
        return torch.from_numpy(truth.astype(np.float64))
    number = np.searchsorted(classes, truth[:, 0]).clip(max=len(classes) - 1)
    return torch.from_numpy(np.where(classes[number] == truth[:, 0], number, -1))
