"""Distance to a goal in latent space."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from torch import Tensor

from tacit.costs._base import Summable
from tacit.errors import ConfigError, SpecError

__all__ = ["Goal"]


@dataclass(frozen=True, eq=False)
class Goal(Summable):
    """How far the imagined latents are from the latent of a goal.

    With ``d_t = mean over D of |latent_t - goal| ** p``, where ``p`` is 2 for ``l2`` and 1 for ``l1``, the energy
    is ``d_H`` (``last``), ``d_1 + ... + d_H`` (``sum``) or the smallest ``d_t`` (``min``).

    Args:
        target: The latent of the goal, ``[D]`` for all worlds or ``[B, D]``; without it, the goal that the agent was
            given at its start.
        reduce: ``last``, ``sum`` or ``min`` over the horizon.
        metric: ``l2`` (squared) or ``l1``.
        first: Compare the first so many components alone, such as what a picture shows without a robot's pose; 0: all.

    Raises:
        ConfigError: if an option is unknown or below 0.
    """

    target: Tensor | None = None
    reduce: Literal["last", "sum", "min"] = "last"
    metric: Literal["l2", "l1"] = "l2"
    first: int = 0

    def __post_init__(self) -> None:
        if self.reduce not in ("last", "sum", "min"):
            raise ConfigError(f"Goal reduces by 'last', 'sum' or 'min'; got {self.reduce!r}.")
        if self.metric not in ("l2", "l1"):
            raise ConfigError(f"Goal measures by 'l2' or 'l1'; got {self.metric!r}.")
        if self.first < 0:
            raise ConfigError(f"Goal compares the first components, at least 1, or all with 0; got {self.first}.")

    def __call__(self, latents: Tensor, actions: Tensor, goal: Tensor | None) -> Tensor:
        """Energies ``[B, S]``; see :class:`tacit.types.Cost`.

        Raises:
            SpecError: if there is no goal or it does not fit the latents.
        """
        del actions
        target = goal if self.target is None else self.target
        if target is None:
            raise SpecError("Goal has no target: write Goal(latent), or give the agent a goal: start(goal=...).")
        batch, _, _, size = latents.shape
        if target.shape not in ((size,), (1, size), (batch, size)):
            raise SpecError(f"the goal must be [D] = [{size}] or [B, D] = [{batch}, {size}]; got {list(target.shape)}.")
        if self.first > size:
            raise SpecError(f"Goal is to compare the first {self.first} components; latents have {size}.")
        target = target.detach().to(latents.device, latents.dtype).reshape(-1, 1, 1, size)
        size = self.first or size
        difference = self.seen(latents)[..., :size] - target[..., :size]
        distance = (difference.square() if self.metric == "l2" else difference.abs()).mean(dim=-1)
        return self.over_horizon(distance)

    def seen(self, latents: Tensor) -> Tensor:
        """The part ``[B, S, H', D]`` of ``latents [B, S, H, D]`` that the energy depends on."""
        return latents[:, :, -1:] if self.reduce == "last" else latents

    def over_horizon(self, distance: Tensor) -> Tensor:
        """Energies ``[B, S]`` of distances ``[B, S, H']`` at the steps that are seen."""
        return distance.amin(dim=-1) if self.reduce == "min" else distance.sum(dim=-1)

    def __repr__(self) -> str:
        target = "" if self.target is None else f"target={list(self.target.shape)}, "
        first = f", first={self.first}" if self.first else ""
        return f"Goal({target}reduce={self.reduce!r}, metric={self.metric!r}{first})"
