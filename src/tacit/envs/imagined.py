"""Imagination as an environment: a world model, start states from recorded episodes, and a reward.

An observation holds the current latent and, where there is one, the latent of the goal; a step is one block. A policy
that learns here needs no step of the real world. It may also find what is wrong with the model: let a guard end the
episodes that leave the data, and check the policy in the real world (:class:`tacit.agent.LatentActor`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import KW_ONLY, InitVar, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from tacit._arrays import as_numbers
from tacit._limits import HORIZON, is_whole, limited
from tacit._threads import computing, suited_threads
from tacit.envs._batch import check_actions, check_options, per_world
from tacit.envs._blocks import block_space
from tacit.envs._imagined_starts import Goals, RecordedLatents, check_goals
from tacit.errors import ConfigError, SpecError
from tacit.types import (
    Array,
    Context,
    Cost,
    Episode,
    Modality,
    Observation,
    Rollout,
    Sensed,
    Spec,
    Transition,
    WorldModel,
)
from tacit.types.guards import Guard
from tacit.types.rollouts import RewardHead

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["Imagined"]

LATENT, GOAL = "latent", "goal"
"""The modalities of an observation."""
BROKEN = "the predicted latent or its reward is not finite"
"""The reason of a world whose prediction failed."""


@dataclass(eq=False)
class Imagined:
    """A batch of imagined worlds, whose episodes start in states of recorded ones.

    ::

        env = tc.envs.Imagined(model, episodes, tc.costs.Goal(), goals="any", guard=guard)
        outside = tc.envs.to_gymnasium(env)  # for other libraries, such as stable-baselines3

    A step is one block of the model. The result of a world depends on its seed and its actions, not on the batch or on
    its number in it, up to the rounding of the model. A world is truncated after ``horizon`` blocks, where the guard
    stops it, and where a prediction is not finite; ``Transition.reasons`` says which. It then keeps its last finite
    latent.

    Args:
        model: The world model. A torch module is put in evaluation mode.
        episodes: Recorded episodes, encoded once.
        reward: The cost of one imagined block, whose negative energy is the reward; or a head that predicts the reward
            of a block, such as :class:`tacit.costs.ReturnCritic`.
        num_envs: Worlds in the batch.
        horizon: Blocks of an episode. Predictions get worse with it; 15 to 25 are usual.
        goals: ``none``; ``later``, a later state of the recorded episode of the start; or ``any`` recorded state.
        repeat_action: An action is one raw action, which is repeated ``frameskip`` times; otherwise it is the whole
            block.
        guard: Ends the episodes that leave the data: a :class:`tacit.guard.Guard`; None: nothing does.

    Raises:
        ConfigError: if an option is out of range.
        DataError: if no episode is long enough, or a latent is not finite.
    """

    model: WorldModel
    episodes: InitVar[Iterable[Episode]]
    reward: Cost | RewardHead
    num_envs: int = 1
    _: KW_ONLY
    horizon: int = 20
    goals: Goals = "none"
    repeat_action: bool = False
    guard: Guard | None = None

    def __post_init__(self, episodes: Iterable[Episode]) -> None:
        check_options("Imagined", self.num_envs, None)
        check_goals(self.goals)
        if not is_whole(self.horizon) or self.horizon < 1:
            raise ConfigError(f"Imagined needs horizon as a whole number of at least 1; got {self.horizon!r}.")
        limited("Imagined", HORIZON, horizon=self.horizon)
        self._threads = _prepared(self.model)
        with computing(self._threads):
            self._recorded = RecordedLatents.of(self.model, episodes)
        space, skip = self.model.spec.action, self.model.frameskip
        size = int(self._recorded.latents.shape[1])
        shown = (LATENT,) if self.goals == "none" else (LATENT, GOAL)
        self.spec = Spec(
            {name: Modality("vector", (size,)) for name in shown},
            space if self.repeat_action else block_space(space, skip),
            fps=self.model.spec.fps / skip,
        )
        self.reset(0)

    def reset(self, seed: int | Sequence[int]) -> Observation:
        """Start episodes in recorded states that are drawn from the seeds; see :class:`tacit.types.Environment`."""
        drawn = [self._recorded.draw(one, self.goals) for one in per_world(seed, self.num_envs)]
        self._latents, self._blocks = self._recorded.contexts(np.array([start for start, _ in drawn]))
        goals = [goal for _, goal in drawn if goal is not None]
        self._goal: Tensor | None = self._recorded.latents[goals] if goals else None
        self._steps = 0
        self._truncated = np.zeros(self.num_envs, np.bool_)
        self._reasons = ("",) * self.num_envs
        self._memory: Any = None if self.guard is None else self.guard.start(self.num_envs)
        self._assess(None, None)
        return self._observation()

    def step(self, action: npt.NDArray[np.float32]) -> Transition:
        """Imagine one block in every world. Actions outside the space are projected into it."""
        import torch

        check_actions(action, self.num_envs, self.spec.action.size)
        rows = np.asarray(self.spec.action.project(np.asarray(action, np.float32)), np.float32)
        if self.repeat_action:
            rows = np.tile(rows, (1, self.model.frameskip))
        block = torch.from_numpy(rows).to(self._latents.device)
        before = Context(self._latents, self._blocks)
        with computing(self._threads), torch.no_grad():
            found = self.model.rollout(before, block[:, None])[:, 0].float()
            rewards = self._reward_of(found, block)
        broken = ~(torch.isfinite(found).all(dim=1).cpu().numpy() & np.isfinite(rewards)) & ~self._truncated
        moved = ~self._truncated & ~broken
        kept = torch.from_numpy(moved).to(found.device)
        found = torch.where(kept[:, None], found, self._latents[:, -1])
        self._latents = torch.cat([self._latents, found[:, None]], dim=1)[:, 1:]
        self._blocks = torch.cat([self._blocks, block[:, None]], dim=1)[:, 1:]
        self._steps += 1
        self._end(broken, BROKEN)
        self._assess(before, rows)
        self._end(np.full(self.num_envs, self._steps >= self.horizon), f"the horizon of {self.horizon} blocks")
        return Transition(
            self._observation(),
            terminated=np.zeros(self.num_envs, np.bool_),
            truncated=self._truncated.copy(),
            reward=np.where(moved, rewards, 0.0),
            reasons=self._reasons,
        )

    def labels(self) -> Mapping[str, Array]:
        """Return nothing: there are no quantities but the latents."""
        return {}

    def close(self) -> None:
        """Do nothing: there is nothing to free."""

    def _observation(self) -> Observation:
        """Return the current latents and goals."""
        shown = {LATENT: self._latents[:, -1]} | ({} if self._goal is None else {GOAL: self._goal})
        return {name: np.array(as_numbers(values, None)) for name, values in shown.items()}

    def _reward_of(self, latents: Tensor, block: Tensor) -> npt.NDArray[np.float64]:
        """Return the reward ``[B]`` of a block ``[B, A']`` that leads to ``latents [B, D]``.

        Raises:
            SpecError: if it has another shape.
        """
        start = self._latents[:, -1]
        if isinstance(self.reward, RewardHead):
            rewards = self.reward.reward(start, block)
        else:
            parts = self.model.latent_parts
            rewards = -self.reward(Rollout(start, latents[:, None, None], block[:, None, None], self._goal, parts))
        found = np.asarray(as_numbers(rewards, None), np.float64)
        if found.shape not in ((self.num_envs,), (self.num_envs, 1)):
            raise SpecError(
                f"the reward of a block is [B] from a head and [B, 1] from a cost; got {list(found.shape)} for "
                f"{self.num_envs} worlds."
            )
        return found.reshape(self.num_envs)

    def _end(self, ended: npt.NDArray[np.bool_], *reasons: str) -> None:
        """End worlds that have not ended before, with one reason or one for each world."""
        new, named = ended & ~self._truncated, reasons if len(reasons) > 1 else reasons * self.num_envs
        self._reasons = tuple(now if one else old for one, now, old in zip(new, named, self._reasons, strict=True))
        self._truncated = self._truncated | new

    def _assess(self, before: Context | None, block: npt.NDArray[np.float32] | None) -> None:
        """End the worlds that the guard stops, at the current boundary."""
        if self.guard is None:
            return
        current = np.asarray(as_numbers(self._latents[:, -1], None), np.float32)
        # A forecast of an imagined latent is that latent: nothing but the model made both.
        forecasts = np.full((self.num_envs, max(self.guard.reach, default=0), current.shape[1]), np.nan, np.float32)
        forecasts[:, : self._steps] = current[:, None]
        steps, unknown = np.full(self.num_envs, self._steps), np.full(self.num_envs, np.nan, np.float32)
        sensed = Sensed(current, forecasts, steps, unknown, before, block, self.model.latent_parts)
        found, self._memory = self.guard.assess(sensed, self._memory)
        stopped = np.array([decision == "stop" for decision in found.decisions], np.bool_)
        self._end(stopped & (self._steps > 0), *found.reasons)


def _prepared(model: WorldModel) -> int | None:
    """Put a model that is a torch module in evaluation mode, and return the CPU threads that suit it."""
    from torch import nn

    if not isinstance(model, nn.Module):
        return None
    model.eval()
    return suited_threads(model)
