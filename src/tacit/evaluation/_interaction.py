"""Checked and copied data between an actor and an environment."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from tacit.errors import SpecError
from tacit.types import Box, Environment, Observation

__all__ = ["checked_actions", "observed"]


def checked_actions(env: Environment, action: Any, batch: int) -> npt.NDArray[np.float32]:
    """Return the actions ``[B, A]`` of an actor, if they fit the action space.

    Raises:
        SpecError: if they have another shape, are not finite or leave the space.
    """
    actions, space = np.asarray(action, np.float32), env.spec.action
    if actions.shape != (batch, space.size):
        raise SpecError(f"the actor must return actions of shape {(batch, space.size)}; got {actions.shape}.")
    if not np.isfinite(actions).all():
        raise SpecError("the actor returned an action that is not finite. Check its model and its cost.")
    low, high = (space.low, space.high) if isinstance(space, Box) else (0.0, 1.0)
    if (actions < np.subtract(low, 1e-4)).any() or (actions > np.add(high, 1e-4)).any():
        raise SpecError(
            f"the actor left the action space {space}: its actions span {actions.min()} to {actions.max()}."
        )
    return actions


def observed(env: Environment, observation: Mapping[str, Any]) -> Observation:
    """Return copies of the modalities of the Spec that are there. An actor receives nothing else."""
    return {name: np.array(observation[name]) for name in env.spec.modalities if name in observation}
