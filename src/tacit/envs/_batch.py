"""What every batch of worlds checks and does alike."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tacit.errors import SpecError
from tacit.types import Array

__all__ = ["check_actions", "per_world"]


def check_actions(action: Array, num_envs: int, size: int) -> None:
    """Raise a SpecError unless ``action`` is ``[num_envs, size]`` and finite."""
    if action.shape != (num_envs, size):
        raise SpecError(
            f"step expected actions of shape {(num_envs, size)}, a row for each world; got shape {action.shape}."
        )
    if not np.isfinite(action).all():
        raise SpecError("step expected finite actions; got NaN or infinity. Look at the policy that made them.")


def per_world(seed: int | Sequence[int], num_envs: int) -> list[int]:
    """One seed below 2**32 for each world, drawn from ``seed`` where it is a single one."""
    if isinstance(seed, Sequence):
        if len(seed) != num_envs:
            raise SpecError(f"reset expected one seed, or one for each of {num_envs} worlds; got {len(seed)} seeds.")
        return list(seed)
    return [int(one) for one in np.random.SeedSequence(seed).generate_state(num_envs)]
