"""The agent: a world model, a planner and a cost."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import fields, replace
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from tacit._files import resolve
from tacit._registry import suggest
from tacit.agent._blocks import BlockActor
from tacit.agent._config import AgentConfig
from tacit.agent._fallback import NamedFallback
from tacit.agent._proposal import Proposal
from tacit.agent._saving import read, write
from tacit.agent._state import AgentState
from tacit.errors import CheckpointError, ConfigError
from tacit.planners import as_energies
from tacit.types import Cost, FallbackPolicy, Plan, Planner, Problem, Rollout, Scored, WorldModel

__all__ = ["Agent"]

NO_SCORE = (
    "planning failed: no candidate has a finite score. Look for NaN in the observation, and for overflow in the model "
    "or the cost."
)
BROKEN = "planning failed: the plan is not finite."
PROPOSED = 16
"""The number of candidates that a proposal returns at each decision."""


class Agent(BlockActor):
    """An actor that plans in latent space, executes the first blocks of the plan, observes and replans.

    An agent holds no state: :meth:`start` makes one and :meth:`act` returns the next. All worlds of a batch are planned
    for at once. A world whose planning fails continues with the rest of its last valid plan and then with the fallback,
    and the verdict of these acts is not ok; the other worlds act as they would without it.

    Args:
        model: A :class:`tacit.models.WorldModel` or another :class:`tacit.types.WorldModel`.
        planner: The planner, which searches raw actions.
        cost: Energy of imagined latents.
        horizon: Blocks to plan ahead.
        proposal: A policy that suggests candidates for the first round of each search.
        options: Further fields of :class:`AgentConfig`, such as ``replan_every`` and ``constraints``.

    Raises:
        ConfigError: if an option is unknown or out of range, or the fallback or a constraint does not fit the action
            space.
    """

    def __init__(
        self,
        model: WorldModel,
        planner: Planner,
        cost: Cost,
        *,
        horizon: int,
        proposal: Proposal | None = None,
        **options: Any,
    ) -> None:
        known = [option.name for option in fields(AgentConfig)]
        for name in options:
            if name not in known:
                raise ConfigError(f"Agent has no option {name!r}.{suggest(name, known)}")
        self._begin(model, AgentConfig(planner, cost, horizon, **options), proposal)

    def _begin(self, model: WorldModel, config: AgentConfig, proposal: Proposal | None) -> None:
        for constraint in config.rollout_constraints:
            if not callable(constraint):
                raise ConfigError(
                    "constraints are those of tacit.constraints, or have limited and after, or are functions of a "
                    f"rollout; got {constraint!r}."
                )
        super().__init__(model, config.fallback, config.action_constraints)
        self.config, self.proposal = config, proposal

    @classmethod
    def of(cls, model: WorldModel, config: AgentConfig, proposal: Proposal | None = None) -> Agent:
        """Return an agent with the given settings, such as those of another one with replaced fields."""
        agent = cls.__new__(cls)
        agent._begin(model, config, proposal)
        return agent

    @property
    def _rows(self) -> int:
        """Return the number of rows of a plan for each block."""
        return 1 if self.config.repeat_action else self.frameskip

    def _decide(self, state: AgentState) -> AgentState:
        horizon = self._ahead(state.step)
        length = horizon * self._rows

        context = self._context(state)

        def score(actions: Tensor) -> Scored | Tensor:
            blocks = self._blocks(actions)
            imagined = self.model.rollout(context, blocks)
            return self._scored(
                Rollout(context.latents[:, -1], imagined, blocks, state.goal, self.model.latent_parts), actions
            )

        found = self.config.planner(
            Problem(
                score,
                self._limits.space,
                length,
                self._noise(state),
                device=self.model.device,
                warm_start=None if state.warm_start is None else state.warm_start[:, :length],
                proposals=self._proposals(state, horizon),
                project=self._limits.after(self._previous(state)),
                stop=_deadline(self.config.deadline_ms),
            )
        )
        broken = ~found.actions.isfinite().flatten(1).all(dim=1)
        reasons = [NO_SCORE if failed else BROKEN for failed in found.failed.tolist()]
        return self._carry_out(state, found, found.failed | broken, reasons)

    def _scored(self, rollout: Rollout, actions: Tensor) -> Scored | Tensor:
        """Return the energy of a rollout and, where there are constraints, its violation."""
        energy: Tensor = as_energies(self.config.cost(rollout), actions)
        violations = [constraint(rollout).amax(dim=2) for constraint in self.config.rollout_constraints]
        return Scored(energy, torch.stack(violations).amax(dim=0)) if violations else energy

    def _fail(self, state: AgentState, reason: str) -> AgentState:
        failed = torch.ones(state.batch, dtype=torch.bool, device=self.model.device)
        return self._carry_out(state, None, failed, [reason] * state.batch)

    def _carry_out(self, state: AgentState, found: Plan | None, failed: Tensor, reasons: Sequence[str]) -> AgentState:
        """Return the state with a plan to execute, and with the substitute in the worlds that failed."""
        horizon = self._ahead(state.step)
        length, taken = horizon * self._rows, min(self.config.replan_every, horizon) * self._rows
        worlds = failed.cpu().numpy()
        falls = worlds[:, None] & (np.arange(length) >= state.left[:, None])
        if found is not None and not worlds.any():
            actions = found.actions
        else:
            actions = self._instead(state, falls)
            if found is not None:
                actions = torch.where(failed[:, None, None], actions.to(found.actions.device), found.actions)
        actions = self._limits.project(actions, self._previous(state))
        if found is not None:
            plan = replace(found, actions=actions, energy=found.energy.masked_fill(failed, torch.nan))
            state = replace(state, plan=plan)
        # The row that the shift frees repeats the last one.
        warm_start = torch.cat([actions[:, taken:], actions[:, -1:].expand(-1, taken, -1)], dim=1)
        return replace(
            state,
            queue=self.raw(actions[:, :taken]).cpu().numpy(),
            falls=np.repeat(falls[:, :taken], self.frameskip if self.config.repeat_action else 1, axis=1),
            failed=worlds,
            left=np.where(worlds, np.maximum(state.left - taken, 0), length - taken),
            reasons=tuple(reason if one else "" for one, reason in zip(worlds, reasons, strict=True)),
            warm_start=warm_start,
        )

    def _instead(self, state: AgentState, falls: npt.NDArray[np.bool_]) -> Tensor:
        """Return the rest of the last plan ``[B, rows, A]``, with an estimate of the fallback where it ``falls``."""
        length = falls.shape[1]
        actions = self._stand_in(state)[:, None].expand(-1, length, -1)
        if state.warm_start is None:
            return actions
        going_on = torch.from_numpy(~falls).to(actions.device)[:, :, None]
        return torch.where(going_on, state.warm_start[:, :length].to(actions.device), actions)

    def _ahead(self, step: int) -> int:
        """Return the blocks to plan ahead at a step: the horizon, but not beyond ``arrive_by``; at least one."""
        if self.config.arrive_by is None:
            return self.config.horizon
        return min(self.config.horizon, max((self.config.arrive_by - step) // self.frameskip, 1))

    def raw(self, plan: Tensor) -> Tensor:
        """Convert a plan ``[B, rows, A]`` of the planner to raw actions ``[B, steps, A]``."""
        return plan.repeat_interleave(self.frameskip if self.config.repeat_action else 1, dim=1)

    def _blocks(self, actions: Tensor) -> Tensor:
        """Convert rows of a plan ``[B, S, rows, A]`` to action blocks ``[B, S, H, A']``."""
        if self.config.repeat_action:
            return actions.repeat(1, 1, 1, self.frameskip)
        return actions.reshape(*actions.shape[:2], -1, self.frameskip * self.space.size)

    def _proposals(self, state: AgentState, horizon: int) -> Tensor | None:
        """Return proposals ``[B, P, rows, A]``; a repeated action is the mean of its block."""
        if self.proposal is None:
            return None
        raw = self._propose(self.proposal, state, horizon, PROPOSED)
        return raw.mean(dim=3) if self.config.repeat_action else raw.flatten(2, 3)

    def __str__(self) -> str:
        config = self.config
        count = sum(p.numel() for p in self.model.parameters()) if isinstance(self.model, nn.Module) else 0
        size = f" of {count / 1e6:.2g} million parameters" if count else ""
        action = "one action a block" if config.repeat_action else "every action free"
        rows = [
            f"agent with a {type(self.model).__name__}{size}",
            f"  plans {config.horizon} blocks of {self.frameskip} steps ahead, {action}, anew after "
            f"{config.replan_every}",
            f"  planner      {config.planner}",
            f"  cost         {config.cost}",
            f"  fallback     {config.fallback or 'what does nothing by the kinds of the actions'}",
        ]
        rows += [f"  constraint   {constraint}" for constraint in config.constraints]
        return "\n".join(rows)

    def save(self, path: str | Path) -> None:
        """Write the agent, atomically: its model's checkpoint, its settings and its policy.

        Raises:
            ConfigError: if the model is none of :mod:`tacit.models` that imagines, the proposal no
                :class:`tacit.models.GoalPolicy`, the fallback a policy, or the planner, a cost or a constraint no
                dataclass of its registry.
            CheckpointError: if something else is at ``path``.
        """
        write(resolve(path), self.model, self.config, self.proposal)

    @classmethod
    def load(
        cls,
        path: str | Path,
        device: str | torch.device = "cpu",
        *,
        fallback: NamedFallback | FallbackPolicy | None = None,
    ) -> Agent:
        """Read an agent that :meth:`save` wrote.

        Args:
            path: The path of the agent, or the directory of the run that trained it.
            device: The device to load it on.
            fallback: A replacement of the saved fallback; None: the saved one.

        Raises:
            CheckpointError: if it is missing, incomplete or damaged, or names a component that is not installed.
            ConfigError: if ``fallback`` does not fit it.
        """
        place = resolve(path)
        if (place / "run.json").is_file() and (place / "agent").is_dir():
            place = place / "agent"
        model, config, proposal = read(place, device)
        try:
            agent = cls.of(model, config, proposal)
        except ConfigError as error:
            raise CheckpointError(f"the agent in {path} cannot be built here: {error}") from error
        return agent if fallback is None else cls.of(model, replace(config, fallback=fallback), proposal)


def _deadline(milliseconds: float | None) -> Callable[[], bool] | None:
    """Return a function that returns whether this much time has passed since now."""
    if milliseconds is None:
        return None
    end = perf_counter() + milliseconds / 1e3
    return lambda: perf_counter() >= end
