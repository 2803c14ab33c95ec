"""Baseline actors without a search."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from tacit.agent._blocks import BlockActor
from tacit.agent._fallback import NamedFallback
from tacit.agent._proposal import Proposal
from tacit.agent._state import AgentState
from tacit.errors import ConfigError, SpecError
from tacit.planners import WorldNoise, seeds_of
from tacit.types import ActionConstraint, ActionSpace, Box, FallbackPolicy, Observation, Verdict, WorldModel

__all__ = ["PolicyActor", "RandomActor"]


class PolicyActor(BlockActor):
    """The amortised baseline: a goal-conditioned policy that acts at every block.

    Args:
        model: The source of the latents.
        policy: The policy, whose first proposal of one block is projected into the space and executed; where latent,
            goal or proposal are not finite the fallback acts, and the verdict of the act is not ok.
        fallback: See :class:`tacit.Agent`.
        constraints: See :class:`tacit.Agent`.
    """

    def __init__(
        self,
        model: WorldModel,
        policy: Proposal,
        fallback: NamedFallback | FallbackPolicy | None = None,
        constraints: Sequence[ActionConstraint] = (),
    ) -> None:
        super().__init__(model, fallback, constraints)
        self.policy = policy

    def _decide(self, state: AgentState) -> AgentState:
        if state.goal is None or state.latents is None:
            raise SpecError("PolicyActor needs a goal: start(goal=...).")
        actions = self._propose(self.policy, state, 1, 1)[:, 0, 0].float()
        known = torch.cat([state.latents[:, -1], state.goal, actions.flatten(1)], dim=1)
        failed = ~known.isfinite().all(dim=1)
        return self._carry_out(state, actions, failed, "latent, goal or proposal are not finite")

    def _fail(self, state: AgentState, reason: str) -> AgentState:
        failed = torch.ones(state.batch, dtype=torch.bool, device=self.model.device)
        actions = self._stand_in(state)[:, None].expand(-1, self.frameskip, -1)
        return self._carry_out(state, actions, failed, reason)

    def _carry_out(self, state: AgentState, actions: Tensor, failed: Tensor, reason: str) -> AgentState:
        """Return the state with a block ``[B, frameskip, A]`` to execute, except in the worlds that failed."""
        worlds = failed.cpu().numpy()
        if worlds.any():
            actions = torch.where(failed[:, None, None], self._stand_in(state)[:, None], actions)
        actions = self._limits.project(actions, self._previous(state))
        falls = np.repeat(worlds[:, None], self.frameskip, axis=1)
        reasons = tuple(reason if one else "" for one in worlds)
        return replace(state, queue=actions.cpu().numpy(), falls=falls, failed=worlds, reasons=reasons)


@dataclass(frozen=True)
class RandomState:
    """The state of a :class:`RandomActor`."""

    noise: WorldNoise
    step: int = 0


class RandomActor:
    """The random baseline: actions uniform in the space.

    Args:
        space: The space of one action.
        hold: Steps that each action is repeated for.

    Raises:
        ConfigError: if ``hold`` is below one.
    """

    def __init__(self, space: ActionSpace, hold: int = 1) -> None:
        if hold < 1:
            raise ConfigError(f"RandomActor needs hold >= 1; got {hold}.")
        self.space = space
        self.hold = hold

    def start(self, *, seed: int | Sequence[int], batch: int = 1, goal: Observation | None = None) -> RandomState:
        """See :class:`tacit.types.Actor`; the goal is ignored."""
        del goal
        return RandomState(WorldNoise(tuple(seeds_of(seed, batch))))

    def act(self, state: RandomState, observation: Observation) -> tuple[npt.NDArray[np.float32], Verdict, RandomState]:
        """See :class:`tacit.types.Actor`; the observation is ignored."""
        del observation
        drawn = state.noise.uniform(state.step // self.hold, (self.space.size,))
        if isinstance(self.space, Box):
            low, high = np.array(self.space.low), np.array(self.space.high)
            drawn = (low + (high - low) * drawn).astype(np.float32)
        return self.space.project(drawn), Verdict.acting(len(state.noise)), replace(state, step=state.step + 1)
