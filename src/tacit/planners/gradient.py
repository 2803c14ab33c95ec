"""Gradient descent on the actions."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Generator, Tensor

from tacit._check import require
from tacit._limits import ITERATIONS, SAMPLES, limited
from tacit.errors import PlanningError, SpecError
from tacit.planners._energies import as_energies
from tacit.planners._record import Record, with_hints
from tacit.planners._search import Project, begin_box
from tacit.types import ActionSpace, Plan, Score

__all__ = ["Gradient"]


@dataclass(frozen=True)
class Gradient:
    """Adam (Kingma and Ba, 2015) through the score from several starts, projected to the box; the best iterate wins.

    The search runs in units of half the range about its middle, so that one learning rate serves every
    component. An energy that is not finite never wins, and a gradient that is not finite counts as zero.

    Args:
        starts: Points to start from: the warm start (else the middle), doing nothing, others drawn around the first.
        iterations: Ratings of each start, with a step of Adam between any two.
        learning_rate: Of Adam, in halves of the range.
        std: Standard deviation of the starts, in halves of the range.
        betas: Of Adam.
        epsilon: Of Adam.

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
        """See :class:`tacit.types.Planner`; the space is a box and the score is differentiable."""
        search = begin_box(space, batch, horizon, generator, self.std, warm_start, project)
        actions = search.legal(with_hints(search.sample(self.starts, generator), search, proposals))
        center, half, unit = search.bounds.center, search.bounds.half, search.bounds.unit
        point = (actions - center) / unit
        first, root = torch.zeros_like(point), torch.zeros_like(point)
        limit = torch.finfo(point.dtype).max
        record = Record(score, search.legal)
        for iteration in range(1, self.iterations + 1):
            energies, slope = _differentiate(score, actions)
            record.take(actions, energies)
            # torch.optim.Adam would be the same update, and its first use imports torch's compiler for seconds.
            # The second moment is kept as its root, for squares of gradients may leave the range of float32.
            slope = (slope * half).clamp(-limit, limit)
            first = self.betas[0] * first + (1 - self.betas[0]) * slope
            root = torch.hypot(self.betas[1] ** 0.5 * root, (1 - self.betas[1]) ** 0.5 * slope)
            scale = root / (1 - self.betas[1] ** iteration) ** 0.5 + self.epsilon
            point = (point - self.learning_rate * (first / (1 - self.betas[0] ** iteration) / scale)).clamp(-1, 1)
            record.note(actions.mean(dim=1), actions.std(dim=1, correction=0))
            actions = search.legal(center + half * point)
            if project is not None:
                point = (actions - center) / unit
        return record.plan()


def _differentiate(score: Score, actions: Tensor) -> tuple[Tensor, Tensor]:
    """Return energies ``[B, S]`` of the actions ``[B, S, H, A]`` and their gradient, zero where it is not finite."""
    with torch.inference_mode(False), torch.enable_grad():
        actions = actions.detach().clone().requires_grad_()
        scored: object = score(actions)
        if not isinstance(scored, Tensor):
            raise SpecError(
                f"Gradient needs energies as a torch tensor, which it differentiates; got {type(scored).__name__}. "
                "Use CEM, or keep the rollout and the cost in torch."
            )
        energies = as_energies(scored, actions)
        slope = None
        if energies.requires_grad:
            (slope,) = torch.autograd.grad(energies[energies.isfinite()].sum(), actions, allow_unused=True)
        if slope is None:
            raise PlanningError(
                "Gradient needs a score that torch can differentiate; this one detaches the actions. "
                "Use CEM, or keep the rollout and the cost in torch, outside torch.no_grad()."
            )
    return energies.detach(), torch.where(slope.isfinite(), slope, 0.0)
