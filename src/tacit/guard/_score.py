"""Base of scores with calibrated thresholds."""

from __future__ import annotations

__all__ = ["CalibratedScore"]


class CalibratedScore:
    """Score of the current latents whose thresholds are calibrated; see :class:`tacit.types.GuardScore`."""

    @property
    def steps(self) -> int:
        """Return the number of blocks of the forecast that it reads: by default none."""
        return 0

    @property
    def limits(self) -> tuple[float, float] | None:
        """Return None: the thresholds are calibrated."""
        return None
