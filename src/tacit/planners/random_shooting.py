"""Random shooting."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Generator, Tensor

from tacit._check import require
from tacit._limits import ITERATIONS, SAMPLES, limited
from tacit.planners._record import Record, join
from tacit.planners._search import Categorical, Gaussian, begin, check_round
from tacit.types import ActionSpace, Plan, Score

__all__ = ["RandomShooting"]


@dataclass(frozen=True)
class RandomShooting:
    """Draw uniformly from the space, once or in several rounds, and take the best.

    Args:
        samples: Candidates of a round; the warm start is one of the first.
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
    ) -> Plan:
        """See :class:`tacit.types.Planner`."""
        search = begin(space, batch, horizon, generator, 3**-0.5, None)
        warm = begin(space, batch, horizon, generator, 0.0, warm_start).mode
        record = Record(score)
        for iteration in range(self.iterations):
            candidates = _uniform(search, self.samples, generator)
            if iteration == 0 and warm_start is not None:
                candidates[:, 0] = warm
            if iteration == 0:
                candidates = join(candidates, proposals, search)
            record.rate(candidates)
            record.note(search.mean, search.spread)
        return record.plan()


def _uniform(search: Gaussian | Categorical, count: int, generator: Generator) -> Tensor:
    """Candidates ``[B, count, H, A]``, uniform over the space."""
    if isinstance(search, Categorical):
        return search.sample(count, generator)
    check_round(count, search.mean.shape)
    shape = (len(search.mean), count, *search.mean.shape[1:])
    unit = torch.rand(shape, generator=generator, device=generator.device)
    return search.legal(search.bounds.low + 2 * search.bounds.half * unit)
