"""Linear probe: linear readouts of a representation."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from tacit.errors import ConfigError
from tacit.probing.probes._lbfgs import Objective, minimise
from tacit.probing.probes._probe import Prediction, Probe, Task, selection_loss

__all__ = ["Linear"]

Floats = npt.NDArray[np.float64]
RIDGE = tuple(np.logspace(-8, 2, 21).tolist())
LOGISTIC = tuple(np.logspace(-5, 1, 13).tolist())
NUMBERS = 2**22
"""Logits at a time: what is computed with them stays near the processor's cache."""


@dataclass(frozen=True)
class Linear(Probe):
    """A linear layer on standardised features.

    Quantities are fitted by ridge regression in closed form, classes by multinomial logistic regression. One pass of
    L-BFGS fits all its penalties: ``mean cross entropy + l2 / 2 |W|^2``, as in scikit-learn with ``C = 1 / (N l2)``.
    Afterwards the chosen penalty is fitted on every row.

    Args:
        l2: Penalties to choose from; where empty, 21 from 1e-8 to 100 for quantities, 13 from 1e-5 to 10 for classes.
        steps: The largest number of L-BFGS steps.
        tolerance: Largest entry of the gradient at which the fit ends.
        pool: Pooling of tokens ``[N, n, D]``: their ``mean``, or ``flat``: all of them joined, which keeps their places
            as raw pixels do.
    """

    l2: tuple[float, ...] = ()
    steps: int = 200
    tolerance: float = 1e-4
    pool: Literal["mean", "flat"] = "mean"

    def __post_init__(self) -> None:
        if any(not l2 > 0 for l2 in self.l2) or self.steps < 1:
            raise ConfigError(f"l2 is above 0 and steps at least 1; got {self.l2} and {self.steps}.")
        if self.pool not in ("mean", "flat"):
            raise ConfigError(f"pool is mean or flat; got {self.pool!r}.")

    @property
    def chooses(self) -> bool:
        """Return True if there is more than one penalty."""
        return len(self.l2) != 1

    def fit_predict(self, task: Task) -> Prediction:
        """Fit, choose the penalty and predict the held-out rows."""
        return self._regressed(task) if task.classes is None else self._classified(task, task.classes)

    def _regressed(self, task: Task) -> Prediction:
        # On the CPU: the decomposition needs double precision, which some devices lack.
        task = Task(task.fit, task.validation, task.whole, task.test, None, task.seed, torch.device("cpu"))
        fit, validation, whole, test = (part.numpy() for part in task.standard(torch.float64, self.pool == "flat"))
        alphas = np.array(self.l2 or RIDGE)
        if self.chooses:
            goals = task.validation.y.numpy()
            tried = ridge(fit, task.fit.y.numpy(), alphas)
            alphas = alphas[[int(np.argmin([((solution(validation) - goals) ** 2).sum() for solution in tried]))]]
        (chosen,) = ridge(whole, task.whole.y.numpy(), alphas)
        return torch.from_numpy(chosen(test)), {"l2": float(alphas[0])}

    def _classified(self, task: Task, classes: int) -> Prediction:
        fit, validation, whole, test = task.standard(flat=self.pool == "flat")
        choices, best = self.l2 or LOGISTIC, 0
        l2 = torch.tensor(choices, dtype=fit.dtype, device=task.device)
        weights = fit.new_zeros(len(l2), fit.shape[1] + 1, classes)
        if self.chooses:
            weights = self._logistic(fit, task.fit.y.to(task.device), l2, weights)
            goals = task.validation.y.to(task.device)
            best = int(torch.cat([selection_loss(_logits(one, validation)[None], goals) for one in weights]).argmin())
            l2, weights = l2[best, None], weights[best, None]
        if task.whole is not task.fit or not self.chooses:
            weights = self._logistic(whole, task.whole.y.to(task.device), l2, weights)
        return _logits(weights[0], test).argmax(dim=-1), {"l2": choices[best]}

    def _logistic(self, x: Tensor, y: Tensor, l2: Tensor, start: Tensor) -> Tensor:
        """Fit weights ``[K, D + 1, C]`` for penalties ``[K]``.

        The last row holds the biases. The data are ``x [N, D]`` and classes ``y``.
        """
        objective = _cross_entropy(torch.cat([x, x.new_ones(len(x), 1)], dim=1), y, l2, start.shape[-1])
        found = minimise(objective, start.flatten(1), steps=self.steps, tolerance=self.tolerance)
        return found.reshape(start.shape)


def _cross_entropy(x: Tensor, y: Tensor, l2: Tensor, classes: int) -> Objective:
    """Compute the penalised mean cross entropy of some of the penalties. ``x`` ends in a column of ones."""
    count, size = x.shape
    # Sums of many small terms, compared with each other by the line search.
    wide = x.dtype if x.device.type == "mps" else torch.float64

    def objective(weights: Tensor, which: Tensor) -> tuple[Tensor, Tensor]:
        some = len(weights)
        # Classes first: thin products are several times as fast this way round.
        table = weights.reshape(some, size, classes).transpose(1, 2).reshape(some * classes, size).contiguous()
        value = torch.zeros(some, dtype=wide, device=x.device)
        slope = torch.zeros_like(table)
        for rows in torch.split(torch.arange(count, device=x.device), max(1, NUMBERS // len(table))):
            part, right = x[rows[0] : rows[-1] + 1], y[rows]
            logs = (table @ part.T).reshape(some, classes, len(rows)).log_softmax(dim=1)
            own = right[None, None, :].expand(some, 1, -1)
            value -= logs.gather(1, own).sum(dim=(1, 2), dtype=wide)
            error = logs.exp_().scatter_add_(1, own, logs.new_full((1, 1, 1), -1.0).expand(own.shape))
            slope.addmm_(error.flatten(0, 1), part)
        penalised = weights.reshape(some, size, classes).clone()
        penalised[:, -1] = 0
        found = slope.reshape(some, classes, size).transpose(1, 2) / count + l2[which, None, None] * penalised
        return value / count + l2[which] / 2 * penalised.square().sum(dim=(1, 2), dtype=wide), found.flatten(1)

    return objective


def _logits(weights: Tensor, x: Tensor) -> Tensor:
    """Return logits ``[..., N, C]`` of weights ``[..., D + 1, C]``."""
    return x @ weights[..., :-1, :] + weights[..., -1:, :]


@dataclass(frozen=True)
class _Ridge:
    weight: Floats
    middle: Floats
    offset: Floats

    def __call__(self, x: Floats) -> Floats:
        return (x - self.middle) @ self.weight + self.offset


def ridge(x: Floats, y: Floats, alphas: Floats) -> list[_Ridge]:
    """Solve ridge regression for each penalty, relative to the number of rows.

    One eigendecomposition of the smaller side serves all penalties.
    """
    middle, offset = x.mean(axis=0), y.mean(axis=0)
    centred, goals = x - middle, (y - offset) / len(x)
    wide = x.shape[1] > len(x)
    values, vectors = np.linalg.eigh((centred @ centred.T if wide else centred.T @ centred) / len(x))
    rotated = vectors.T @ (goals if wide else centred.T @ goals)
    found = [vectors @ (rotated / (np.maximum(values, 0) + a)[:, None]) for a in alphas]
    return [_Ridge(centred.T @ one if wide else one, middle, offset) for one in found]
