"""Actor that writes a record of every act before it returns the action."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np
import numpy.typing as npt

from tacit.agent import Agent, AgentState, BlockActor
from tacit.agent._safeguard import Ages
from tacit.audit._facts import facts_of, saved_agent
from tacit.audit._outcome import WINDOW, at_boundary, latent_of, outcome
from tacit.audit._values import KINDS, members
from tacit.audit.log import Log
from tacit.errors import ConfigError
from tacit.types import Observation, Verdict

__all__ = ["Audited"]

UNAUDITED = "unaudited"
"""The evidence of a verdict on an act that has no record."""


class Audited:
    """An actor that writes each act to a log before it returns the action; see :class:`tacit.types.Actor`.

    A record holds all that a replay needs: the state before the act, or the number of the record that led to it; the
    latents of the observation; and the outcome: action, verdict, plan and predicted latent. Other parts of the
    observation are kept where the actor depends on them: the current position, and the whole observation where it is
    incomplete or not finite, or a fallback policy reads it.

    An agent that can be saved is saved in the folder of the log, for the replay.

    Args:
        actor: An agent, or another actor that decides at block boundaries.
        log: Its log. ``when_full="continue"`` makes an act without a record, whose verdict has the evidence
            ``unaudited``.

    Raises:
        ConfigError: if an actor writes the log already, or the actor has no :class:`tacit.agent.AgentState`.
    """

    def __init__(self, actor: BlockActor, log: Log) -> None:
        if not isinstance(actor, BlockActor):
            raise ConfigError(
                f"an audit is of an agent, or of another actor with the state of one; got a {type(actor).__name__}."
            )
        facts = facts_of(actor)
        log.begin(facts)
        self.actor, self.log = actor, log
        self._known: WeakKeyDictionary[AgentState, int] = WeakKeyDictionary()
        place = log.path / saved_agent(facts["agent"])
        if isinstance(actor, Agent) and not place.exists():
            with suppress(ConfigError):  # a replay is then given the agent
                actor.save(place)

    def start(
        self,
        *,
        seed: int | Sequence[int],
        batch: int = 1,
        goal: Observation | None = None,
        last_action: npt.NDArray[np.float32] | None = None,
    ) -> AgentState:
        """Return the state of new episodes; see :meth:`tacit.agent.BlockActor.start`.

        Raises:
            AuditError: if the record cannot be written.
        """
        state = self.actor.start(seed=seed, batch=batch, goal=goal, last_action=last_action)

        def compose() -> str:
            values: dict[str, Any] = {"time": time.time(), "state": state.to_arrays()}
            if goal is not None and self.log.frames:
                values["goal_observation"] = _stored(goal)
            return members(values)

        self._note(state, self.log.write("start", compose))
        return state

    def act(
        self, state: AgentState, observation: Observation, age: Ages | None = None
    ) -> tuple[npt.NDArray[np.float32], Verdict, AgentState]:
        """Return actions, the verdict and the next state; see :meth:`tacit.agent.BlockActor.act`.

        Raises:
            AuditError: if the record cannot be written.
        """
        action, verdict, after = self.actor.act(state, observation, age)

        def compose() -> str:
            return members(
                {
                    "time": time.time(),
                    "steps": state.steps,
                    "state": self._reference(state),
                    **({} if age is None else {"age": age}),
                    **self._shown(observation, verdict, state, after),
                    **outcome(self.actor, state, action, verdict, after),
                }
            )

        number = self.log.write("act", compose, decision=verdict.plan is not None)
        self._note(after, number)
        if number is None:
            flag = np.ones(state.batch, np.float32)
            verdict = replace(verdict, evidence={**verdict.evidence, UNAUDITED: flag})
        return action, verdict, after

    def resume(self, state: AgentState, worlds: npt.NDArray[np.bool_] | None = None) -> AgentState:
        """Return the state in which stopped worlds act again; see :meth:`tacit.agent.BlockActor.resume`.

        The record of the next act holds this state.
        """
        return self.actor.resume(state, worlds)

    def _note(self, state: AgentState, number: int | None) -> None:
        if number is not None:
            self._known[state] = number

    def _reference(self, state: AgentState) -> Any:
        """Return the number of the record that led to a state, if it is in this segment, else the state itself."""
        number = self._known.get(state)
        if number is None or number < max(self.log.first, self.log.next - WINDOW):
            return state.to_arrays()
        return number

    def _shown(
        self, observation: Observation, verdict: Verdict, state: AgentState, after: AgentState
    ) -> dict[str, Any]:
        """Return the parts of an observation to keep next to its latents."""
        spec, latent = self.actor.model.spec, latent_of(self.actor, state, after)
        known = observation if isinstance(observation, Mapping) else {}
        whole = (
            self.log.frames
            or (at_boundary(self.actor, state) and (latent is None or not np.isfinite(latent.cpu().numpy()).all()))
            or (callable(self.actor.fallback) and any(verdict.fallback))
            or not all(_finite(known.get(name)) for name in spec.modalities)
        )
        if whole:
            return {"whole": True, "observation": _stored(known)}
        return {} if spec.position is None else {"observation": {spec.position: known[spec.position]}}


def _finite(value: Any) -> bool:
    """Return whether a modality is there, and its numbers are finite."""
    if value is None:
        return False
    array = np.asarray(value)
    return array.dtype.kind in "bu" or (array.dtype.kind in KINDS and bool(np.isfinite(array).all()))


def _stored(observation: Observation) -> dict[str, Any]:
    """Return the arrays of an observation; None in place of what is no array of numbers."""
    found: dict[str, Any] = {}
    for name, value in observation.items():
        try:
            array = np.asarray(value)
        except ValueError:  # a ragged list
            found[name] = None
            continue
        found[name] = array if array.dtype.kind in KINDS else None
    return found
