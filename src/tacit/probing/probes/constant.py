"""Constant-prediction baseline of every probe."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from tacit.probing.probes._probe import Prediction, Probe, Task

__all__ = ["Constant"]


@dataclass(frozen=True)
class Constant(Probe):
    """Prediction of the commonest class, or the mean, of the rows to fit on."""

    @property
    def chooses(self) -> bool:
        """Return False: there is nothing to choose."""
        return False

    def fit_predict(self, task: Task) -> Prediction:
        """Return the same prediction for every row."""
        if task.classes is None:
            return task.whole.y.mean(dim=0).expand(len(task.test), -1), {}
        return torch.bincount(task.whole.y).argmax().expand(len(task.test)), {}
