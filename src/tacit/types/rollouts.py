"""Rollouts: the inputs and outputs of a world model, and the protocols that score them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from tacit._arrays import Numbers
from tacit.types.carriers import Carry
from tacit.types.spec import Spec

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["Constraint", "Context", "Cost", "MarginConstraint", "Readout", "RewardHead", "Rollout", "WorldModel"]


@dataclass(frozen=True)
class Context:
    """The observed past from which a model imagines.

    Attributes:
        latents: ``[B, T, D]`` latents at the last block boundaries, the last one current.
        blocks: ``[B, T - 1, A']`` the raw action blocks between them; None where there is one latent.
        carry: The state of the carrier, where the agent has one: all that it was written with, the current latent too.
    """

    latents: Numbers
    blocks: Numbers | None = None
    carry: Carry | None = None


@dataclass(frozen=True)
class Rollout:
    """Imagined latents of candidate plans.

    Attributes:
        start: ``[B, D]`` the current latent.
        latents: ``[B, S, H, D]`` imagined latents after each block.
        blocks: ``[B, S, H, A']`` the raw action blocks that lead to them.
        goal: ``[B, D]`` the latent of the goal, where the agent was given one.
        parts: The components of a latent that belong to a modality, by its name, where a model separates them.
        std: ``[B, S, H]`` standard deviation of the prediction, from a model that estimates it.
        carried: ``[B, M]`` what the carrier of the agent holds at the start, where it has one. Imagined steps do not
            change it.
    """

    start: Numbers
    latents: Numbers
    blocks: Numbers
    goal: Numbers | None = None
    parts: Mapping[str, slice] = field(default_factory=dict)
    std: Numbers | None = None
    carried: Numbers | None = None


class Cost(Protocol):
    """A hand-written or learned energy of rollouts."""

    def __call__(self, rollout: Rollout, /) -> Numbers:
        """Return energies ``[B, S]``, low is good."""


@runtime_checkable
class RewardHead(Protocol):
    """A learned reward of blocks, such as :class:`tacit.costs.ReturnCritic`."""

    def reward(self, latents: Tensor, blocks: Tensor) -> Tensor:
        """Return the rewards ``[...]`` of raw action ``blocks [..., A']`` carried out at ``latents [..., D]``."""


class Constraint(Protocol):
    """A condition on rollouts that a plan keeps at any cost. Holds configuration, never state."""

    def __call__(self, rollout: Rollout, /) -> Numbers:
        """Return violations ``[B, S, H]``; 0 or less keeps the condition during that block."""


@runtime_checkable
class MarginConstraint(Constraint, Protocol):
    """A condition that is kept with a margin, because predictions are not exact.

    The slack of a value is its distance to the limit in the unit of the value, positive where the condition holds. The
    slack of a block is the lowest on the straight line from its start to its end, and has to reach the margin. Where
    the current value has less slack than that, the first block has to end with the margin and has no less slack on its
    way than the current value.
    """

    @property
    def margin(self) -> float:
        """Return the slack that a plan keeps."""

    @property
    def target(self) -> str:
        """Return the name of the quantity, such as a label of an environment."""

    def values(self, latents: Numbers, /) -> Numbers:
        """Return the quantity ``[..., P]`` of latents ``[..., D]``."""

    def slack(self, values: Numbers, /) -> Numbers:
        """Return the slack ``[...]`` of values ``[..., P]``."""

    def slacks(self, rollout: Rollout, /) -> Numbers:
        """Return the slack ``[B, S, H]`` of each block."""

    def with_margin(self, margin: float, /) -> MarginConstraint:
        """Return the constraint with another margin, or with the smallest valid one above it."""


@runtime_checkable
class Readout(Protocol):
    """A fitted, differentiable map from latents to a physical quantity."""

    @property
    def target(self) -> str:
        """Return the name of the quantity."""

    @property
    def size(self) -> int:
        """Return ``P``, the number of components of the quantity."""

    @property
    def error(self) -> tuple[float, ...]:
        """Return the root mean square error ``[P]`` of each component over held-out episodes."""

    def __call__(self, latents: Numbers, /) -> Numbers:
        """Return the quantity ``[..., P]`` of latents ``[..., D]``."""


class WorldModel(Protocol):
    """A model that an agent plans with."""

    @property
    def spec(self) -> Spec:
        """Return the Spec of the world that it was made for."""

    @property
    def frameskip(self) -> int:
        """Return the number of raw actions of one block."""

    @property
    def history(self) -> int:
        """Return the number of past latents that it uses, at least one."""

    @property
    def device(self) -> Any:
        """Return the torch device on which it computes."""

    @property
    def latent_parts(self) -> Mapping[str, slice]:
        """Return the components of a latent that belong to a modality, by its name; empty where all are mixed."""

    def encode(self, observation: Mapping[str, Any], /) -> Tensor:
        """Return latents ``[B, D]`` of observations ``[B, ...]``."""

    def rollout(self, context: Context, blocks: Tensor, /) -> Tensor:
        """Return imagined latents ``[B, S, H, D]`` under raw action blocks ``[B, S, H, A']``.

        For ``blocks [B, H, A']`` without the axis ``S``, the result is ``[B, H, D]``.
        """
