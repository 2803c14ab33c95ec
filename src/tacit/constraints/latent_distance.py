"""A range of distances to a latent."""

from __future__ import annotations

import math
from dataclasses import dataclass

from tacit._arrays import array_namespace, like
from tacit._ranges import check_range
from tacit.constraints._margins import MarginConstraint, check_margin
from tacit.errors import SpecError
from tacit.types import Numbers

__all__ = ["LatentDistance"]


@dataclass(frozen=True, eq=False)
class LatentDistance(MarginConstraint):
    """A range of distances of imagined latents to a given one, such as that of a state to avoid.

    The distance is the root mean square of the difference over the components.

    Args:
        latent: The latent ``[D]``.
        low: The smallest distance; None: no limit.
        high: The largest distance.
        margin: The slack that a plan keeps, a distance; see :class:`tacit.types.MarginConstraint`.

    Raises:
        ConfigError: if there is no limit, or none is between them.
    """

    latent: Numbers
    low: float | None = None
    high: float | None = None
    margin: float = 0.0

    def __post_init__(self) -> None:
        check_margin(self.margin, "LatentDistance")
        check_range((self.low,), (self.high,), "LatentDistance")

    def __str__(self) -> str:
        return "LatentDistance"

    @property
    def target(self) -> str:
        """Return the name of the quantity, which no environment knows."""
        return "latent"

    def values(self, latents: Numbers, /) -> Numbers:
        """Return the differences ``[..., D]`` of latents to the target.

        Raises:
            SpecError: if the latents have another size.
        """
        if tuple(self.latent.shape) != (latents.shape[-1],):
            raise SpecError(
                f"LatentDistance has a latent of shape {list(self.latent.shape)}; the latents have {latents.shape[-1]} "
                "components."
            )
        return latents - like(self.latent, latents)

    def slack(self, values: Numbers, /) -> Numbers:
        """Return the distance ``[...]`` of differences ``[..., D]`` to the nearest limit, negative outside."""
        return self._slack(values, values)

    def lowest(self, first: Numbers, last: Numbers, /, level: float = math.inf) -> Numbers:  # noqa: ARG002 - exact
        """Return the lowest slack ``[...]`` on the lines between differences ``[..., D]``."""
        xp, slope = array_namespace(first), last - first
        square = xp.sum(slope**2, axis=-1)
        share = -xp.sum(first * slope, axis=-1) / xp.where(square > 0, square, 1.0)
        nearest = first + xp.clip(share, 0.0, 1.0)[..., None] * slope
        return xp.minimum(self._slack(nearest, first), self._slack(nearest, last))

    def _slack(self, nearest: Numbers, farthest: Numbers) -> Numbers:
        """Return the slack ``[...]`` between the nearest and the farthest differences ``[..., D]``."""
        slacks = []
        if self.low is not None:
            slacks.append(_distance(nearest) - self.low)
        if self.high is not None:
            slacks.append(self.high - _distance(farthest))
        return array_namespace(nearest).minimum(slacks[0], slacks[-1])


def _distance(difference: Numbers) -> Numbers:
    """Return the root mean square ``[...]`` over the components of ``[..., D]``; its slope at zero is finite."""
    xp = array_namespace(difference)
    square = xp.mean(difference**2, axis=-1)
    zero = square == 0
    return xp.where(zero, 0.0, xp.sqrt(xp.where(zero, 1.0, square)))
