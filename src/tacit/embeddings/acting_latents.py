"""Latents along the episodes of an acting agent."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from tacit.agent import AgentState
from tacit.agent._actor import BlockActor
from tacit.errors import ConfigError
from tacit.evaluation.trace import Trace, trace
from tacit.guard import Recording
from tacit.types import Environment, Observation, Tasks, Verdict

__all__ = ["record_latents"]


class _Listener:
    """Actor that keeps the latents of another one at block boundaries.

    Args:
        actor: The other one.

    Attributes:
        latents: ``[B, D]`` at each boundary.
        batches: The number of batches of episodes.
    """

    def __init__(self, actor: BlockActor) -> None:
        self.actor = actor
        self.latents: list[npt.NDArray[np.float32]] = []
        self.batches = 0

    def start(self, *, seed: int | Sequence[int], batch: int = 1, goal: Observation | None = None) -> AgentState:
        """See :class:`tacit.types.Actor`."""
        self.batches += 1
        return self.actor.start(seed=seed, batch=batch, goal=goal)

    def act(self, state: AgentState, observation: Observation) -> tuple[npt.NDArray[np.float32], Verdict, AgentState]:
        """See :class:`tacit.types.Actor`."""
        boundary = state.steps[0] % self.actor.frameskip == 0
        action, verdict, state = self.actor.act(state, observation)
        if boundary and state.context is not None:
            self.latents.append(state.context.latents[:, -1].float().cpu().numpy())
        return action, verdict, state


def record_latents(
    actor: BlockActor, env: Environment, episodes: int | Tasks, seed: int = 1, *, steps: int | None = None
) -> tuple[Recording, Trace]:
    """Let an agent act, and record its latents and executed blocks instead of its observations.

    Calibrate a guard with episodes like these; see :func:`tacit.guard.fit`.

    Args:
        actor: The agent, without a guard.
        env: The environment.
        episodes: Tasks of an environment with goals, or a number of episodes, at most that of its worlds.
        seed: Seed of the episodes and of the agent.
        steps: See :func:`tacit.evaluation.trace`.

    Raises:
        ConfigError: if an episode ended within its first block, or there are more episodes than worlds.
    """
    listener = _Listener(actor)
    found = trace(listener, env, episodes, seed, steps=steps, progress=False)
    skip, count = actor.frameskip, len(found)
    if listener.batches > 1 or found.lengths.min() < skip:
        raise ConfigError(
            f"latents are recorded in one batch of worlds over one block of {skip} steps or more; got "
            f"{listener.batches} batches, and {found.lengths.min()} steps in the shortest episode."
        )
    latents = np.stack(listener.latents, axis=1)[:count]
    boundaries = latents.shape[1]
    blocks = found.actions[:, : (boundaries - 1) * skip].reshape(count, boundaries - 1, -1).copy()
    # A boundary counts while its episode lasts: an action follows it.
    lasting = np.arange(boundaries) * skip < found.lengths[:, None]
    latents = np.where(lasting[..., None], latents, np.float32(np.nan))
    blocks[~lasting[:, 1:]] = np.nan
    return Recording(latents, blocks), found
