"""Search of macro-actions among recorded ones and near to them."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from tacit._limits import HORIZON, ITERATIONS, SAMPLES, limited
from tacit.agent._sub_goal_search import Targets
from tacit.errors import ConfigError, SpecError
from tacit.models import MacroModel
from tacit.types import Cost, Noise, Rollout, Situation, WorldModel

__all__ = ["MacroPlan", "MacroSearch"]

STREAM = 2
"""The stream of noise of a search of macro-actions."""
SMALLEST = 0.02
"""The smallest standard deviation of a residual, in halves of the box."""


@dataclass(frozen=True, eq=False)
class MacroPlan:
    """The result of a search of macro-actions.

    Attributes:
        macros: ``[B, H, M]`` the best macro-actions.
        latents: ``[B, H, D]`` the latents that they are predicted to lead to.
        energy: ``[B]`` their energy; infinite where no candidate had a finite one.
        residual: ``[B]`` the largest distance of a macro-action from its recorded anchor, in halves of the box.
    """

    macros: Tensor
    latents: Tensor
    energy: Tensor
    residual: Tensor


@dataclass(frozen=True, eq=False)
class _Elites:
    """The best candidates ``[B, E, ...]``, their anchors, predicted latents and energies, the best first."""

    macros: Tensor
    anchors: Tensor
    latents: Tensor
    energy: Tensor


@dataclass(frozen=True, eq=False)
class MacroSearch:
    """A search of sequences of macro-actions, each an encoded recorded chunk and a local residual.

    The first round rates sequences of recorded chunks as they are. Each later one rates the best of them with
    residuals of a normal distribution, which is fitted to the residuals of the elites; the anchors are never changed,
    and the elites themselves stay candidates. All macro-actions stay in the box of recorded ones. As empirical-macro
    CEM of Hi-LeWM (arXiv 2607.12547).

    Args:
        macros: The trained model of macro-actions.
        cost: The energy of the latents after each macro-action.
        horizon: Macro-actions of a plan.
        samples: Candidates of a round.
        iterations: Rounds, the first one without residuals.
        elites: Candidates that the next round begins from.
        std: First standard deviation of a residual, in halves of the box.

    Raises:
        ConfigError: if a number is out of range.
    """

    macros: MacroModel
    cost: Cost
    horizon: int = 5
    samples: int = 256
    iterations: int = 4
    elites: int = 16
    std: float = 0.1

    def __post_init__(self) -> None:
        limited("MacroSearch", HORIZON, horizon=self.horizon)
        limited("MacroSearch", SAMPLES, samples=self.samples)
        limited("MacroSearch", ITERATIONS, iterations=self.iterations)
        whole = self.horizon >= 1 and self.iterations >= 1 and 1 <= self.elites <= self.samples
        if not (whole and 0 <= self.std <= 10):
            raise ConfigError(
                "MacroSearch needs horizon and iterations >= 1, 1 <= elites <= samples and std from 0 to 10; got "
                f"{self.horizon}, {self.iterations}, {self.elites}, {self.samples} and {self.std}."
            )

    def __str__(self) -> str:
        one = self.macros.config
        return f"{self.horizon} macro-actions of {one.stride} blocks ahead, {len(self.macros.recorded)} recorded"

    def require_model(self, model: WorldModel) -> None:
        """Refuse a world model that the macro-actions do not fit.

        Raises:
            ConfigError: if its blocks are of another size.
        """
        block = model.frameskip * model.spec.action.size
        if block != self.macros.config.block:
            raise ConfigError(
                f"the macro-actions are for blocks of {self.macros.config.block} numbers; the model has {block}. Train "
                "them on this model: tacit.training.macros.train_macros."
            )

    def targets(self, situation: Situation) -> Targets:
        """Return the latents to plan toward: those after the first macro-action of a plan to the goals.

        In a world that is within the usual reach of a macro-action from its goal, and in one without a plan, it is the
        goal itself.

        Raises:
            SpecError: if there is no goal.
        """
        start, goal = situation.context.latents[:, -1], situation.goal
        if not isinstance(goal, Tensor):
            raise SpecError("planning with macro-actions needs a goal: start(goal=...).")
        plan = self(start, goal, situation.noise.spawn(STREAM))
        near = (goal - start).abs().mean(dim=1) <= self.macros.reach.to(start)
        return Targets(torch.where((near | ~plan.energy.isfinite())[:, None], goal, plan.latents[:, 0]))

    @torch.no_grad()
    def __call__(self, start: Tensor, goal: Tensor, noise: Noise) -> MacroPlan:
        """Return the best sequences from latents ``[B, D]`` to the latents of goals ``[B, D]``."""
        bank, (low, high) = self.macros.recorded.to(start), self.macros.box.to(start)
        half, shape = (high - low) / 2, (self.samples, self.horizon)
        index = torch.from_numpy(noise.uniform(0, shape)).to(start.device)
        anchors = bank[(index * len(bank)).long().clamp(max=len(bank) - 1)].clamp(low, high)
        elites = self._elites(start, goal, anchors, anchors)
        mean, std = torch.zeros_like(anchors[:, 0]), self.std * half.expand_as(anchors[:, 0])
        for round in range(1, self.iterations):
            drawn = torch.from_numpy(noise.normal(round, (*shape, len(low)))).to(start)
            about = elites.anchors[:, torch.arange(self.samples, device=start.device) % self.elites]
            near = (about + mean[:, None] + std[:, None] * drawn).clamp(low, high)
            tried, anchors = torch.cat([elites.macros, near], dim=1), torch.cat([elites.anchors, about], dim=1)
            elites = self._elites(start, goal, tried, anchors)
            residual = elites.macros - elites.anchors
            mean, std = residual.mean(dim=1), residual.std(dim=1, correction=0).maximum(SMALLEST * half)
        offset = ((elites.macros[:, 0] - elites.anchors[:, 0]) / half.clamp(min=1e-6)).norm(dim=-1).amax(dim=1)
        return MacroPlan(elites.macros[:, 0], elites.latents[:, 0], elites.energy[:, 0], offset)

    def _elites(self, start: Tensor, goal: Tensor, macros: Tensor, anchors: Tensor) -> _Elites:
        """Return the best of macro-actions ``[B, S, H, M]``; energies that are not finite are infinite."""
        latents = self.macros.rollout(start[:, None].expand(-1, macros.shape[1], -1), macros)
        energy = self.cost(Rollout(start, latents, macros, goal))
        energy = torch.where(energy.isfinite(), energy, torch.inf)
        order = energy.argsort(dim=1, stable=True)[:, : self.elites]
        return _Elites(*(_taken(part, order) for part in (macros, anchors, latents, energy)))


def _taken(values: Tensor, order: Tensor) -> Tensor:
    """Return the entries ``[B, K, ...]`` of values ``[B, S, ...]`` at an index ``[B, K]``."""
    return values[torch.arange(len(order), device=order.device)[:, None], order]
