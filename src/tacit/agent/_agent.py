"""The agent: a world model, a planner and a cost."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Protocol

import torch
from torch import Generator, Tensor

from tacit.agent._blocks import BlockActor, Model
from tacit.agent._saving import Settings, read, write
from tacit.agent._state import AgentState
from tacit.errors import ConfigError, PlanningError, SpecError
from tacit.types import Cost, Planner

__all__ = ["Agent", "Proposal"]

PROPOSED = 16
"""Candidates that a proposal is asked for at each decision."""


class Proposal(Protocol):
    """A policy that suggests plans, for example a :class:`tacit.models.GoalPolicy`."""

    def propose(
        self, latents: Tensor, goal: Tensor, horizon: int, count: int, generator: Generator, model: Model
    ) -> Tensor:
        """Latents and goals ``[B, D]`` to ``count`` plans of raw action blocks, ``[B, count, horizon, A']``."""


class Agent(BlockActor):
    """Plans in latent space, carries out the first blocks of the plan, looks, plans again.

    An agent holds no state: :meth:`start` makes one and :meth:`act` returns the next. Every world of a batch
    is planned for at once. If planning fails, the agent goes on with its last plan, or stays idle where
    there is none, and the verdict of these acts is not ok.

    Args:
        model: A :class:`tacit.models.WorldModel` or anything like it.
        planner: Searches raw actions; it is never told of success.
        cost: Energy of imagined latents.
        horizon: Blocks to look ahead.
        execute: Blocks to carry out before planning again.
        deadline: Step after the start at which the agent is to have arrived: it never looks beyond it, so that
            with a cost of the ``last`` step it neither puts arrival off nor leaves again. None: there is none.
        hold: The planner searches one raw action a block, which is repeated ``frameskip`` times; otherwise
            every raw action is free, and a plan has ``horizon * frameskip`` rows.
        proposal: Suggests candidates for the first round of each search.

    Raises:
        ConfigError: unless ``1 <= execute <= horizon`` and the deadline is above 0.
    """

    def __init__(
        self,
        model: Model,
        planner: Planner,
        cost: Cost,
        *,
        horizon: int,
        execute: int = 1,
        deadline: int | None = None,
        hold: bool = False,
        proposal: Proposal | None = None,
    ) -> None:
        if not 1 <= execute <= horizon:
            raise ConfigError(f"Agent needs 1 <= execute <= horizon; got execute={execute}, horizon={horizon}.")
        if deadline is not None and deadline < 1:
            raise ConfigError(f"a deadline is a number of steps after the start, at least 1; got {deadline}.")
        super().__init__(model)
        self.planner = planner
        self.cost = cost
        self.horizon = horizon
        self.execute = execute
        self.deadline = deadline
        self.hold = hold
        self.proposal = proposal

    def _decide(self, state: AgentState, generator: Generator) -> AgentState:
        rows = 1 if self.hold else self.frameskip
        horizon = self._ahead(state.step)
        warm_start = None if state.warm_start is None else state.warm_start[:, : horizon * rows]

        def score(actions: Tensor) -> Tensor:
            blocks = self._blocks(actions)
            return self.cost(self._rollout(state, blocks), blocks, state.goal)

        try:
            found = self.planner(
                score,
                self.space,
                horizon=horizon * rows,
                batch=state.batch,
                generator=generator,
                warm_start=warm_start,
                proposals=self._proposals(state, horizon, generator),
            )
        except PlanningError as error:
            actions = self._idle(state.batch, horizon * rows) if warm_start is None else warm_start
            state = replace(state, reason=f"planning failed: {error}")
        else:
            actions = found.actions
            state = replace(state, plan=found, reason="")
        taken = min(self.execute, horizon) * rows
        queue = actions[:, :taken].repeat_interleave(self.frameskip // rows, dim=1)
        # The row that the shift leaves open repeats the last one.
        warm_start = torch.cat([actions[:, taken:], actions[:, -1:].expand(-1, taken, -1)], dim=1)
        return replace(state, queue=queue.cpu().numpy(), warm_start=warm_start)

    def _ahead(self, step: int) -> int:
        """Blocks to look ahead at a step: the horizon, but not beyond the deadline, and at least one."""
        if self.deadline is None:
            return self.horizon
        return min(self.horizon, max(-(-(self.deadline - step) // self.frameskip), 1))

    def _blocks(self, actions: Tensor) -> Tensor:
        """Rows of a plan ``[B, S, rows, A]`` as action blocks ``[B, S, H, A']``."""
        if self.hold:
            return actions.repeat(1, 1, 1, self.frameskip)
        return actions.reshape(*actions.shape[:2], -1, self.frameskip * self.space.size)

    def _proposals(self, state: AgentState, horizon: int, generator: Generator) -> Tensor | None:
        """``[B, P, rows, A]``; a held action is the mean of its block."""
        if self.proposal is None:
            return None
        if state.goal is None or state.latents is None:
            raise SpecError("a proposal needs a goal: start(goal=...).")
        blocks = self.proposal.propose(state.latents[:, -1], state.goal, horizon, PROPOSED, generator, self.model)
        raw = blocks.reshape(*blocks.shape[:3], self.frameskip, self.space.size)
        return raw.mean(dim=3) if self.hold else raw.flatten(2, 3)

    def save(self, path: str | Path) -> None:
        """Write the agent, atomically: its model's checkpoint with how it plans and its policy beside it.

        Raises:
            ConfigError: if the model is no :class:`tacit.models.WorldModel`, the proposal no
                :class:`tacit.models.GoalPolicy`, or the planner or a cost no dataclass of its registry.
            CheckpointError: if something else is at ``path``.
        """
        settings = Settings(self.planner, self.cost, self.horizon, self.execute, self.hold, self.deadline)
        write(Path(path), self.model, settings, self.proposal)

    @classmethod
    def load(cls, path: str | Path, device: str | torch.device = "cpu") -> Agent:
        """Read an agent that :meth:`save` wrote.

        Args:
            path: Where it is.
            device: Where it is to compute.

        Raises:
            CheckpointError: if it is missing, incomplete or damaged, or names what is not installed.
        """
        model, found, proposal = read(Path(path), device)
        return cls(
            model,
            found.planner,
            found.cost,
            horizon=found.horizon,
            execute=found.execute,
            deadline=found.deadline,
            hold=found.hold,
            proposal=proposal,
        )
