"""The sample-efficient cross-entropy method."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Generator, Tensor

from tacit._check import require
from tacit._limits import ITERATIONS, SAMPLES, limited
from tacit.planners._record import Record, elites, with_hints
from tacit.planners._search import Gaussian, Project, begin_box
from tacit.types import ActionSpace, Plan, Score

__all__ = ["ICEM"]


@dataclass(frozen=True)
class ICEM:
    """iCEM: noise correlated in time, elites that stay, fewer samples each round (Pinneri et al., 2020).

    Two things differ from the paper, where the noise has one spectrum in all rounds and the standard deviation is
    that of the elites. Low frequencies, which make up most of red noise, are found first; the standard deviation then
    falls, and the noise is too small at high frequencies to correct them. Here each round fits the spectrum to its
    elites as well, and measures both about the mean that the elites were drawn from (as Hansen, 2016, 3.2, does for
    CMA-ES), so that the search does not narrow before it has arrived.

    Returns the best candidate ever rated. A planner holds no state, so elites of an earlier plan come back as
    ``warm_start`` (the best, shifted), which is a candidate of the first round, and as ``proposals``.

    Args:
        samples: Candidates of the first round.
        iterations: Rounds.
        elites: Candidates to fit to.
        std: First standard deviation, in halves of the range.
        momentum: Share of the old mean, standard deviation and spectrum that stays.
        beta: The power of the first round's noise along the horizon falls as ``frequency ** -beta``: 0 white, 1 pink,
            2 red.
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
    beta: float = 1.0
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
        project: Project | None = None,
    ) -> Plan:
        """See :class:`tacit.types.Planner`; the space is a box."""
        search = begin_box(space, batch, horizon, generator, self.std, warm_start, project)
        noise = _Noise.colored(batch, horizon, self.beta, generator.device)
        record = Record(score, search.legal)
        kept = torch.empty(0)
        for iteration in range(self.iterations):
            candidates = search.sample(self._count(iteration), generator, noise)
            if iteration == 0:
                candidates = with_hints(candidates, search, proposals)
            else:
                candidates[:, 0] = search.mode
                candidates = torch.cat([candidates, kept], dim=1)
            candidates, energies = record.rate(candidates)
            chosen, valid = elites(candidates, energies, self.elites, ordered=True)
            noise, search = self._fit(noise, search, chosen, valid)
            record.note(search.mean, search.spread)
            kept = chosen[:, : int(self.keep * self.elites)]
        return record.plan()

    def _count(self, iteration: int) -> int:
        return max(int(self.samples * self.decay**-iteration), min(2 * self.elites, self.samples))

    def _fit(self, noise: _Noise, search: Gaussian, chosen: Tensor, valid: Tensor) -> tuple[_Noise, Gaussian]:
        """Move noise and search to the elites ``[B, K, H, A]`` of which only the ``valid [B, K]`` count.

        An elite that does not count leaves the spread as it was.
        """
        unit, weight = search.bounds.unit, valid[:, :, None, None].to(chosen.dtype)
        steps = (chosen - search.mean[:, None]) / unit * weight
        old = search.spread / unit
        missing = (~valid).sum(dim=1)[:, None, None] * old.square()
        spread = ((steps.square().sum(dim=1) + missing) / chosen.shape[1]).sqrt()
        spread = self.momentum * old + (1 - self.momentum) * spread
        step = steps.sum(dim=1) / weight.sum(dim=1).clamp(min=1)
        mean = search.mean + (1 - self.momentum) * step * unit
        drawn = steps / torch.where(old > 0, old, 1.0)[:, None]
        return noise.fit(drawn, self.momentum), search.moved(valid.any(dim=1), mean, spread * unit)


@dataclass(frozen=True)
class _Noise:
    """Normal noise of unit variance with a spectrum along the horizon.

    It is drawn in the basis of the discrete Hartley transform, whose waves ``k`` and ``H - k`` have one frequency.

    Attributes:
        waves: ``[H, H]`` the basis, orthonormal and symmetric.
        power: ``[B, H]`` variance of the coefficient of each wave; their mean is 1.
    """

    waves: Tensor
    power: Tensor

    @classmethod
    def colored(cls, batch: int, horizon: int, beta: float, device: torch.device) -> _Noise:
        """Noise whose power falls as ``frequency ** -beta``; the constant has that of the lowest frequency."""
        number = torch.arange(horizon, device=device)
        angle = number[:, None] * number % horizon * (2 * torch.pi / horizon)
        waves = (angle.cos() + angle.sin()) / horizon**0.5
        power = torch.minimum(number, horizon - number).clamp(min=1).float() ** -beta
        return cls(waves, (power / power.mean()).expand(batch, -1))

    def __call__(self, shape: tuple[int, int, int, int], generator: Generator) -> Tensor:
        """Draw noise ``[B, S, H, A]``."""
        batch, count, horizon, size = shape
        parts = torch.randn((batch, count, size, horizon), generator=generator, device=generator.device)
        parts *= self.power.sqrt()[:, None, None]
        return (parts @ self.waves).transpose(2, 3).contiguous()

    def fit(self, drawn: Tensor, keep: float) -> _Noise:
        """Move to the spectrum of ``drawn [B, K, H, A]``; ``keep`` is the share of the old one that stays.

        A world in which nothing but zeros was drawn stays as it was.
        """
        power = (drawn.transpose(2, 3) @ self.waves).square().mean(dim=(1, 2))
        power = power + power.flip(1).roll(1, dims=1)  # one power for each frequency
        mean = power.mean(dim=1, keepdim=True)
        fitted = keep * self.power + (1 - keep) * power / mean
        return replace(self, power=torch.where(mean > 0, fitted, self.power))
