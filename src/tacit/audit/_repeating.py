"""Actor that repeats recorded acts: recorded latents in place of the encoder, recorded stops in place of the clock."""

from __future__ import annotations

from collections.abc import Mapping
from copy import copy
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from tacit._threads import computing
from tacit.agent import AgentState, BlockActor, FlatSearch
from tacit.audit._outcome import outcome
from tacit.audit._values import encoded
from tacit.errors import ConfigError
from tacit.types import Plan, Planner, Problem, WorldModel

__all__ = ["Repeating"]

LATENT = "recorded latent"
"""The modality of a repeated observation that holds its latent."""


class SameStop:
    """A planner that stops where a recorded search was stopped, not by a clock.

    Args:
        planner: The planner of the search.

    Attributes:
        evaluations: The number of candidates that the search rated before it was stopped; None: it was not.
    """

    def __init__(self, planner: Planner) -> None:
        self.planner = planner
        self.evaluations: int | None = None

    def __call__(self, problem: Problem, /) -> Plan:
        """See :class:`tacit.types.Planner`."""
        if problem.stop is None:
            return self.planner(problem)
        if self.evaluations is None:
            return self.planner(replace(problem, stop=lambda: False))
        evaluations, rated = self.evaluations, 0

        def score(actions: Any) -> Any:
            nonlocal rated
            rated += actions.shape[1]
            return problem.score(actions)

        return self.planner(replace(problem, score=score, stop=lambda: rated >= evaluations))


class Repeating:
    """A repetition of recorded acts by an actor.

    Args:
        actor: The actor that is to act as the recorded one did.
        frames: Encode the recorded observations again, in place of using their recorded latents.
        threads: The number of threads of the recorded process.
    """

    def __init__(self, actor: BlockActor, frames: bool, threads: int) -> None:
        self.model, self._frames, self._threads = actor.model, frames, threads
        if isinstance(actor.model, nn.Module):
            actor.model.eval()
        decider, self._stop = actor.decider, None
        if isinstance(decider, FlatSearch) and decider.config.deadline_ms is not None:
            self._stop = SameStop(decider.config.planner)
            decider = replace(decider, config=replace(decider.config, planner=self._stop))
        self._actor = actor.replaced(_from_latents(actor.model), decider)

    def start(self, values: Mapping[str, Any]) -> tuple[AgentState, AgentState]:
        """Return the recorded state of new episodes, and the repeated one; the same without ``frames``."""
        state = self.state(values["state"])
        if not self._frames:
            return state, state
        with computing(self._threads):
            again = self._actor.start(
                seed=state.seeds,
                batch=state.batch,
                goal=values.get("goal_observation"),
                last_action=state.last_action,
            )
        return state, again

    def state(self, arrays: Mapping[str, Any]) -> AgentState:
        """Return a recorded state."""
        return AgentState.from_arrays(arrays, self.model.device)

    def act(self, state: AgentState, values: Mapping[str, Any]) -> tuple[str, AgentState]:
        """Return the outcome of a repeated act in JSON, and the next state.

        Args:
            state: The state before the act.
            values: The members of its record.
        """
        plan = values.get("plan")
        if self._stop is not None:
            self._stop.evaluations = plan["evaluations"] if plan and plan["ended"] == "stopped" else None
        observation = self._observation(state.batch, values)
        goal = values.get("goal")
        if state.partial_goal is not None and goal is not None and LATENT in observation:
            state = replace(state, partial_goal={LATENT: goal})
        with computing(self._threads):
            action, verdict, after = self._actor.act(state, observation, values.get("age"))
        return encoded(outcome(self._actor, state, action, verdict, after)), after

    def _observation(self, batch: int, values: Mapping[str, Any]) -> dict[str, Any]:
        """Return the recorded parts of an observation, and its latent unless it is to be encoded again.

        A modality that was not recorded was whole and finite, and is replaced by zeros.
        """
        shown = dict(values.get("observation", {}))
        latent = values.get("latent")
        known = latent is not None and bool(np.isfinite(latent).all())
        if values.get("whole", False) and (self._frames or not known):
            return shown
        if self._frames:
            raise ConfigError("this log holds no frames. Write it with Log(path, frames=True), or replay without them.")
        if not values.get("whole", False):
            for name, modality in self.model.spec.modalities.items():
                shown.setdefault(name, np.zeros((batch, *modality.shape), modality.dtype))
        return {**shown, LATENT: latent} if known else shown


def _from_latents(model: WorldModel) -> WorldModel:
    """Return a shallow copy of a model that takes the latent of an observation that holds one."""
    other = copy(model)

    def encode(observation: Mapping[str, Any], /) -> Tensor:
        if LATENT in observation:
            return torch.from_numpy(observation[LATENT]).to(model.device)
        return model.encode(observation)

    vars(other)["encode"] = encode
    return other
