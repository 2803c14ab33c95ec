"""Base class of actors that observe and decide once a block and act at every raw step."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import replace
from typing import Literal

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from tacit._threads import computing, suited_threads
from tacit.agent._fallback import Fallback, FallbackActions, NamedFallback, numbers
from tacit.agent._limits import ActionLimits
from tacit.agent._proposal import Proposal
from tacit.agent._state import AgentState
from tacit.errors import PlanningError, SpecError
from tacit.planners import WorldNoise, seeds_of
from tacit.types import ActionConstraint, ActionSpace, Box, Context, FallbackPolicy, Observation, Verdict, WorldModel

__all__ = ["BlockActor"]

PROPOSALS = 1
"""The stream of noise of policies that make proposals."""


class BlockActor(ABC):
    """An actor that decides one or more action blocks ahead; see :class:`tacit.types.Actor`.

    A world whose decision fails continues with its last valid plan and then with the fallback. Once an action was
    executed, nothing but a wrong batch of the state raises in :meth:`act`: every other error is a failed decision, and
    the verdict holds the reason.

    Args:
        model: The source of latents and predictions.
        fallback: See :class:`tacit.Agent`.
        constraints: See :class:`tacit.Agent`.

    Raises:
        ConfigError: if the fallback or a constraint does not fit the action space.
    """

    def __init__(
        self,
        model: WorldModel,
        fallback: NamedFallback | FallbackPolicy | None = None,
        constraints: Sequence[ActionConstraint] = (),
    ) -> None:
        self.model = model
        self._threads = suited_threads(model) if isinstance(model, nn.Module) else None
        self.constraints = tuple(constraints)
        self._limits = ActionLimits(self.space, self.constraints)
        self._fallback = Fallback(fallback, model.spec, self._limits.space)

    @property
    def fallback(self) -> NamedFallback | FallbackPolicy | None:
        """Return the fallback of a world without a plan; None: do nothing by the kinds of its actions."""
        return self._fallback.choice

    def require_fallback(self) -> None:
        """Refuse to act without a known fallback for failed planning.

        Raises:
            ConfigError: if no fallback was chosen and the Spec does not define the action that does nothing.
        """
        self._fallback.require()

    @property
    def space(self) -> ActionSpace:
        """Return the space of one raw action."""
        return self.model.spec.action

    @property
    def frameskip(self) -> int:
        """Return the number of raw actions of one block."""
        return self.model.frameskip

    @abstractmethod
    def _decide(self, state: AgentState) -> AgentState:
        """Return the state with a queue of one or more blocks, the failed worlds and their reasons."""

    @abstractmethod
    def _fail(self, state: AgentState, reason: str) -> AgentState:
        """Return the state after a decision that failed in every world for the same reason."""

    def start(
        self,
        *,
        seed: int | Sequence[int],
        batch: int = 1,
        goal: Observation | None = None,
        last_action: npt.NDArray[np.float32] | None = None,
    ) -> AgentState:
        """Return the state of ``batch`` new episodes.

        A model that is a torch module is put in evaluation mode.

        Args:
            seed: Not negative, the only source of randomness; a sequence gives one to each world, whose plans are then
                functions of its own seed, whatever the other worlds.
            batch: The number of worlds ``B``.
            goal: An observation ``[B, ...]`` of each goal. Modalities that it lacks, such as a state next to a goal
                image, are taken from the current observation at each decision.
            last_action: ``[B, A]`` the action that is being executed, for constraints and the fallback. None: the
                worlds are at rest.

        Raises:
            ConfigError: if the seed or the batch is out of range, or no fallback for failed planning is known.
            SpecError: if the goal is of another batch or not finite, or the last action is not in the space.
        """
        seeds = seeds_of(seed, batch)
        self.require_fallback()
        if isinstance(self.model, nn.Module):
            self.model.eval()
        partial = goal is not None and self._lacks_modalities(goal)
        return AgentState(
            tuple(seeds),
            queue=np.zeros((batch, 0, self.space.size), np.float32),
            surprise=np.full(batch, np.nan, np.float32),
            falls=np.zeros((batch, 0), np.bool_),
            failed=np.zeros(batch, np.bool_),
            left=np.zeros(batch, np.int64),
            last_action=None if last_action is None else self._given(last_action, batch),
            goal=None if goal is None or partial else self._encode_goal(goal, batch),
            partial_goal=goal if partial else None,
        )

    def act(self, state: AgentState, observation: Observation) -> tuple[npt.NDArray[np.float32], Verdict, AgentState]:
        """Return raw actions ``[B, A]`` for observations ``[B, ...]``, the verdict on them, and the next state.

        The model reads the observation only at the boundary of two blocks, every ``frameskip`` steps; between
        them the actions come from the queue and the verdict stays. A fallback reads it whenever it acts.

        Raises:
            SpecError: before the first action, if the observation does not fit.
            PlanningError: before the first action, if planning fails and no fallback is possible.
        """
        boundary, decide = state.step % self.frameskip == 0, state.queue.shape[1] == 0
        before = state
        if state.position is None or self._fallback.reads:
            state = replace(state, position=self._position(state, observation))
        if boundary:
            with computing(self._threads), torch.no_grad():
                state, problem = self._look(state, observation)
                if decide:
                    state = self._decide_or_fail(state, problem)
                elif problem:
                    state = replace(state, reasons=(problem,) * state.batch)
                state = self._expect(state)
        now = self._next(state, observation)
        reasons = tuple(
            _explained(reason, name, now.note) for reason, name in zip(state.reasons, now.names, strict=True)
        )
        decision = tuple(_decision(reason, name) for reason, name in zip(reasons, now.names, strict=True))
        plan = state.plan if state.plan is not before.plan else None
        verdict = Verdict(decision, state.surprise.copy(), reasons, now.names, plan=plan)
        return now.actions.copy(), verdict, self._executed(state, now.actions)

    def _next(self, state: AgentState, observation: Observation) -> FallbackActions:
        """Return the actions ``[B, A]`` of this step, and the name of the fallback of each."""
        action, falling, note = state.queue[:, 0].copy(), state.falls[:, 0], ""
        names = tuple("last_plan" if failed else "" for failed in state.failed.tolist())
        if falling.any():
            position = self._known_position(state)
            chosen = self._fallback.choose(falling, self._shown(observation), position, state.last_action)
            action = np.where(falling[:, None], chosen.actions, action)
            names = tuple(new if falls else old for falls, new, old in zip(falling, chosen.names, names, strict=True))
            note = chosen.note
        if falling.any() or self._limits.sequential:
            rows = self._limits.project(torch.from_numpy(action)[:, None], self._previous(state))
            action = rows[:, 0].numpy()
        return FallbackActions(action, names, note)

    def _executed(self, state: AgentState, action: npt.NDArray[np.float32]) -> AgentState:
        """Return the state after a step."""
        row = action[:, None]
        return replace(
            state,
            step=state.step + 1,
            deviated=state.deviated or not np.array_equal(action, state.queue[:, 0]),
            executed=row if state.executed is None else np.concatenate([state.executed, row], axis=1),
            last_action=action,
            queue=state.queue[:, 1:],
            falls=state.falls[:, 1:],
        )

    def _encode(self, observation: Observation, batch: int) -> Tensor:
        with computing(self._threads), torch.no_grad():
            latents = self.model.encode(observation)
        if latents.ndim != 2 or len(latents) != batch:
            raise SpecError(
                f"expected one observation for each of the {batch} worlds, [B, ...], and from the model latents "
                f"[B, D]; got latents of shape {list(latents.shape)}."
            )
        return latents

    def _lacks_modalities(self, goal: Observation) -> bool:
        """Return whether a goal must be completed from observations.

        A goal that is not finite in some worlds makes only these fail.

        Raises:
            SpecError: if it is finite in no world.
        """
        modalities = self.model.spec.modalities
        known = [name for name in goal if name in modalities]
        for name in known:
            values = np.asarray(goal[name], np.float64)
            if not np.isfinite(values.reshape(len(values), -1)).all(axis=1).any():
                raise SpecError(f"the goal's {name!r} holds numbers that are not finite; leave what is unknown out.")
        return 0 < len(known) < len(modalities)

    def _encode_goal(self, goal: Observation, batch: int) -> Tensor:
        try:
            return self._encode(goal, batch)
        except SpecError as error:
            raise SpecError(f"the goal does not fit: {error}") from error

    def _look(self, state: AgentState, observation: Observation) -> tuple[AgentState, str]:
        """Return the state with the latents of an observation, and a description of its problem."""
        problem = ""
        try:
            latent = self._encode(observation, state.batch)
            if state.partial_goal is not None:
                completed = {**observation, **state.partial_goal}
                state = replace(state, goal=self._encode_goal(completed, state.batch))
        except Exception as error:
            if state.last_action is None:
                raise
            problem = f"the observation cannot be encoded: {type(error).__name__}: {error}"
            if state.latents is None:
                return replace(state, executed=None, deviated=False), problem
            latent = torch.full_like(state.latents[:, -1], torch.nan)
        if state.latents is None or state.actions is None or state.block is None:
            width = self.frameskip * self.space.size
            state = replace(state, latents=latent[:, None], actions=latent.new_zeros(state.batch, 0, width))
            return replace(state, executed=None, deviated=False), problem
        state = self._corrected(state)
        surprise = np.full(state.batch, np.nan, np.float32)
        if state.predicted is not None:
            surprise = (latent - state.predicted).square().mean(dim=-1).float().cpu().numpy()
        latents = torch.cat([state.latents, latent[:, None]], dim=1)[:, -self.model.history :]  # type: ignore[list-item]
        actions = torch.cat([state.actions, state.block[:, None]], dim=1)  # type: ignore[index, list-item]
        actions = actions[:, actions.shape[1] - latents.shape[1] + 1 :]
        return replace(state, latents=latents, actions=actions, surprise=surprise, executed=None), problem

    def _corrected(self, state: AgentState) -> AgentState:
        """Return the state with the executed block, where a fallback or a constraint changed it."""
        if not state.deviated or state.executed is None:
            return state
        return self._predict(replace(state, deviated=False), state.executed)

    def _expect(self, state: AgentState) -> AgentState:
        """Return the state with the next block of the queue and its predicted latent."""
        return self._predict(state, state.queue[:, : self.frameskip])

    def _predict(self, state: AgentState, rows: npt.NDArray[np.float32]) -> AgentState:
        """Return the state with a block of raw actions ``[B, frameskip, A]`` and its predicted latent."""
        block = torch.from_numpy(rows.reshape(len(rows), -1).copy()).to(self.model.device)
        if state.latents is None:
            return replace(state, block=block, predicted=None)
        try:
            return replace(state, block=block, predicted=self.model.rollout(self._context(state), block[:, None])[:, 0])
        except Exception:
            if state.last_action is None:
                raise
            return replace(state, block=block, predicted=None)

    def _decide_or_fail(self, state: AgentState, problem: str) -> AgentState:
        """Return the state with a decision, or with its substitute where it failed."""
        if problem:
            return self._fail(state, problem)
        try:
            return self._decide(replace(state, reasons=("",) * state.batch))
        except PlanningError as error:
            return self._fail(state, f"planning failed: {error}")
        except Exception as error:
            if state.last_action is None:
                raise
            return self._fail(state, f"planning failed: {type(error).__name__}: {error}")

    def _context(self, state: AgentState) -> Context:
        """Return the past that a state holds."""
        if state.latents is None or state.actions is None:
            raise SpecError("the state has seen no observation yet.")
        return Context(state.latents, state.actions if state.actions.shape[1] else None)

    def _propose(self, policy: Proposal, state: AgentState, horizon: int, count: int) -> Tensor:
        """Return proposals ``[B, count, horizon, frameskip, A]``.

        Rows with non-finite latents or goals are undefined.
        """
        if state.goal is None or state.latents is None:
            raise SpecError("a policy needs a goal: start(goal=...).")
        # Replace NaN by numbers, since a policy may refuse NaN and then fails for all worlds.
        latents, goal = (part.nan_to_num(0.0, 0.0, 0.0) for part in (state.latents, state.goal))
        noise = self._noise(state, PROPOSALS)
        blocks = policy.propose(Context(latents, state.actions), goal, horizon, count, noise, self.model)
        return blocks.reshape(*blocks.shape[:3], self.frameskip, self.space.size)

    def _noise(self, state: AgentState, stream: int = 0) -> WorldNoise:
        """Return the noise of the decision at the step of a state."""
        return WorldNoise(state.seeds, (state.step,) * state.batch, stream)

    def _shown(self, observation: Observation) -> Observation:
        """Return the observation of the world, for an actor with another input."""
        return observation

    def _position(self, state: AgentState, observation: Observation) -> npt.NDArray[np.float32]:
        """Return the current position of each component ``[B, A]``; NaN where there is none."""
        shown = self._shown(observation) if self._fallback.reads else observation
        return self._fallback.positions(shown, state.position, state.batch, state.last_action is not None)

    def _stand_in(self, state: AgentState) -> Tensor:
        """Return an estimate of the fallback's actions, ``[B, A]``."""
        rows = torch.from_numpy(self._fallback.estimate(self._known_position(state), state.last_action))
        return self.space.project(rows).to(self.model.device)

    def _known_position(self, state: AgentState) -> npt.NDArray[np.float32]:
        if state.position is None:
            raise SpecError("the state has seen no observation yet.")
        return state.position

    def _previous(self, state: AgentState) -> Tensor:
        """Return the action before the next one ``[B, A]``, NaN where it is unknown.

        Before the first action it is the current position, in the components that command one.
        """
        if state.last_action is not None:
            return torch.from_numpy(state.last_action)
        position = torch.from_numpy(self._known_position(state))
        return self.space.project(position) if isinstance(self.space, Box) else position

    def _given(self, action: npt.NDArray[np.float32], batch: int) -> npt.NDArray[np.float32]:
        """Return the action that is being executed ``[B, A]``; refuse an invalid one."""
        rows = numbers(action, (batch, self.space.size))
        if rows is None or not self.space.contains(rows).all():
            raise SpecError(
                f"last_action holds one action of {self.space} for each of the {batch} worlds, "
                f"{[batch, self.space.size]}; got {action!r}."
            )
        return self.space.project(torch.from_numpy(rows)).numpy()


def _explained(reason: str, name: str, note: str) -> str:
    """Return the reason of a failed decision, with its substitute."""
    if not reason or not name:
        return reason
    return f"{reason.rstrip('.')}. Instead: {name}{f' ({note})' if note else ''}."


def _decision(reason: str, name: str) -> Literal["act", "slow", "stop"]:
    """Return the decision of a verdict, given the reason of a failure and the acting fallback."""
    if not reason:
        return "act"
    return "slow" if name in ("", "last_plan") else "stop"
