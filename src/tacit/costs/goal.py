"""Distance to a goal in latent space."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from tacit._arrays import array_namespace, like
from tacit._registry import suggest
from tacit.costs._base import CostTerm
from tacit.errors import ConfigError, SpecError
from tacit.types import Numbers, Rollout

__all__ = ["Goal"]


@dataclass(frozen=True, eq=False)
class Goal(CostTerm):
    """The distance of the imagined latents to the latent of a goal.

    With ``d_t = mean over D of |latent_t - goal| ** p``, where ``p`` is 2 for ``l2`` and 1 for ``l1``, the energy
    is ``d_H`` (``last``), ``d_1 + ... + d_H`` (``sum``) or the smallest ``d_t`` (``min``).

    Args:
        target: The latent of the goal, ``[D]`` for all worlds or ``[B, D]``; without it, the goal that the agent
            received at its start.
        reduce: ``last``, ``sum`` or ``min`` over the horizon.
        metric: ``l2`` (squared) or ``l1``.
        on: The modality whose part of the latents is compared, such as a camera without the robot's pose; see
            :attr:`tacit.types.WorldModel.latent_parts`. Empty: all components.

    Raises:
        ConfigError: if an option is unknown.
    """

    target: Numbers | None = None
    reduce: Literal["last", "sum", "min"] = "last"
    metric: Literal["l2", "l1"] = "l2"
    on: str = ""

    def __post_init__(self) -> None:
        if self.reduce not in ("last", "sum", "min"):
            raise ConfigError(f"Goal reduces by 'last', 'sum' or 'min'; got {self.reduce!r}.")
        if self.metric not in ("l2", "l1"):
            raise ConfigError(f"Goal measures by 'l2' or 'l1'; got {self.metric!r}.")

    def __call__(self, rollout: Rollout, /) -> Numbers:
        """Return energies ``[B, S]``; see :class:`tacit.types.Cost`.

        Raises:
            SpecError: if there is no goal, it does not fit the latents, or the latents have no such part.
        """
        target = rollout.goal if self.target is None else self.target
        if target is None:
            raise SpecError("Goal has no target: write Goal(latent), or give the agent a goal: start(goal=...).")
        batch, _, _, size = rollout.latents.shape
        if tuple(target.shape) not in ((size,), (1, size), (batch, size)):
            raise SpecError(f"the goal must be [D] = [{size}] or [B, D] = [{batch}, {size}]; got {list(target.shape)}.")
        part = self._part(rollout.parts)
        latents = self.considered(rollout.latents)[..., part]
        xp = array_namespace(latents)
        difference = latents - xp.reshape(like(target, latents), (-1, 1, 1, size))[..., part]
        distance = xp.mean(difference**2 if self.metric == "l2" else xp.abs(difference), axis=-1)
        return self.over_horizon(distance)

    def _part(self, parts: Mapping[str, slice]) -> slice:
        """Return the components that are compared."""
        if not self.on:
            return slice(None)
        if self.on not in parts:
            known = f"they have {', '.join(parts)}" if parts else "this model mixes all modalities in its latents"
            raise SpecError(f"Goal compares the part {self.on!r} of latents; {known}.{suggest(self.on, parts)}")
        return parts[self.on]

    def considered(self, latents: Numbers) -> Numbers:
        """Return the latents ``[B, S, H', D]`` of ``[B, S, H, D]`` that the energy depends on."""
        return latents[:, :, -1:] if self.reduce == "last" else latents

    def over_horizon(self, distance: Numbers) -> Numbers:
        """Return energies ``[B, S]`` of distances ``[B, S, H']`` at the considered steps."""
        xp = array_namespace(distance)
        return xp.min(distance, axis=-1) if self.reduce == "min" else xp.sum(distance, axis=-1)

    def __repr__(self) -> str:
        target = "" if self.target is None else f"target={list(self.target.shape)}, "
        on = f", on={self.on!r}" if self.on else ""
        return f"Goal({target}reduce={self.reduce!r}, metric={self.metric!r}{on})"
