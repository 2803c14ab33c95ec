"""The agent: a world model, a planner and a cost."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import torch
from torch import Generator, Tensor

from tacit._limits import HORIZON, limited
from tacit.agent._blocks import BlockActor, Model, Proposal
from tacit.agent._saving import Settings, read, write
from tacit.agent._state import AgentState, numbered
from tacit.errors import CheckpointError, ConfigError, PlanningError
from tacit.types import Cost, Planner, Score

__all__ = ["Agent"]

PROPOSED = 16
"""Candidates that a proposal is asked for at each decision."""


class Agent(BlockActor):
    """Plans in latent space, carries out the first blocks of the plan, looks, plans again.

    An agent holds no state: :meth:`start` makes one and :meth:`act` returns the next. Every world of a batch
    is planned for at once. Where planning fails, that world goes on with its last plan, or stays idle if there
    is none, and the verdict of these acts is not ok; the other worlds act as they would without it.

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
        limited("Agent", HORIZON, horizon=horizon)
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

        fallback = self._idle(state.batch, horizon * rows) if warm_start is None else warm_start

        def energy(actions: Tensor) -> Tensor:
            blocks = self._blocks(actions)
            return self.cost(self._rollout(state, blocks), blocks, state.goal)

        score = _WorldByWorld(energy)
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
            actions = fallback
            state = replace(state, reason=f"planning failed: {error}")
        else:
            failed = score.failed.to(found.actions.device)
            actions = torch.where(failed[:, None, None], fallback, found.actions)
            plan = replace(found, actions=actions, energy=found.energy.masked_fill(failed, torch.nan))
            state = replace(state, plan=plan, reason=score.reason)
        taken = min(self.execute, horizon) * rows
        queue = self.raw(actions[:, :taken])
        # The row that the shift leaves open repeats the last one.
        warm_start = torch.cat([actions[:, taken:], actions[:, -1:].expand(-1, taken, -1)], dim=1)
        return replace(state, queue=queue.cpu().numpy(), warm_start=warm_start)

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

    def _proposals(self, state: AgentState, horizon: int, generator: Generator) -> Tensor | None:
        """``[B, P, rows, A]``; a held action is the mean of its block."""
        if self.proposal is None:
            return None
        raw = self._propose(self.proposal, state, horizon, PROPOSED, generator)
        return raw.mean(dim=3) if self.hold else raw.flatten(2, 3)

    def save(self, path: str | Path) -> None:
        """Write the agent, atomically: its model's checkpoint with how it plans and its policy beside it.

        Raises:
            ConfigError: if the model is none of :mod:`tacit.models` that imagines, the proposal no
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
        try:
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
        except ConfigError as error:
            raise CheckpointError(f"the agent in {path} cannot be built here: {error}") from error


class _WorldByWorld:
    """A score in which a world that has failed keeps no other from being planned for: its energies become zero.

    A world has failed if none of the candidates that are scored first has a finite energy. If all have, the
    energies stay as they are, and the planner says what is wrong.
    """

    def __init__(self, score: Score) -> None:
        self._score = score
        self.failed = torch.zeros(1, dtype=torch.bool)
        self._judged = False

    def __call__(self, actions: Tensor, /) -> Tensor:
        energies = self._score(actions)
        if energies.shape != actions.shape[:2]:
            return energies
        if not self._judged:
            hopeless = ~energies.isfinite().any(dim=1)
            self.failed, self._judged = hopeless & ~hopeless.all(), True
        return energies.masked_fill(self.failed[:, None], 0.0)

    @property
    def reason(self) -> str:
        """What to say of the worlds that have failed; empty if none has."""
        if not bool(self.failed.any()):
            return ""
        return (
            f"planning failed: {numbered(self.failed)}: none of the first candidates has a finite energy. "
            "Look for NaN in the observation, and for overflow in the model or the cost."
        )
