"""Checks and seeds that all batches of worlds share."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from tacit._seeds import draw_seeds
from tacit.errors import ConfigError, SpecError
from tacit.types import Array

__all__ = ["check_actions", "check_finite", "check_options", "per_world"]


def check_actions(action: Array, num_envs: int, size: int) -> None:
    """Raise a SpecError unless ``action`` is ``[num_envs, size]`` and finite."""
    if action.shape != (num_envs, size):
        raise SpecError(
            f"step expected actions of shape {(num_envs, size)}, a row for each world; got shape {action.shape}."
        )
    if not np.isfinite(action).all():
        raise SpecError("step expected finite actions; got NaN or infinity. Look at the policy that made them.")


def check_finite(observation: Mapping[str, Array], who: str) -> None:
    """Raise a SpecError if a vector of an observation holds NaN, infinity or what float32 cannot hold."""
    for name, batch in observation.items():
        if batch.dtype.kind == "f" and not np.isfinite(batch).all():
            world = int(np.flatnonzero(~np.isfinite(batch.reshape(len(batch), -1)).all(axis=1))[0])
            raise SpecError(
                f"{who}: the observation {name!r} of world {world} holds NaN, infinity or a number beyond float32. "
                "Mend it in a wrapper, or leave it out by modalities=[...]."
            )


def check_options(who: str, num_envs: int | None, size: int | None, modalities: Sequence[str] | None = None) -> None:
    """Raise a ConfigError unless the options that environments share are of the right kind."""
    for name, value in (("num_envs", num_envs), ("the size of images", size)):
        if value is not None and (isinstance(value, bool) or not isinstance(value, (int, np.integer)) or value < 1):
            raise ConfigError(f"{who} needs {name} as a whole number of at least 1; got {value!r}.")
    if isinstance(modalities, str) or (modalities is not None and not modalities):
        raise ConfigError(f'modalities is a list of names, such as ["pixels"]; got {modalities!r}.')


def per_world(seed: int | Sequence[int], num_envs: int) -> list[int]:
    """Return one seed below 2**32 for each world, drawn from ``seed`` where it is a single one."""
    if isinstance(seed, (Sequence, np.ndarray)):
        if len(seed) != num_envs:
            raise SpecError(f"reset expected one seed, or one for each of {num_envs} worlds; got {len(seed)} seeds.")
        return [int(one) for one in seed]
    return draw_seeds(seed, num_envs)
