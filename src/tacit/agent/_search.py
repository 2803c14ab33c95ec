"""The decider that searches raw actions with a planner."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from tacit.agent._config import AgentConfig
from tacit.agent._deadline import Deadline
from tacit.agent._proposal import Proposal, propose
from tacit.errors import SpecError
from tacit.nn.kernels import low_precision
from tacit.planners import as_energies
from tacit.types import Plan, Problem, Rollout, Scored, Situation, WorldModel

__all__ = ["FlatSearch"]

NO_SCORE = (
    "planning failed: no candidate has a finite score. Look for NaN in the observation, and for overflow in the model "
    "or the cost."
)
CHUNK = 32
"""Candidates of a world that are rated between two looks at the clock."""


@dataclass(frozen=True)
class FlatSearch:
    """A decider that searches raw actions on one time scale.

    Args:
        model: The source of predictions.
        config: Planner, cost, horizon and limits.
        proposal: A policy that suggests candidates for the first round.
    """

    model: WorldModel
    config: AgentConfig
    proposal: Proposal | None = None

    def __call__(self, situation: Situation, /) -> Plan:
        """See :class:`tacit.types.Decider`."""
        horizon, carried = self._ahead(situation.steps), self._carried(situation)

        def exact(actions: Tensor) -> Scored | Tensor:
            return self._scored(self._rollout(situation, actions, carried), actions)

        def approximate(actions: Tensor) -> Scored | Tensor:
            with low_precision():
                rollout = self._rollout(situation, actions, carried)
            return self._scored(rollout, actions)

        low = self.config.precision == "low"
        found = self.config.planner(
            Problem(
                approximate if low else exact,
                situation.space,
                horizon * self._rows,
                situation.noise,
                device=self.model.device,
                warm_start=self._warm_start(situation.previous, horizon * self._rows),
                proposals=self._proposals(situation, horizon),
                project=situation.project,
                stop=None if situation.due is None else Deadline(situation.due),
                chunk=None if situation.due is None else CHUNK,
                exact=exact if low else None,
            )
        )
        reasons = tuple(NO_SCORE if failed else "" for failed in found.failed.tolist())
        slacks = self._slacks(situation, found.actions, carried)
        actions = found.actions.repeat_interleave(self._repeats, dim=1)
        return replace(found, actions=actions, reasons=reasons, slacks=slacks)

    @property
    def _rows(self) -> int:
        """Return the number of rows of a search for each block."""
        return 1 if self.config.repeat_action else self.model.frameskip

    @property
    def _repeats(self) -> int:
        """Return the number of raw actions of one row."""
        return self.model.frameskip if self.config.repeat_action else 1

    def _ahead(self, steps: tuple[int, ...]) -> int:
        """Return the blocks to plan ahead: the horizon, but not beyond ``arrive_by``; at least one.

        Raises:
            SpecError: if the worlds are at different distances from ``arrive_by``.
        """
        if self.config.arrive_by is None:
            return self.config.horizon
        left = {max((self.config.arrive_by - step) // self.model.frameskip, 1) for step in steps}
        found = {min(self.config.horizon, blocks) for blocks in left}
        if len(found) > 1:
            raise SpecError(
                f"worlds at steps {sorted(set(steps))} have different numbers of blocks left until "
                f"arrive_by={self.config.arrive_by}; batch worlds of one step."
            )
        return found.pop()

    def _carried(self, situation: Situation) -> Tensor | None:
        """Return what the carrier holds ``[B, M]``; None without a carrier."""
        carrier, carry = self.config.carrier, situation.context.carry
        if carrier is None or carry is None:
            return None
        with torch.no_grad():
            carried: Tensor = carrier.read(carry)
        return carried

    def _rollout(self, situation: Situation, actions: Tensor, carried: Tensor | None) -> Rollout:
        """Return the rollout of rows of a search ``[B, S, rows, A]``."""
        context, blocks, parts = situation.context, self._blocks(actions), self.model.latent_parts
        imagined = self.model.rollout(context, blocks)
        return Rollout(context.latents[:, -1], imagined, blocks, situation.goal, parts, carried=carried)

    def _slacks(self, situation: Situation, actions: Tensor, carried: Tensor | None) -> dict[str, Tensor]:
        """Return the predicted slack ``[B, H]`` of each block of a plan ``[B, rows, A]``, by constraint."""
        limits = self.config.margin_constraints
        if not limits:
            return {}
        with torch.no_grad():
            rollout = self._rollout(situation, actions[:, None], carried)
            return {name: constraint.slacks(rollout)[:, 0] for name, constraint in limits.items()}

    def _scored(self, rollout: Rollout, actions: Tensor) -> Scored | Tensor:
        """Return the energy of a rollout and, where there are constraints, its violation."""
        energy: Tensor = as_energies(self.config.cost(rollout), actions)
        violations = [constraint(rollout).amax(dim=2) for constraint in self.config.rollout_constraints]
        return Scored(energy, torch.stack(violations).amax(dim=0)) if violations else energy

    def _blocks(self, actions: Tensor) -> Tensor:
        """Convert rows of a search ``[B, S, rows, A]`` to action blocks ``[B, S, H, A']``."""
        if self.config.repeat_action:
            return actions.repeat(1, 1, 1, self.model.frameskip)
        return actions.reshape(*actions.shape[:2], -1, self.model.frameskip * actions.shape[-1])

    def _warm_start(self, previous: Tensor | None, length: int) -> Tensor | None:
        """Return the last plan as ``length`` rows."""
        if previous is None:
            return None
        rows = previous[:, :: self._repeats][:, :length]
        return torch.cat([rows, rows[:, -1:].expand(-1, length - rows.shape[1], -1)], dim=1)

    def _proposals(self, situation: Situation, horizon: int) -> Tensor | None:
        """Return proposals ``[B, P, rows, A]``; a repeated action is the mean of its block."""
        if self.proposal is None:
            return None
        raw = propose(self.proposal, situation, horizon, self.config.proposals, self.model)
        return raw.mean(dim=3) if self.config.repeat_action else raw.flatten(2, 3)
