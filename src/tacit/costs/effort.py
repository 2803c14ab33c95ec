"""The effort of the actuators under the actions of a plan."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tacit._arrays import array_namespace, like
from tacit.costs._base import CostTerm
from tacit.errors import SpecError
from tacit.types import Box, Numbers, Rollout

__all__ = ["Effort"]


@dataclass(frozen=True)
class Effort(CostTerm):
    """The mean square of the raw actions over horizon and components.

    Args:
        space: Box whose half range divides each component first, so that the largest effort in a box around zero is 1.
            None: the energy is in raw units.
    """

    space: Box | None = None

    def __call__(self, rollout: Rollout, /) -> Numbers:
        """Return energies ``[B, S]``; see :class:`tacit.types.Cost`.

        Raises:
            SpecError: if the actions are not blocks of whole actions of the space.
        """
        actions = rollout.blocks
        if self.space is not None:
            if actions.shape[-1] % self.space.size:
                raise SpecError(
                    f"Effort expected blocks of a multiple of {self.space.size} numbers; got {actions.shape[-1]}."
                )
            low, high = np.array([self.space.low, self.space.high], np.float64)
            half = np.where(high > low, (high - low) / 2, 1.0)
            actions = actions / like(np.tile(half, actions.shape[-1] // self.space.size), actions)
        return array_namespace(actions).mean(actions**2, axis=(-2, -1))
