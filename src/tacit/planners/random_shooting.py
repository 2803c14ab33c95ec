"""Random shooting."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Generator, Tensor

from tacit._check import require
from tacit._limits import ITERATIONS, SAMPLES, limited
from tacit.planners._record import Record, with_hints
from tacit.planners._search import Categorical, Gaussian, Project, begin, check_round
from tacit.types import ActionSpace, Plan, Score

__all__ = ["RandomShooting"]


@dataclass(frozen=True)
class RandomShooting:
    """Draw uniformly from the space, once or in several rounds, and take the best.

    Args:
        samples: Candidates of a round; the warm start (else the middle) and doing nothing are among the first.
        iterations: Rounds.

    Raises:
        ConfigError: if an option is out of range.
    """

    samples: int = 1000
    iterations: int = 1

    def __post_init__(self) -> None:
        limited("RandomShooting", SAMPLES, samples=self.samples)
        limited("RandomShooting", ITERATIONS, iterations=self.iterations)
        require(
            min(self.samples, self.iterations) >= 1,
            "RandomShooting",
            f"samples and iterations >= 1; got {self.samples} and {self.iterations}",
        )

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
        """See :class:`tacit.types.Planner`."""
        search = begin(space, batch, horizon, generator, 3**-0.5, None, project)
        first = begin(space, batch, horizon, generator, 0.0, warm_start, project)
        record = Record(score, search.legal)
        for iteration in range(self.iterations):
            candidates = _uniform(search, self.samples, generator)
            if iteration == 0:
                candidates = with_hints(candidates, first, proposals)
            record.rate(candidates)
            record.note(search.mean, search.spread)
        return record.plan()


def _uniform(search: Gaussian | Categorical, count: int, generator: Generator) -> Tensor:
    """Draw candidates ``[B, count, H, A]``, uniform over the space."""
    if isinstance(search, Categorical):
        return search.sample(count, generator)
    check_round(count, search.mean.shape)
    noise = torch.empty(len(search.mean), count, *search.mean.shape[1:], device=generator.device)
    noise.uniform_(-1, 1, generator=generator)
    return torch.addcmul(search.mean[:, None], noise, search.bounds.half, out=noise)
