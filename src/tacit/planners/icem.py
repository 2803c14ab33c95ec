"""The sample-efficient cross-entropy method."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Generator, Tensor

from tacit._check import require
from tacit._limits import ITERATIONS, SAMPLES, limited
from tacit.planners._record import Record, elites, join
from tacit.planners._search import begin_box
from tacit.types import ActionSpace, Plan, Score

__all__ = ["ICEM"]


@dataclass(frozen=True)
class ICEM:
    """iCEM: noise that is correlated in time, elites that stay, fewer samples each round (Pinneri et al., 2020).

    Returns the best candidate ever rated. A planner holds no state, so elites of an earlier plan come back as
    ``warm_start`` (the best, shifted), which is a candidate of the first round, and as ``proposals``.

    Args:
        samples: Candidates of the first round.
        iterations: Rounds.
        elites: Candidates to fit to.
        std: First standard deviation, in halves of the range.
        momentum: Share of the old mean and standard deviation that stays.
        beta: The power spectrum of the noise along the horizon falls as ``frequency ** -beta``: 0 white, 1 pink, 2 red.
        keep: Share of the elites, the best of them, that the next round rates once more.
        decay: Each round draws this factor fewer samples, never fewer than ``2 * elites``.

    Raises:
        ConfigError: if an option is out of range.
    """

    samples: int = 300
    iterations: int = 10
    elites: int = 30
    std: float = 0.5
    momentum: float = 0.1
    beta: float = 2.0
    keep: float = 0.3
    decay: float = 1.25

    def __post_init__(self) -> None:
        limited("ICEM", SAMPLES, samples=self.samples)
        limited("ICEM", ITERATIONS, iterations=self.iterations)
        require(1 <= self.elites <= self.samples, "ICEM", f"1 <= elites <= samples; got {self.elites}, {self.samples}")
        require(self.iterations >= 1, "ICEM", f"iterations >= 1; got {self.iterations}")
        require(self.std >= 0 and self.beta >= 0, "ICEM", f"std and beta >= 0; got {self.std}, {self.beta}")
        require(0 <= self.momentum < 1, "ICEM", f"momentum in [0, 1); got {self.momentum}")
        require(0 <= self.keep <= 1 <= self.decay, "ICEM", f"keep in [0, 1], decay >= 1; got {self.keep}, {self.decay}")

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
        kept = proposals
        for iteration in range(self.iterations):
            candidates = search.sample(self._count(iteration), generator, self._noise)
            candidates[:, 0] = search.mode
            candidates = join(candidates, kept, search)
            chosen, valid = elites(candidates, record.rate(candidates), self.elites, ordered=True)
            search = search.fit(chosen, valid, self.momentum, self.momentum, 0.0)
            record.note(search.mean, search.spread)
            kept = chosen[:, : int(self.keep * self.elites)]
        return record.plan()

    def _count(self, iteration: int) -> int:
        return max(int(self.samples * self.decay**-iteration), min(2 * self.elites, self.samples))

    def _noise(self, shape: tuple[int, int, int, int], generator: Generator) -> Tensor:
        """Gaussian noise of unit variance whose spectrum along ``H`` is ``frequency ** -beta``.

        After Timmer and Koenig (1995); the constant component gets the power of the lowest frequency.
        """
        batch, count, horizon, size = shape
        frequency = torch.fft.rfftfreq(horizon, device=generator.device).clamp(min=1 / horizon)
        amplitude = frequency.pow(-self.beta / 2)
        # A real signal has no imaginary part at frequency 0 and, where the length is even, at the highest.
        lone = torch.zeros(len(frequency), dtype=torch.bool, device=generator.device)
        lone[0] = True
        lone[-1] = horizon % 2 == 0 or horizon == 1
        amplitude *= horizon / (amplitude.square() * torch.where(lone, 1.0, 2.0)).sum().sqrt()
        parts = torch.randn((2, batch, count, size, len(frequency)), generator=generator, device=generator.device)
        parts *= amplitude * torch.where(lone, 1.0, 0.5**0.5)
        noise: Tensor = torch.fft.irfft(torch.complex(parts[0], parts[1]), n=horizon)
        return noise.transpose(2, 3).contiguous()
