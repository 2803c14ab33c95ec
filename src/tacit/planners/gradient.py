"""Gradient descent on the actions."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from tacit._check import require
from tacit._limits import ITERATIONS, SAMPLES, limited
from tacit.errors import ConfigError, PlanningError, SpecError
from tacit.planners._ranking import Ranking, with_hints
from tacit.planners._scored import as_scored
from tacit.planners._search import begin_box
from tacit.types import Plan, Problem, Score, Scored

__all__ = ["Gradient"]


@dataclass(frozen=True)
class Gradient:
    """Projected gradient descent through the score with Adam (Kingma and Ba, 2015) from several starts.

    The best iterate wins. The search runs in units of half the range about its middle, so that one learning rate fits
    every component. An energy that is not finite never wins, and a gradient that is not finite counts as zero.

    Args:
        starts: The number of starts: the warm start (else the middle), doing nothing, others drawn around the first.
        iterations: Ratings of each start, with a step of Adam between any two.
        learning_rate: Learning rate of Adam, in halves of the range.
        std: Standard deviation of the starts, in halves of the range.
        betas: Decay rates of Adam's moments.
        epsilon: Epsilon of Adam.

    Raises:
        ConfigError: if an option is out of range.
    """

    starts: int = 16
    iterations: int = 40
    learning_rate: float = 0.1
    std: float = 0.5
    betas: tuple[float, float] = (0.9, 0.999)
    epsilon: float = 1e-8

    def __post_init__(self) -> None:
        limited("Gradient", SAMPLES, starts=self.starts)
        limited("Gradient", ITERATIONS, iterations=self.iterations)
        require(
            min(self.starts, self.iterations) >= 1,
            "Gradient",
            f"starts and iterations >= 1; got {self.starts} and {self.iterations}",
        )
        require(self.learning_rate > 0, "Gradient", f"learning_rate > 0; got {self.learning_rate}")
        require(
            self.std >= 0 and self.epsilon > 0, "Gradient", f"std >= 0, epsilon > 0; got {self.std}, {self.epsilon}"
        )
        require(all(0 <= beta < 1 for beta in self.betas), "Gradient", f"betas in [0, 1); got {self.betas}")

    def __call__(self, problem: Problem, /) -> Plan:
        """See :class:`tacit.types.Planner`; the space is a box and the score is differentiable, in torch."""
        if problem.device is None:
            raise ConfigError("Gradient differentiates by torch: give the problem a device, for example 'cpu'.")
        search = begin_box(problem, self.std)
        actions = search.legal(with_hints(search.draw(problem, 0, self.starts), search, problem))
        center, half, unit = search.bounds.center, search.bounds.half, search.bounds.unit
        point = (actions - center) / unit
        first, root = torch.zeros_like(point), torch.zeros_like(point)
        limit = torch.finfo(point.dtype).max
        ranking = Ranking(problem, search.legal)
        for iteration in range(1, self.iterations + 1):
            scored, slope = _differentiate(problem.score, actions)
            ranking.take(actions, scored)
            # torch.optim.Adam would be the same update, but its first use imports torch's compiler for seconds.
            # The second moment is kept as its root, since squares of gradients may leave the range of float32.
            slope = (slope * half).clamp(-limit, limit)
            first = self.betas[0] * first + (1 - self.betas[0]) * slope
            root = torch.hypot(self.betas[1] ** 0.5 * root, (1 - self.betas[1]) ** 0.5 * slope)
            scale = root / (1 - self.betas[1] ** iteration) ** 0.5 + self.epsilon
            point = (point - self.learning_rate * (first / (1 - self.betas[0] ** iteration) / scale)).clamp(-1, 1)
            ranking.note(replace(search, mean=actions.mean(dim=1), spread=actions.std(dim=1, correction=0)))
            if ranking.stopped:
                break
            actions = search.legal(center + half * point)
            if problem.project is not None:
                point = (actions - center) / unit
        return ranking.plan()


def _differentiate(score: Score, actions: Tensor) -> tuple[Scored, Tensor]:
    """Return the score of the actions ``[B, S, H, A]`` and its gradient.

    The gradient is that of the energy, and of the violation where a candidate breaks the constraints. It is zero where
    it is not finite.
    """
    with torch.inference_mode(False), torch.enable_grad():
        actions = actions.detach().clone().requires_grad_()
        answer = score(actions)
        for values in (answer.energy, answer.violation) if isinstance(answer, Scored) else (answer,):
            if not (values is None or isinstance(values, Tensor)):
                raise SpecError(
                    f"Gradient needs energies as a torch tensor, which it differentiates; got {type(values).__name__}. "
                    "Use CEM, or keep the rollout and the cost in torch."
                )
        scored = as_scored(answer, actions)
        merit, violation = scored.energy, scored.violation
        if violation is not None:
            merit = torch.where(violation > 0, violation.to(merit.dtype), merit)
        slope = None
        if merit.requires_grad:
            (slope,) = torch.autograd.grad(merit[merit.isfinite()].sum(), actions, allow_unused=True)
        if slope is None:
            raise PlanningError(
                "Gradient needs a score that torch can differentiate; this one detaches the actions. "
                "Use CEM, or keep the rollout and the cost in torch, outside torch.no_grad()."
            )
    detached = Scored(scored.energy.detach(), None if violation is None else violation.detach(), scored.terms)
    return detached, torch.where(slope.isfinite(), slope, 0.0)
