"""Nearest-neighbour probe: a vote of similar rows, without training."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product

import torch
from torch import Tensor
from torch.nn import functional as F

from tacit.errors import ConfigError
from tacit.probing.lazy_rows import pooled
from tacit.probing.probes._probe import LabelledRows, Prediction, Probe, Task, selection_loss

__all__ = ["KNN"]

NUMBERS = 2**24
"""Similarities, or neighbours' targets, at a time: 64 MB."""


@dataclass(frozen=True)
class KNN(Probe):
    """The ``k`` nearest rows by cosine vote with weights ``exp(cosine / temperature)`` (arXiv 1805.01978).

    Features are scaled to unit length, as published; tokens are averaged. A quantity is the weighted mean over the
    neighbours. Settings are chosen on validation rows, from one search for the most neighbours.

    Args:
        k: Numbers of neighbours to try.
        temperatures: Temperatures to try; a small one weights the nearest row most.
    """

    k: tuple[int, ...] = (5, 10, 20, 50)
    temperatures: tuple[float, ...] = (0.07,)

    def __post_init__(self) -> None:
        if not (self.k and self.temperatures and min(self.k) >= 1 and min(self.temperatures) > 0):
            raise ConfigError(f"k is at least 1 and a temperature above 0; got {self.k} and {self.temperatures}.")

    @property
    def chooses(self) -> bool:
        """Return True if there is more than one setting."""
        return len(self.k) * len(self.temperatures) > 1

    def fit_predict(self, task: Task) -> Prediction:
        """Choose the setting and predict the held-out rows."""
        settings = tuple(product(self.k, self.temperatures))
        if self.chooses:
            votes = self._votes(task, task.fit, pooled(task.validation.x, torch.float32, task.device), settings)
            goals = task.validation.y if task.classes is not None else task.validation.y.float()
            settings = (settings[int(selection_loss(votes, goals).argmin())],)
        (predicted,) = self._votes(task, task.whole, pooled(task.test, torch.float32, task.device), settings)
        k, temperature = settings[0]
        return predicted.argmax(dim=-1) if task.classes is not None else predicted, {"k": k, "temperature": temperature}

    def _votes(self, task: Task, bank: LabelledRows, x: Tensor, settings: tuple[tuple[int, float], ...]) -> Tensor:
        """Return votes of the neighbours on the CPU.

        They are logarithms of the shares ``[S, N, C]`` of each class, or quantities ``[S, N, P]``.
        """
        keys = F.normalize(pooled(bank.x, torch.float32, task.device), dim=-1)
        goals = bank.y.to(task.device)
        goals = F.one_hot(goals, task.classes).float() if task.classes is not None else goals.float()
        most = min(max(k for k, _ in settings), len(keys))
        found = []
        rows = max(1, NUMBERS // max(len(keys), most * goals.shape[1]))
        for part in torch.split(F.normalize(x, dim=-1), rows):
            near, which = (part @ keys.T).topk(most, dim=-1)
            theirs = goals[which]
            votes = []
            for k, temperature in settings:
                weights = (near[:, :k] / temperature).softmax(dim=-1)
                votes.append(torch.einsum("nk,nkp->np", weights, theirs[:, :k]))
            found.append(torch.stack(votes).cpu())
        out = torch.cat(found, dim=1)
        return out if task.classes is None else out.clamp(min=1e-6).log()
