"""The floor of every probe: an answer that looks at nothing."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from tacit.probing.probes._probe import Answer, Probe, Task

__all__ = ["Constant"]


@dataclass(frozen=True)
class Constant(Probe):
    """The commonest class, or the mean, of the rows to fit on."""

    @property
    def chooses(self) -> bool:
        """There is nothing to choose."""
        return False

    def read(self, task: Task) -> Answer:
        """The same for every row."""
        if task.classes is None:
            return task.whole.y.mean(dim=0).expand(len(task.test), -1), {}
        return torch.bincount(task.whole.y).argmax().expand(len(task.test)), {}
