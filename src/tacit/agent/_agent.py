"""The agent: a world model, a planner and a cost."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from tacit._files import resolve
from tacit._limits import HORIZON, limited
from tacit.agent._blocks import BlockActor
from tacit.agent._fallback import NamedFallback
from tacit.agent._proposal import Proposal
from tacit.agent._saving import Settings, read, write
from tacit.agent._state import AgentState, numbered
from tacit.errors import CheckpointError, ConfigError
from tacit.types import ActionConstraint, Cost, FallbackPolicy, Plan, Planner, Problem, Rollout, WorldModel

__all__ = ["Agent"]

PROPOSED = 16
"""Candidates that a proposal is asked for at each decision."""


class Agent(BlockActor):
    """Plans in latent space, carries out the first blocks of the plan, looks, plans again.

    An agent holds no state: :meth:`start` makes one and :meth:`act` returns the next. Every world of a batch
    is planned for at once. Where planning fails, that world goes on with the rest of its last valid plan and then with
    the fallback, and the verdict of these acts is not ok; the other worlds act as they would without it.

    Args:
        model: A :class:`tacit.models.WorldModel` or anything like it.
        planner: Searches raw actions; it is never told of success.
        cost: Energy of imagined latents.
        horizon: Blocks to look ahead.
        execute: Blocks to carry out before planning again.
        deadline: Step after the start at which the agent is to have arrived: it looks ahead as many whole blocks
            as end by then, and one at least, so that with a cost of the ``last`` step it neither puts arrival off
            nor leaves again. None: there is none.
        hold: The planner searches one raw action a block, which is repeated ``frameskip`` times; otherwise
            every raw action is free, and a plan has ``horizon * frameskip`` rows.
        proposal: Suggests candidates for the first round of each search.
        fallback: Actions of a world that has no plan. ``noop``: what does nothing by the kind of each component, which
            is its current position for a ``position`` and zero otherwise; ``last_action``: the last executed action
            again; or a :class:`tacit.types.FallbackPolicy`, in whose place one of the others acts where it fails.
            None: ``noop``, but :meth:`start` refuses where the Spec does not say which action does nothing.
        constraints: Restrictions that every candidate of a search and every action keep to, such as those of
            :mod:`tacit.constraints`; for a :class:`tacit.types.Box`.

    Raises:
        ConfigError: unless ``1 <= execute <= horizon`` and the deadline is above 0, or if the fallback or a constraint
            does not fit the action space.
    """

    def __init__(
        self,
        model: WorldModel,
        planner: Planner,
        cost: Cost,
        *,
        horizon: int,
        execute: int = 1,
        deadline: int | None = None,
        hold: bool = False,
        proposal: Proposal | None = None,
        fallback: NamedFallback | FallbackPolicy | None = None,
        constraints: Sequence[ActionConstraint] = (),
    ) -> None:
        limited("Agent", HORIZON, horizon=horizon)
        if not 1 <= execute <= horizon:
            raise ConfigError(f"Agent needs 1 <= execute <= horizon; got execute={execute}, horizon={horizon}.")
        if deadline is not None and deadline < 1:
            raise ConfigError(f"a deadline is a number of steps after the start, at least 1; got {deadline}.")
        super().__init__(model, fallback, constraints)
        self.planner = planner
        self.cost = cost
        self.horizon = horizon
        self.execute = execute
        self.deadline = deadline
        self.hold = hold
        self.proposal = proposal

    @property
    def _rows(self) -> int:
        """Rows of a plan for each block."""
        return 1 if self.hold else self.frameskip

    def _decide(self, state: AgentState) -> AgentState:
        horizon = self._ahead(state.step)
        length = horizon * self._rows

        context = self._context(state)

        def energy(actions: Tensor) -> Tensor:
            blocks, parts = self._blocks(actions), self.model.latent_parts
            imagined = self.model.rollout(context, blocks)
            energies: Tensor = self.cost(Rollout(context.latents[:, -1], imagined, blocks, state.goal, parts))
            return energies

        found = self.planner(
            Problem(
                energy,
                self._limits.space,
                length,
                self._noise(state),
                device=self.model.device,
                warm_start=None if state.warm_start is None else state.warm_start[:, :length],
                proposals=self._proposals(state, horizon),
                project=self._limits.after(self._previous(state)),
            )
        )
        broken = ~(found.energy.isfinite() & found.actions.isfinite().flatten(1).all(dim=1))
        reasons = []
        if bool(found.failed.any()):
            reasons.append(
                f"{numbered(found.failed.cpu())}: no candidate has a finite energy. Look for NaN in the observation, "
                "and for overflow in the model or the cost."
            )
        if bool((broken & ~found.failed).any()):
            reasons.append(f"{numbered((broken & ~found.failed).cpu())}: the plan is not finite.")
        reason = f"planning failed: {' '.join(reasons)}" if reasons else ""
        return self._carry_out(state, found, found.failed | broken, reason)

    def _fail(self, state: AgentState, reason: str) -> AgentState:
        failed = torch.ones(state.batch, dtype=torch.bool, device=self.model.device)
        return self._carry_out(state, None, failed, reason)

    def _carry_out(self, state: AgentState, found: Plan | None, failed: Tensor, reason: str) -> AgentState:
        """Return the state with a plan to carry out, and in the worlds that failed what is done instead."""
        horizon = self._ahead(state.step)
        length, taken = horizon * self._rows, min(self.execute, horizon) * self._rows
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
        # The row that the shift leaves open repeats the last one.
        warm_start = torch.cat([actions[:, taken:], actions[:, -1:].expand(-1, taken, -1)], dim=1)
        return replace(
            state,
            queue=self.raw(actions[:, :taken]).cpu().numpy(),
            falls=np.repeat(falls[:, :taken], self.frameskip if self.hold else 1, axis=1),
            failed=worlds,
            left=np.where(worlds, np.maximum(state.left - taken, 0), length - taken),
            reason=reason,
            warm_start=warm_start,
        )

    def _instead(self, state: AgentState, falls: npt.NDArray[np.bool_]) -> Tensor:
        """Return the rest of the last plan ``[B, rows, A]``, and about what the fallback will do where it ``falls``."""
        length = falls.shape[1]
        actions = self._stand_in(state)[:, None].expand(-1, length, -1)
        if state.warm_start is None:
            return actions
        going_on = torch.from_numpy(~falls).to(actions.device)[:, :, None]
        return torch.where(going_on, state.warm_start[:, :length].to(actions.device), actions)

    def _ahead(self, step: int) -> int:
        """Blocks to look ahead at a step: the horizon, but not beyond the deadline; at least one."""
        if self.deadline is None:
            return self.horizon
        return min(self.horizon, max((self.deadline - step) // self.frameskip, 1))

    def raw(self, plan: Tensor) -> Tensor:
        """A plan ``[B, rows, A]`` of the planner as raw actions ``[B, steps, A]``."""
        return plan.repeat_interleave(self.frameskip if self.hold else 1, dim=1)

    def _blocks(self, actions: Tensor) -> Tensor:
        """Rows of a plan ``[B, S, rows, A]`` as action blocks ``[B, S, H, A']``."""
        if self.hold:
            return actions.repeat(1, 1, 1, self.frameskip)
        return actions.reshape(*actions.shape[:2], -1, self.frameskip * self.space.size)

    def _proposals(self, state: AgentState, horizon: int) -> Tensor | None:
        """``[B, P, rows, A]``; a held action is the mean of its block."""
        if self.proposal is None:
            return None
        raw = self._propose(self.proposal, state, horizon, PROPOSED)
        return raw.mean(dim=3) if self.hold else raw.flatten(2, 3)

    def __str__(self) -> str:
        count = sum(p.numel() for p in self.model.parameters()) if isinstance(self.model, nn.Module) else 0
        size = f" of {count / 1e6:.2g} million parameters" if count else ""
        action = "one action a block" if self.hold else "every action free"
        rows = [
            f"agent with a {type(self.model).__name__}{size}",
            f"  plans {self.horizon} blocks of {self.frameskip} steps ahead, {action}, anew after {self.execute}",
            f"  planner      {self.planner}",
            f"  cost         {self.cost}",
            f"  fallback     {self.fallback or 'what does nothing by the kinds of the actions'}",
        ]
        rows += [f"  constraint   {constraint}" for constraint in self.constraints]
        return "\n".join(rows)

    def save(self, path: str | Path) -> None:
        """Write the agent, atomically: its model's checkpoint with how it plans and its policy beside it.

        Raises:
            ConfigError: if the model is none of :mod:`tacit.models` that imagines, the proposal no
                :class:`tacit.models.GoalPolicy`, the fallback a policy, or the planner, a cost or a constraint no
                dataclass of its registry.
            CheckpointError: if something else is at ``path``.
        """
        settings = Settings(
            self.planner,
            self.cost,
            self.horizon,
            self.execute,
            self.hold,
            self.deadline,
            self.fallback,
            self.constraints,
        )
        write(resolve(path), self.model, settings, self.proposal)

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
            path: Where it is.
            device: Where it is to compute.
            fallback: In place of the saved one; None: the saved one.

        Raises:
            CheckpointError: if it is missing, incomplete or damaged, or names what is not installed.
            ConfigError: if ``fallback`` does not fit it.
        """
        model, found, proposal = read(resolve(path), device)
        build = partial(
            cls,
            model,
            found.planner,
            found.cost,
            horizon=found.horizon,
            execute=found.execute,
            deadline=found.deadline,
            hold=found.hold,
            proposal=proposal,
            constraints=found.constraints,
        )
        try:
            agent = build(fallback=found.fallback)
        except ConfigError as error:
            raise CheckpointError(f"the agent in {path} cannot be built here: {error}") from error
        return agent if fallback is None else build(fallback=fallback)
