"""The shell of actors: a clock, a queue of actions and verdicts around a decider."""

from __future__ import annotations

from collections.abc import Sequence
from copy import copy
from dataclasses import replace
from typing import Self

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from tacit._threads import computing
from tacit.agent._fallback import Fallback, FallbackActions, NamedFallback, numbers
from tacit.agent._limits import ActionLimits
from tacit.agent._perception import Perception
from tacit.agent._plans import checked_plan, continued, failures
from tacit.agent._state import AgentState
from tacit.agent._verdicts import verdict_of
from tacit.errors import PlanningError, SpecError
from tacit.nn._tuning import tune_cpu
from tacit.planners import WorldNoise, seeds_of
from tacit.types import (
    ActionConstraint,
    ActionSpace,
    Decider,
    FallbackPolicy,
    Observation,
    Plan,
    Situation,
    Verdict,
    WorldModel,
)

__all__ = ["BlockActor"]


class BlockActor:
    """An actor that decides at block boundaries and acts at every raw step; see :class:`tacit.types.Actor`.

    It keeps the clock, the queue of actions and the past of each world; a :class:`tacit.types.Decider` makes the plans.
    A world whose decision fails continues with its last valid plan and then with the fallback. Where no plan satisfies
    the constraints, the fallback acts at once, since the last plan does not satisfy them either. Once an action was
    executed, nothing but a wrong batch of the state raises in :meth:`act`: every other error is a failed decision, and
    the verdict holds the reason. Making an actor calls :func:`tacit.tune_cpu`.

    Args:
        model: The source of latents and predictions.
        decider: The source of plans.
        replan_every: Blocks of a plan to execute before the next decision.
        fallback: See :class:`tacit.agent.AgentConfig`.
        constraints: Restrictions of actions; see :class:`tacit.agent.AgentConfig`.

    Raises:
        ConfigError: if the fallback or a constraint does not fit the action space.
    """

    def __init__(
        self,
        model: WorldModel,
        decider: Decider,
        *,
        replan_every: int = 1,
        fallback: NamedFallback | FallbackPolicy | None = None,
        constraints: Sequence[ActionConstraint] = (),
    ) -> None:
        tune_cpu()
        self.model, self.decider, self.replan_every = model, decider, replan_every
        self.constraints = tuple(constraints)
        self._perception = Perception(model)
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

    def replaced(self, model: WorldModel, decider: Decider) -> Self:
        """Return this actor with another source of observed latents and another source of plans."""
        other = copy(self)
        other.model, other.decider, other._perception = model, decider, Perception(model)
        return other

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
        state = AgentState.begin(seeds, self.space.size)
        if last_action is not None:
            state = replace(state, last_action=self._given(last_action, batch))
        return self._perception.start(state, goal)

    def act(self, state: AgentState, observation: Observation) -> tuple[npt.NDArray[np.float32], Verdict, AgentState]:
        """Return raw actions ``[B, A]`` for observations ``[B, ...]``, the verdict on them, and the next state.

        The model reads the observation only at the boundary of two blocks, every ``frameskip`` steps; between
        them the actions come from the queue and the verdict stays. A fallback reads it whenever it acts.

        Raises:
            SpecError: before the first action, if the observation does not fit.
            PlanningError: before the first action, if planning fails and no fallback is possible.
        """
        boundary, decide = state.steps[0] % self.frameskip == 0, state.queue.shape[1] == 0
        plan = None
        if state.position is None or self._fallback.reads:
            state = replace(state, position=self._position(state, observation))
        if boundary:
            with computing(self._perception.threads), torch.no_grad():
                state, problem = self._perception.update(state, observation)
                if decide:
                    state, plan = self._decide(state, problem)
                elif problem:
                    state = replace(state, reasons=(problem,) * state.batch)
                state = self._perception.predict(state, state.queue[:, : self.frameskip])
        now = self._next(state, observation)
        verdict = verdict_of(state, now, plan, self.replan_every)
        if plan is not None:
            verdict = replace(verdict, evidence={**verdict.evidence, **self._evidence(state)})
        return now.actions.copy(), verdict, self._executed(state, now.actions)

    def _evidence(self, state: AgentState) -> dict[str, npt.NDArray[np.float32]]:  # noqa: ARG002 - a subclass reads it
        """Return further evidence ``[B]`` of a decision, by name."""
        return {}

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
            steps=tuple(step + 1 for step in state.steps),
            deviated=state.deviated | (action != state.queue[:, 0]).any(axis=1),
            executed=row if state.executed is None else np.concatenate([state.executed, row], axis=1),
            last_action=action,
            queue=state.queue[:, 1:],
            falls=state.falls[:, 1:],
        )

    def _decide(self, state: AgentState, problem: str) -> tuple[AgentState, Plan | None]:
        """Return the state with a queue of one or more blocks, and the plan; None if the decision failed."""
        plan, reason = None, problem
        shape = (state.batch, self.frameskip, self.space.size)
        if not problem:
            try:
                plan = checked_plan(self.decider(self._situation(state)), shape, self.model.device)
            except PlanningError as error:
                reason = f"planning failed: {error}"
            except Exception as error:
                if state.last_action is None:
                    raise
                reason = f"planning failed: {type(error).__name__}: {error}"
        if plan is None:
            return self._carry_out(state, None, np.ones(state.batch, np.bool_), (reason,) * state.batch)[0], None
        failed, reasons = failures(plan)
        forbidden = failed & plan.infeasible.cpu().numpy()
        state = replace(state, left=np.where(forbidden, 0, state.left))
        state, actions = self._carry_out(state, plan.actions, failed, reasons)
        energy = plan.energy.masked_fill(torch.from_numpy(failed).to(plan.energy.device), torch.nan)
        return state, replace(plan, actions=actions, energy=energy)

    def _situation(self, state: AgentState) -> Situation:
        """Return the inputs of a decision."""
        if state.context is None:
            raise SpecError("the state holds no observation yet.")
        return Situation(
            state.context,
            state.steps,
            WorldNoise(state.seeds, state.steps),
            self._limits.space,
            goal=state.goal,
            project=self._limits.after(self._previous(state)),
            previous=state.warm_start,
        )

    def _carry_out(
        self, state: AgentState, planned: Tensor | None, failed: npt.NDArray[np.bool_], reasons: tuple[str, ...]
    ) -> tuple[AgentState, Tensor]:
        """Return the state with actions to execute, and these; they are a substitute in the worlds that failed."""
        taken = self.replan_every * self.frameskip
        if planned is not None:
            length = planned.shape[1]
        else:
            length = taken if state.warm_start is None else state.warm_start.shape[1]
        taken = min(taken, length)
        falls = failed[:, None] & (np.arange(length) >= state.left[:, None])
        if planned is not None and not failed.any():
            actions = planned
        else:
            actions = self._substitute(state, falls)
            if planned is not None:
                chosen = torch.from_numpy(failed)[:, None, None].to(planned.device)
                actions = torch.where(chosen, actions.to(planned.device), planned)
        actions = self._limits.project(actions, self._previous(state))
        # The step that the shift frees repeats the last one.
        rest = torch.cat([actions[:, taken:], actions[:, -1:].expand(-1, taken, -1)], dim=1)
        state = replace(
            state,
            queue=actions[:, :taken].cpu().numpy(),
            falls=falls[:, :taken],
            failed=failed,
            left=np.where(failed, np.maximum(state.left - taken, 0), length - taken),
            reasons=reasons,
            warm_start=rest,
        )
        return state, actions

    def _substitute(self, state: AgentState, falls: npt.NDArray[np.bool_]) -> Tensor:
        """Return the rest of the last plan ``[B, N, A]``, with an estimate of the fallback where it ``falls``."""
        length = falls.shape[1]
        rows = torch.from_numpy(self._fallback.estimate(self._known_position(state), state.last_action))
        actions = self.space.project(rows).to(self.model.device)[:, None].expand(-1, length, -1)
        if state.warm_start is None:
            return actions
        return continued(state.warm_start[:, :length].to(actions.device), actions, falls)

    def _shown(self, observation: Observation) -> Observation:
        """Return the observation of the world, for an actor with another input."""
        return observation

    def _position(self, state: AgentState, observation: Observation) -> npt.NDArray[np.float32]:
        """Return the current position of each component ``[B, A]``; NaN where there is none."""
        shown = self._shown(observation) if self._fallback.reads else observation
        return self._fallback.positions(shown, state.position, state.batch, state.last_action is not None)

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
        return torch.from_numpy(np.clip(self._known_position(state), *self.space.bounds))

    def _given(self, action: npt.NDArray[np.float32], batch: int) -> npt.NDArray[np.float32]:
        """Return the action that is being executed ``[B, A]``; refuse an invalid one."""
        rows = numbers(action, (batch, self.space.size))
        if rows is None or not self.space.contains(rows).all():
            raise SpecError(
                f"last_action holds one action of {self.space} for each of the {batch} worlds, "
                f"{[batch, self.space.size]}; got {action!r}."
            )
        return self.space.project(torch.from_numpy(rows)).numpy()
