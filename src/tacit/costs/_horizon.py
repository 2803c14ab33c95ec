"""Reduction of distances over the horizon of a plan."""

from __future__ import annotations

from typing import Literal, TypeAlias

from tacit._arrays import array_namespace
from tacit.errors import ConfigError
from tacit.types import Numbers

__all__ = ["Reduce", "check_reduce", "considered", "over_horizon"]

Reduce: TypeAlias = Literal["last", "sum", "min"]
"""The energy of distances ``d_1 ... d_H``: ``d_H``, their sum, or the smallest."""


def check_reduce(reduce: str, name: str) -> None:
    """Refuse an unknown reduction of a cost.

    Raises:
        ConfigError: if it is none.
    """
    if reduce not in ("last", "sum", "min"):
        raise ConfigError(f"{name} reduces by 'last', 'sum' or 'min'; got {reduce!r}.")


def considered(latents: Numbers, reduce: Reduce) -> Numbers:
    """Return the latents ``[B, S, H', D]`` of ``[B, S, H, D]`` that the energy depends on."""
    return latents[:, :, -1:] if reduce == "last" else latents


def over_horizon(distance: Numbers, reduce: Reduce) -> Numbers:
    """Return energies ``[B, S]`` of distances ``[B, S, H']`` at the considered steps."""
    xp = array_namespace(distance)
    return xp.min(distance, axis=-1) if reduce == "min" else xp.sum(distance, axis=-1)
