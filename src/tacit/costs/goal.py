"""Distance to a goal in latent space."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, Self

from tacit._arrays import array_namespace, like
from tacit._registry import suggest
from tacit.costs._base import CostTerm
from tacit.costs._horizon import Reduce, check_reduce, considered, over_horizon
from tacit.errors import ConfigError, SpecError
from tacit.types import Numbers, Rollout, WorldModel

__all__ = ["Goal"]


@dataclass(frozen=True, eq=False)
class Goal(CostTerm):
    """The distance of the imagined latents to the latent of a goal.

    With ``d_t = mean over D of |latent_t - goal| ** p``, where ``p`` is 2 for ``l2`` and 1 for ``l1``, the energy
    is ``d_H`` (``last``), ``d_1 + ... + d_H`` (``sum``) or the smallest ``d_t`` (``min``). Of ``K`` goals,
    ``d_t`` is the distance to the nearest.

    Args:
        target: The latent of the goal, ``[D]`` for all worlds or ``[B, D]``, or of ``K`` goals, ``[1, K, D]`` or
            ``[B, K, D]`` (see :meth:`any_of`); without it, the goal that the agent received at its start.
        reduce: ``last``, ``sum`` or ``min`` over the horizon.
        metric: ``l2`` (squared) or ``l1``.
        on: The modality whose part of the latents is compared, such as a camera without the robot's pose; see
            :attr:`tacit.types.WorldModel.latent_parts`. Empty: all components.

    Raises:
        ConfigError: if an option is unknown.
    """

    target: Numbers | None = None
    reduce: Reduce = "last"
    metric: Literal["l2", "l1"] = "l2"
    on: str = ""

    def __post_init__(self) -> None:
        check_reduce(self.reduce, "Goal")
        if self.metric not in ("l2", "l1"):
            raise ConfigError(f"Goal measures by 'l2' or 'l1'; got {self.metric!r}.")

    @classmethod
    def any_of(cls, model: WorldModel, goals: Mapping[str, Any], reduce: Reduce = "last") -> Self:
        """Return the distance to the nearest of several goals.

        ::

            tc.costs.Goal.any_of(agent.model, {"pixels": images}, reduce="sum")

        Args:
            model: The model of the agent.
            goals: Observations ``[K, ...]`` of the goals by modality.
            reduce: ``last``, ``sum`` or ``min`` over the horizon.
        """
        from torch import nn, no_grad

        if isinstance(model, nn.Module):
            model.eval()
        with no_grad():
            return cls(model.encode(goals)[None], reduce)

    def __call__(self, rollout: Rollout, /) -> Numbers:
        """Return energies ``[B, S]``; see :class:`tacit.types.Cost`.

        Raises:
            SpecError: if there is no goal, it does not fit the latents, or the latents have no such part.
        """
        target = rollout.goal if self.target is None else self.target
        if target is None:
            raise SpecError("Goal has no target: write Goal(latent), or give the agent a goal: start(goal=...).")
        batch, _, _, size = rollout.latents.shape
        shape = tuple(target.shape)
        if shape[-1:] != (size,) or (len(shape) > 1 and shape[0] not in (1, batch)) or len(shape) > 3 or 0 in shape:
            raise SpecError(
                f"the goal must be [D] = [{size}], [B, D] = [{batch}, {size}], or [B, K, D] for the nearest of K; got "
                f"{list(shape)}."
            )
        part = self._part(rollout.parts)
        latents = considered(rollout.latents, self.reduce)[..., part]
        xp = array_namespace(latents)
        count = shape[1] if len(shape) == 3 else 1
        goals = xp.reshape(like(target, latents), (-1, count, 1, 1, size))[..., part]
        distances = [self._distance(latents - goals[:, index]) for index in range(count)]
        nearest = distances[0] if count == 1 else xp.min(xp.stack(distances, axis=-1), axis=-1)
        return over_horizon(nearest, self.reduce)

    def _distance(self, difference: Numbers) -> Numbers:
        """Return the distance ``[...]`` of a difference of latents ``[..., D]``."""
        xp = array_namespace(difference)
        return xp.mean(difference**2 if self.metric == "l2" else xp.abs(difference), axis=-1)

    def _part(self, parts: Mapping[str, slice]) -> slice:
        """Return the components that are compared."""
        if not self.on:
            return slice(None)
        if self.on not in parts:
            known = f"they have {', '.join(parts)}" if parts else "this model mixes all modalities in its latents"
            raise SpecError(f"Goal compares the part {self.on!r} of latents; {known}.{suggest(self.on, parts)}")
        return parts[self.on]

    def __repr__(self) -> str:
        target = "" if self.target is None else f"target={list(self.target.shape)}, "
        on = f", on={self.on!r}" if self.on else ""
        return f"Goal({target}reduce={self.reduce!r}, metric={self.metric!r}{on})"
