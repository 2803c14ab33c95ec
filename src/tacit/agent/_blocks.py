"""The two clocks of an actor: it looks and decides once a block, and acts at every raw step."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import replace
from time import perf_counter
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import torch
from torch import Generator, Tensor, nn

from tacit.agent._state import AgentState
from tacit.errors import ConfigError, SpecError
from tacit.planners import legal
from tacit.types import ActionSpace, Observation, Spec, Verdict

__all__ = ["BlockActor", "Model", "Proposal"]


class ModelConfig(Protocol):
    """What an agent reads of the configuration of a world model."""

    @property
    def spec(self) -> Spec:
        """The world that it was made for."""

    @property
    def frameskip(self) -> int:
        """Raw actions of one block."""

    @property
    def history(self) -> int:
        """Latents that the predictor looks back on, at least one."""


class Model(Protocol):
    """What an agent asks of a world model."""

    @property
    def config(self) -> ModelConfig:
        """What it was made for."""

    @property
    def device(self) -> torch.device:
        """Where it computes."""

    def encode(self, observation: Mapping[str, Any]) -> Tensor:
        """Observations ``[B, ...]`` to latents ``[B, D]``."""

    def rollout(self, latents: Tensor, actions: Tensor, past_actions: Tensor | None = None) -> Tensor:
        """What follows the latents ``[B, T, D]`` under action blocks ``[B, H, A']`` or ``[B, S, H, A']``.

        Latents ``[B, H, D]`` or ``[B, S, H, D]``; ``past_actions [B, T - 1, A']`` lie between the given ones.
        """


class Proposal(Protocol):
    """A policy that suggests plans, for example a :class:`tacit.models.GoalPolicy`."""

    def propose(
        self,
        latents: Tensor,
        goal: Tensor,
        horizon: int,
        count: int,
        generator: Generator,
        model: Model,
        past_actions: Tensor | None = None,
    ) -> Tensor:
        """``count`` plans of raw action blocks, ``[B, count, horizon, A']``.

        For observed latents ``[B, T, D]``, the last one current, with the blocks ``past_actions [B, T - 1, A']``
        between them, and goals ``[B, D]``.
        """


class BlockActor(ABC):
    """An actor that decides one or more action blocks ahead; see :class:`tacit.types.Actor`.

    Args:
        model: Gives latents and predictions.
    """

    def __init__(self, model: Model) -> None:
        self.model = model

    @property
    def space(self) -> ActionSpace:
        """The space of one raw action."""
        return self.model.config.spec.action

    @property
    def frameskip(self) -> int:
        """Raw actions of one block."""
        return self.model.config.frameskip

    @abstractmethod
    def _decide(self, state: AgentState, generator: Generator) -> AgentState:
        """The state with a queue of one or more blocks, and with the reason if that is a mere fallback."""

    def start(self, *, seed: int, batch: int = 1, goal: Observation | None = None) -> AgentState:
        """The state of ``batch`` new episodes; a model that is a torch module is put in evaluation mode.

        Args:
            seed: Not negative; the only source of randomness.
            batch: Worlds ``B``.
            goal: An observation ``[B, ...]`` of each goal.

        Raises:
            ConfigError: if the seed or the batch is out of range.
            SpecError: if the goal is of another batch.
        """
        if seed < 0 or batch < 1:
            raise ConfigError(f"an episode needs seed >= 0 and batch >= 1; got {seed} and {batch}.")
        if isinstance(self.model, nn.Module):
            self.model.eval()
        queue = np.zeros((batch, 0, self.space.size), np.float32)
        latent = None if goal is None else self._encode(goal, batch)
        return AgentState(seed, batch, queue, np.full(batch, np.nan, np.float32), goal=latent)

    def act(self, state: AgentState, observation: Observation) -> tuple[npt.NDArray[np.float32], Verdict, AgentState]:
        """Raw actions ``[B, A]`` for observations ``[B, ...]``, what to think of them, and the next state.

        The observation is looked at only at the boundary of two blocks, every ``frameskip`` steps; between
        them the actions come from the queue and the verdict stays.

        Raises:
            SpecError: if the observation is of another batch.
        """
        began = perf_counter()
        boundary, decide = state.step % self.frameskip == 0, state.queue.shape[1] == 0
        if boundary:
            with torch.no_grad():
                state = self._look(state, observation)
                state = self._decide(state, self._generator(state)) if decide else state
                state = self._expect(state)
        action = state.queue[:, 0].copy()
        verdict = Verdict(ok=not state.reason, surprise=state.surprise.copy(), reason=state.reason)
        state = replace(state, step=state.step + 1, queue=state.queue[:, 1:])
        return action, verdict, state.timed(perf_counter() - began, decide)

    def _encode(self, observation: Observation, batch: int) -> Tensor:
        with torch.no_grad():
            latents = self.model.encode(observation)
        if latents.ndim != 2 or len(latents) != batch:
            raise SpecError(
                f"expected one observation for each of the {batch} worlds, [B, ...], and from the model latents "
                f"[B, D]; got latents of shape {list(latents.shape)}."
            )
        return latents

    def _look(self, state: AgentState, observation: Observation) -> AgentState:
        latent = self._encode(observation, state.batch)
        if state.latents is None or state.actions is None or state.block is None or state.predicted is None:
            width = self.frameskip * self.space.size
            return replace(state, latents=latent[:, None], actions=latent.new_zeros(state.batch, 0, width))
        surprise = (latent - state.predicted).square().mean(dim=-1).float().cpu().numpy()
        latents = torch.cat([state.latents, latent[:, None]], dim=1)[:, -self.model.config.history :]
        actions = torch.cat([state.actions, state.block[:, None]], dim=1)
        actions = actions[:, actions.shape[1] - latents.shape[1] + 1 :]
        return replace(state, latents=latents, actions=actions, surprise=surprise)

    def _expect(self, state: AgentState) -> AgentState:
        """With the next block of the queue and what the model expects of it."""
        rows = state.queue[:, : self.frameskip]
        block = torch.from_numpy(rows.reshape(len(rows), -1).copy()).to(self.model.device)
        return replace(state, block=block, predicted=self._rollout(state, block[:, None])[:, 0])

    def _rollout(self, state: AgentState, blocks: Tensor) -> Tensor:
        """Imagined latents after ``blocks [B, H, A']`` or ``[B, S, H, A']`` from where the state is."""
        if state.latents is None or state.actions is None:
            raise SpecError("the state has seen no observation yet.")
        past = state.actions if state.actions.shape[1] else None
        return self.model.rollout(state.latents, blocks, past)

    def _propose(self, policy: Proposal, state: AgentState, horizon: int, count: int, generator: Generator) -> Tensor:
        """``[B, count, horizon, frameskip, A]``; without meaning in worlds whose latents or goal are not finite."""
        if state.goal is None or state.latents is None:
            raise SpecError("a policy needs a goal: start(goal=...).")
        # Numbers in place of NaN, for a policy may refuse to draw from NaN, and with it for all worlds.
        latents, goal = (part.nan_to_num(0.0, 0.0, 0.0) for part in (state.latents, state.goal))
        blocks = policy.propose(latents, goal, horizon, count, generator, self.model, state.actions)
        return blocks.reshape(*blocks.shape[:3], self.frameskip, self.space.size)

    def _generator(self, state: AgentState) -> Generator:
        seed = int(np.random.SeedSequence([state.seed, state.step]).generate_state(1, np.uint64)[0] >> 1)
        return Generator(self.model.device).manual_seed(seed)

    def _idle(self, batch: int, rows: int) -> Tensor:
        """``[B, rows, A]`` of doing nothing: zero, brought into the box, or the first choice."""
        return legal(self.space, torch.zeros(batch, rows, self.space.size, device=self.model.device))
