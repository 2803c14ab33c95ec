"""The shell of actors: a clock, a queue of actions and verdicts around a decider."""

from __future__ import annotations

from collections.abc import Sequence
from copy import copy
from dataclasses import replace
from time import perf_counter
from typing import Self

import numpy as np
import numpy.typing as npt
import torch

from tacit._threads import computing
from tacit.agent._execution import Execution
from tacit.agent._fallback import Fallback, NamedFallback
from tacit.agent._limits import ActionLimits
from tacit.agent._memory import AgentMemory, Recalled
from tacit.agent._perception import Perception
from tacit.agent._plans import checked_plan, failures, merged, only, unqueued
from tacit.agent._safeguard import Ages, Safeguard
from tacit.agent._state import AgentState
from tacit.agent._verdicts import verdict_of
from tacit.errors import PlanningError, SpecError
from tacit.guard import Guard
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
    Store,
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

    With a guard, a world whose situation is unusual slows down: it replans at every block, and the allowed change of
    its actions per step is smaller. Or it stops: the fallback acts until :meth:`resume`.

    Args:
        model: The source of latents and predictions.
        decider: The source of plans.
        replan_every: Blocks of a plan to execute before the next decision.
        fallback: See :class:`tacit.agent.AgentConfig`.
        constraints: Restrictions of actions; see :class:`tacit.agent.AgentConfig`.
        guard: The detector of unusual situations; None: there is none.
        deadline_ms: See :class:`tacit.agent.AgentConfig`.
        memory: What the actor has experienced; None: there is none.

    Raises:
        ConfigError: if the fallback, a constraint or the memory does not fit the action space.
        CheckpointError: if the memory holds latents of another model.
    """

    def __init__(
        self,
        model: WorldModel,
        decider: Decider,
        *,
        replan_every: int = 1,
        fallback: NamedFallback | FallbackPolicy | None = None,
        constraints: Sequence[ActionConstraint] = (),
        guard: Guard | None = None,
        deadline_ms: float | None = None,
        memory: Store | None = None,
    ) -> None:
        tune_cpu()
        self.model, self.decider, self.replan_every = model, decider, replan_every
        self.constraints, self.guard, self.deadline_ms = tuple(constraints), guard, deadline_ms
        self._perception, self._safeguard = Perception(model), Safeguard(model, guard)
        self._memory = AgentMemory(model, self.space.size, memory)
        self._limits = ActionLimits(self.space, self.constraints)
        self._fallback = Fallback(fallback, model.spec, self._limits.space)
        self._execution = Execution(self._limits, self._fallback, replan_every * self.frameskip, model.device)

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
        other.model, other.decider = model, decider
        other._perception = Perception(model, self._perception.carrier)
        other._safeguard = Safeguard(model, self.guard)
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
            state = replace(state, last_action=self._execution.given(last_action, batch))
        return self._perception.start(self._memory.start(self._safeguard.start(state)), goal)

    def act(
        self, state: AgentState, observation: Observation, age: Ages | None = None
    ) -> tuple[npt.NDArray[np.float32], Verdict, AgentState]:
        """Return raw actions ``[B, A]`` for observations ``[B, ...]``, the verdict on them, and the next state.

        The model reads the observation only at the boundary of two blocks, every ``frameskip`` steps; between
        them the actions come from the queue and the verdict stays. A fallback reads it whenever it acts.

        Args:
            state: The state of the last act, or of :meth:`start`.
            observation: The observation of each world.
            age: Seconds since the observation was made, of all worlds or ``[B]``, for the guard. None: unknown.

        Raises:
            SpecError: before the first action, if the observation or the ages do not fit.
            PlanningError: before the first action, if planning fails and no fallback is possible.
        """
        due = None if self.deadline_ms is None else perf_counter() + self.deadline_ms / 1e3
        boundary, plan, assessment = state.steps[0] % self.frameskip == 0, None, None
        if state.position is None or self._fallback.reads:
            shown = self._shown(observation) if self._fallback.reads else observation
            state = replace(state, position=self._execution.positions(state, shown))
        if boundary:
            with computing(self._perception.threads), torch.no_grad():
                state, problem = self._perception.update(state, observation)
                state = self._memory.update(state)
                state, assessment = self._safeguard.update(state, observation, age)
                state, plan = self._decide(state, problem, due)
                state = self._perception.predict(state, state.queue[:, : self.frameskip])
        stopped, scale = self._safeguard.stopped(state), self._safeguard.scale(state)
        now = self._execution.next(state, stopped, scale, lambda: self._shown(observation))
        verdict = verdict_of(state, now, plan, self.replan_every, assessment)
        if plan is not None:
            verdict = replace(verdict, evidence={**verdict.evidence, **self._evidence(state)})
        return now.actions.copy(), verdict, self._execution.executed(state, now.actions)

    def resume(self, state: AgentState, worlds: npt.NDArray[np.bool_] | None = None) -> AgentState:
        """Return the state in which worlds that the guard stopped act again, from the next block boundary on.

        Args:
            state: The state of the last act.
            worlds: ``[B]`` the worlds; None: all of them.
        """
        return self._safeguard.resume(state, worlds, -state.steps[0] % self.frameskip)

    def remember(
        self,
        state: AgentState,
        *,
        outcome: npt.ArrayLike = np.nan,
        episode: npt.ArrayLike | None = None,
        source: str | None = None,
    ) -> AgentState:
        """Append to the memory what happened since the last entry, and return the state that names its new snapshot.

        An entry holds the latent and the blocks executed from there on, as many as the memory keeps, up to the last
        block boundary. A world without so many new blocks gets none, so call it after any act, at most once per block.

        Args:
            state: The state of the last act.
            outcome: The value of what followed, one or ``[B]``, high is good; NaN: unknown.
            episode: The number of each episode in its source, one or ``[B]``; None: the seed of the world.
            source: The name of the source of the episodes.

        Raises:
            ConfigError: if there is no memory, or it cannot be appended to.
            DataError: if the memory cannot be written.
        """
        return self._memory.remember(state, outcome, episode, source)

    def recall(self, state: AgentState, count: int = 5, *, exact: bool = True) -> tuple[Recalled, ...]:
        """Return for each world the entries of its memory nearest to its latent, with their episodes and steps.

        Args:
            state: The state after an act.
            count: The number of entries.
            exact: See :meth:`tacit.types.Store.nearest`.

        Raises:
            ConfigError: if there is no memory, or no act yet.
        """
        return self._memory.recall(state, count, exact)

    def _evidence(self, state: AgentState) -> dict[str, npt.NDArray[np.float32]]:  # noqa: ARG002 - a subclass reads it
        """Return further evidence ``[B]`` of a decision, by name."""
        return {}

    def _decide(self, state: AgentState, problem: str, due: float | None) -> tuple[AgentState, Plan | None]:
        """Return the state with a queue of one or more blocks, and the plan; None if there is no new one.

        Cautious worlds get a new plan while the others continue with their queue.
        """
        if state.queue.shape[1] == 0:
            return self._planned(state, problem, due)
        cautious = self._safeguard.cautious(state)
        if not cautious.any():
            return (replace(state, reasons=(problem,) * state.batch) if problem else state), None
        fresh, plan = self._planned(unqueued(state), problem, due)
        return merged(state, fresh, cautious), None if plan is None else only(plan, cautious)

    def _planned(self, state: AgentState, problem: str, due: float | None) -> tuple[AgentState, Plan | None]:
        """Return the state with a new queue, and the plan; None if the decision failed."""
        plan, reason, scale = None, problem, self._safeguard.scale(state)
        shape = (state.batch, self.frameskip, self.space.size)
        if not problem:
            try:
                plan = checked_plan(self.decider(self._situation(state, due)), shape, self.model.device)
            except PlanningError as error:
                reason = f"planning failed: {error}"
            except Exception as error:
                if state.last_action is None:
                    raise
                reason = f"planning failed: {type(error).__name__}: {error}"
        if plan is None:
            all_failed, reasons = np.ones(state.batch, np.bool_), (reason,) * state.batch
            return self._execution.queued(state, None, all_failed, reasons, scale)[0], None
        failed, reasons = failures(plan)
        forbidden = failed & plan.infeasible.cpu().numpy()
        state = replace(state, left=np.where(forbidden, 0, state.left))
        state, actions = self._execution.queued(state, plan.actions, failed, reasons, scale)
        energy = plan.energy.masked_fill(torch.from_numpy(failed).to(plan.energy.device), torch.nan)
        return state, replace(plan, actions=actions, energy=energy)

    def _situation(self, state: AgentState, due: float | None) -> Situation:
        """Return the inputs of a decision."""
        if state.context is None:
            raise SpecError("the state holds no observation yet.")
        return Situation(
            state.context,
            state.steps,
            WorldNoise(state.seeds, state.steps),
            self._limits.space,
            goal=state.goal,
            project=self._limits.after(self._execution.previous(state), self._safeguard.scale(state)),
            previous=state.warm_start,
            memory=self._memory.views(state),
            due=due,
        )

    def _shown(self, observation: Observation) -> Observation:
        """Return the observation of the world, for an actor with another input."""
        return observation
