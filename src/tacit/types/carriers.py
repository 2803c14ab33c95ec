"""Carriers: memory of facts that were seen and are hidden now, as a value that an agent carries along."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol, TypeAlias, runtime_checkable

from tacit._arrays import Numbers

__all__ = ["Carrier", "Carry"]

Carry: TypeAlias = Mapping[str, Numbers]
"""The state of a carrier: arrays ``[B, ...]`` by name."""


@runtime_checkable
class Carrier(Protocol):
    """A memory that is written at every block boundary and read by costs, policies and critics.

    It holds parameters, never a state: a step returns another state. What is imagined leaves the state as it is, unless
    someone steps through imagined latents, which gives a state of its own. The state of a world depends neither on the
    other worlds nor on its index among them.
    """

    @property
    def latent(self) -> int:
        """Return ``D``, the size of the latents that it is written with."""

    @property
    def size(self) -> int:
        """Return ``M``, the size of what is read."""

    def start(self, batch: int, /) -> Carry:
        """Return the state of ``batch`` worlds before their first latent."""

    def step(self, carry: Carry, latents: Numbers, blocks: Numbers | None = None, /) -> Carry:
        """Return the state after one more observation.

        A world whose latent or block is not finite keeps its state.

        Args:
            carry: The state before it. Read before the step, it knows nothing of the new latent.
            latents: ``[B, D]`` the new latents.
            blocks: ``[B, A']`` the raw action blocks that led to them; None at the start.

        Raises:
            SpecError: if the state is that of another carrier, or the sizes do not fit.
        """

    def read(self, carry: Carry, /) -> Numbers:
        """Return the memory ``[B, M]``.

        Raises:
            SpecError: if the state is that of another carrier.
        """
