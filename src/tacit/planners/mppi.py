"""Model predictive path integral control."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Generator, Tensor

from tacit._check import require
from tacit._limits import ITERATIONS, SAMPLES, limited
from tacit.planners._record import Record, with_hints
from tacit.planners._search import Project, begin_box
from tacit.types import ActionSpace, Plan, Score

__all__ = ["MPPI"]

BEST, FEWEST = 0.1, 5
"""The share of the candidates, and the least number, whose energies are the unit of a normalized temperature."""


@dataclass(frozen=True)
class MPPI:
    """Move the mean to the average of all samples, weighted by ``softmax(-(E - min E) / T)`` (Williams et al., 2017).

    ``T -> 0`` follows the best sample, ``T -> inf`` the plain mean.

    Args:
        samples: Candidates of a round.
        iterations: Rounds.
        temperature: ``T``, in units of the energy or, with ``normalize``, of the range of the best tenth.
        normalize: Divide the energies of each round by the range of the best tenth of its candidates, so that one
            temperature serves costs of any size, and no penalty on other candidates, however large, changes it.
        std: First standard deviation, in halves of the range.
        decay: Each round multiplies the standard deviation by this.
        result: ``best``: the best candidate ever rated; ``mean``: the last mean is rated too, as one candidate more.

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
        project: Project | None = None,
    ) -> Plan:
        """See :class:`tacit.types.Planner`; the space is a box."""
        search = begin_box(space, batch, horizon, generator, self.std, warm_start, project)
        record = Record(score, search.legal)
        for iteration in range(self.iterations):
            candidates = search.sample(self.samples, generator)
            if iteration == 0:
                candidates = with_hints(candidates, search, proposals)
            else:
                candidates[:, 0] = search.mode
            candidates, energies = record.rate(candidates)
            # A mean of differences: in a box far from zero the weighted sum of the actions would be imprecise.
            steps = candidates.sub_(search.mean[:, None])
            step = self._weights(energies).to(steps.dtype)[:, None] @ steps.flatten(2)
            mean = search.mean + step.view_as(search.mean)
            search = search.moved(energies.isfinite().any(dim=1), mean, self.decay * search.spread)
            record.note(search.mean, search.spread)
        return record.plan(search.mode if self.result == "mean" else None)

    def _weights(self, energies: Tensor) -> Tensor:
        """Return weights ``[B, S]`` that sum to one; those of energies that are +inf are zero.

        NaN where all energies are +inf. Where fewer than the best tenth have a finite energy, these weigh the same,
        as they would if the others had a huge one.
        """
        lowest = energies.min(dim=1, keepdim=True).values
        if not self.normalize:
            return torch.softmax((lowest - energies) / self.temperature, dim=1)
        excess = energies / 2 - lowest / 2  # halves: the difference of huge energies overflows
        count = energies.shape[1]
        last = max(math.ceil(BEST * count), min(FEWEST, count))
        unit = excess.kthvalue(last, dim=1, keepdim=True).values
        # Equal energies have no range; they differ from each other by nothing, and from all others by infinity.
        scaled = excess / unit.clamp(min=torch.finfo(excess.dtype).tiny)
        return torch.softmax(-torch.where(excess.isfinite(), scaled, torch.inf) / self.temperature, dim=1)
