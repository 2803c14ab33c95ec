"""Baseline actors without a search."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from tacit.agent._actor import BlockActor
from tacit.agent._fallback import NamedFallback
from tacit.agent._policy import PolicyDecider
from tacit.agent._proposal import Proposal
from tacit.errors import ConfigError
from tacit.planners import WorldNoise, seeds_of
from tacit.types import ActionConstraint, ActionSpace, FallbackPolicy, Observation, Verdict, WorldModel

__all__ = ["PolicyActor", "RandomActor"]


class PolicyActor(BlockActor):
    """The policy baseline: a goal-conditioned policy that acts at every block, without a search.

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
        super().__init__(model, PolicyDecider(model, policy), fallback=fallback, constraints=constraints)
        self.policy = policy


@dataclass(frozen=True)
class RandomState:
    """The state of a :class:`RandomActor`."""

    noise: WorldNoise
    step: int = 0


class RandomActor:
    """The random baseline: actions uniform in the space.

    Args:
        space: The space of one action.
        repeat: Steps that each action is executed for.

    Raises:
        ConfigError: if ``repeat`` is below one.
    """

    def __init__(self, space: ActionSpace, repeat: int = 1) -> None:
        if repeat < 1:
            raise ConfigError(f"RandomActor needs repeat >= 1; got {repeat}.")
        self.space = space
        self.repeat = repeat

    def start(self, *, seed: int | Sequence[int], batch: int = 1, goal: Observation | None = None) -> RandomState:
        """See :class:`tacit.types.Actor`; the goal is ignored."""
        del goal
        return RandomState(WorldNoise(tuple(seeds_of(seed, batch))))

    def act(self, state: RandomState, observation: Observation) -> tuple[npt.NDArray[np.float32], Verdict, RandomState]:
        """See :class:`tacit.types.Actor`; the observation is ignored."""
        del observation
        drawn = state.noise.uniform(state.step // self.repeat, (self.space.size,))
        return self.space.from_uniform(drawn), Verdict.acting(len(state.noise)), replace(state, step=state.step + 1)
