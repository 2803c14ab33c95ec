"""The observed and the predicted latents of an actor."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from tacit._threads import computing, suited_threads
from tacit.agent._state import AgentState
from tacit.errors import SpecError
from tacit.types import Carrier, Carry, Context, Observation, WorldModel

__all__ = ["Perception"]


class Perception:
    """Encodes observations and goals and predicts the next latent, for the states of an actor.

    Args:
        model: The source of latents and predictions.
        carrier: The memory that is written with every latent; None: there is none.
    """

    def __init__(self, model: WorldModel, carrier: Carrier | None = None) -> None:
        self.model, self.carrier = model, carrier
        self.threads = suited_threads(model) if isinstance(model, nn.Module) else None
        """The number of threads to compute with; None: as many as the process uses."""

    def start(self, state: AgentState, goal: Observation | None) -> AgentState:
        """Return a state with its goal; a goal that lacks modalities is completed at each decision.

        Raises:
            SpecError: if the goal does not fit the model.
        """
        for module in (self.model, self.carrier):
            if isinstance(module, nn.Module):
                module.eval()
        if goal is None:
            return state
        if self._lacks_modalities(goal):
            return replace(state, partial_goal=goal)
        return replace(state, goal=self._encode_goal(goal, state.batch))

    def update(self, state: AgentState, observation: Observation) -> tuple[AgentState, str]:
        """Return the state with the latents of an observation, and a description of its problem.

        Raises:
            Exception: before the first action, if the observation cannot be encoded.
        """
        problem, before = "", state.context
        try:
            latent = self._encode(observation, state.batch)
            if state.partial_goal is not None:
                completed = {**observation, **state.partial_goal}
                state = replace(state, goal=self._encode_goal(completed, state.batch))
        except Exception as error:
            if state.last_action is None:
                raise
            problem = f"the observation cannot be encoded: {type(error).__name__}: {error}"
            if before is None:
                return self._at_boundary(state), problem
            latent = torch.full_like(before.latents[:, -1], torch.nan)
        if before is None or state.block is None:
            carry = self._carried(before, latent, None)
            return replace(self._at_boundary(state), context=Context(latent[:, None], carry=carry)), problem
        if state.deviated.any() and state.executed is not None:
            state = self.predict(state, state.executed)
        surprise = np.full(state.batch, np.nan, np.float32)
        if state.predicted is not None:
            surprise = (latent - state.predicted).square().mean(dim=-1).float().cpu().numpy()
        context = _extended(before, latent, state.block, self.model.history)  # type: ignore[arg-type]
        context = replace(context, carry=self._carried(before, latent, state.block))
        return replace(self._at_boundary(state), context=context, surprise=surprise), problem

    def predict(self, state: AgentState, rows: npt.NDArray[np.float32]) -> AgentState:
        """Return the state with a block of raw actions ``[B, frameskip, A]`` and its predicted latent."""
        block = torch.from_numpy(rows.reshape(len(rows), -1).copy()).to(self.model.device)
        predicted = None
        if state.context is not None:
            try:
                predicted = self.model.rollout(state.context, block[:, None])[:, 0]
            except Exception:
                if state.last_action is None:
                    raise
        return replace(state, block=block, predicted=predicted)

    def _carried(self, before: Context | None, latent: Tensor, block: Tensor | None) -> Carry | None:
        """Return the state of the carrier after a latent and the block that led to it; None without a carrier."""
        if self.carrier is None:
            return None
        carry = None if before is None else before.carry
        return self.carrier.step(self.carrier.start(len(latent)) if carry is None else carry, latent, block)

    def _at_boundary(self, state: AgentState) -> AgentState:
        """Return the state without the executed actions of the last block."""
        return replace(state, executed=None, deviated=np.zeros(state.batch, np.bool_))

    def _encode(self, observation: Observation, batch: int) -> Tensor:
        with computing(self.threads), torch.no_grad():
            latents = self.model.encode(observation)
        if latents.ndim != 2 or len(latents) != batch:
            raise SpecError(
                f"expected one observation for each of the {batch} worlds, [B, ...], and from the model latents "
                f"[B, D]; got latents of shape {list(latents.shape)}."
            )
        return latents

    def _encode_goal(self, goal: Observation, batch: int) -> Tensor:
        try:
            return self._encode(goal, batch)
        except SpecError as error:
            raise SpecError(f"the goal does not fit: {error}") from error

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


def _extended(context: Context, latent: Tensor, block: Tensor, history: int) -> Context:
    """Return a context with one more latent, cut to the latents that the model uses."""
    latents = torch.cat([context.latents, latent[:, None]], dim=1)[:, -history:]
    past = [] if context.blocks is None else [context.blocks]
    blocks = torch.cat([*past, block[:, None]], dim=1)
    kept = latents.shape[1] - 1
    return Context(latents, blocks[:, blocks.shape[1] - kept :] if kept else None)
