"""Model predictive path integral control."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Generator, Tensor

from tacit._check import require
from tacit._limits import ITERATIONS, SAMPLES, limited
from tacit.planners._record import Record, join
from tacit.planners._search import begin_box
from tacit.types import ActionSpace, Plan, Score

__all__ = ["MPPI"]


@dataclass(frozen=True)
class MPPI:
    """Move the mean to the average of all samples, weighted by ``softmax(-(E - min E) / T)`` (Williams et al., 2017).

    ``T -> 0`` follows the best sample, ``T -> inf`` the plain mean.

    Args:
        samples: Candidates of a round.
        iterations: Rounds.
        temperature: ``T``, in units of the energy or, with ``normalize``, of its standard deviation.
        normalize: Divide the energies of each round by the standard deviation of the finite ones, so that one
            temperature serves costs of any size.
        std: First standard deviation, in halves of the range.
        decay: Each round multiplies the standard deviation by this.
        result: ``mean``: the last mean (where its energy is finite); ``best``: the best candidate ever rated.

    Raises:
        ConfigError: if an option is out of range.
    """

    samples: int = 300
    iterations: int = 10
    temperature: float = 0.1
    normalize: bool = True
    std: float = 1.0
    decay: float = 0.8
    result: Literal["best", "mean"] = "mean"

    def __post_init__(self) -> None:
        limited("MPPI", SAMPLES, samples=self.samples)
        limited("MPPI", ITERATIONS, iterations=self.iterations)
        require(
            min(self.samples, self.iterations) >= 1,
            "MPPI",
            f"samples and iterations >= 1; got {self.samples} and {self.iterations}",
        )
        require(self.temperature > 0, "MPPI", f"temperature > 0; got {self.temperature}")
        require(
            self.std >= 0 and 0 < self.decay <= 1, "MPPI", f"std >= 0, 0 < decay <= 1; got {self.std}, {self.decay}"
        )
        require(self.result in ("best", "mean"), "MPPI", f"result 'best' or 'mean'; got {self.result!r}")

    def __call__(
        self,
        score: Score,
        space: ActionSpace,
        *,
        horizon: int,
        batch: int,
        generator: Generator,
        warm_start: Tensor | None = None,
        proposals: Tensor | None = None,
    ) -> Plan:
        """See :class:`tacit.types.Planner`; the space is a box."""
        search = begin_box(space, batch, horizon, generator, self.std, warm_start)
        record = Record(score)
        for iteration in range(self.iterations):
            candidates = search.sample(self.samples, generator)
            candidates[:, 0] = search.mode
            if iteration == 0:
                candidates = join(candidates, proposals, search)
            energies = record.rate(candidates)
            mean = search.legal(torch.einsum("bs,bsha->bha", self._weights(energies), candidates))
            search = search.moved(energies.isfinite().any(dim=1), mean, self.decay * search.spread)
            record.note(search.mean, search.spread)
        return record.plan(search.mode if self.result == "mean" else None)

    def _weights(self, energies: Tensor) -> Tensor:
        """Weights ``[B, S]`` that sum to one; those of energies that are +inf are zero. NaN where all are +inf."""
        lowest = energies.min(dim=1, keepdim=True).values
        if not self.normalize:
            return torch.softmax((lowest - energies) / self.temperature, dim=1)
        # Halves of huge energies do not overflow when they are subtracted, nor parts of the largest when squared.
        excess = energies / 2 - lowest / 2
        finite = excess.isfinite()
        largest = excess.masked_fill(~finite, 0.0).amax(dim=1, keepdim=True)
        excess = excess / torch.where(largest > 0, largest, 1.0)
        known = excess.masked_fill(~finite, 0.0)
        count = finite.sum(dim=1, keepdim=True)
        mean = known.sum(dim=1, keepdim=True) / count
        variance = (finite * (known - mean).square()).sum(dim=1, keepdim=True) / count
        excess = excess / variance.sqrt().clamp(min=torch.finfo(torch.float32).tiny)
        return torch.softmax(-excess / self.temperature, dim=1)
