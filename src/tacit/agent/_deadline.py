"""Deadline of a search."""

from __future__ import annotations

from time import perf_counter

__all__ = ["Deadline"]

TAIL = 1.5
"""The duration of the next chunk of candidates, as a multiple of the longest so far."""
AFTER = 0.05
"""The share of the time until the deadline that is kept for what follows the search."""


class Deadline:
    """Function that returns whether a search has to end, called after each chunk of candidates.

    The search ends when another chunk might take until after the deadline.

    Args:
        due: The time of the deadline, on the clock of :func:`time.perf_counter`.
    """

    def __init__(self, due: float) -> None:
        self._last = perf_counter()
        self._end = due - AFTER * max(due - self._last, 0.0)
        self._longest = 0.0

    def __call__(self) -> bool:
        """Return whether the search has to end."""
        now = perf_counter()
        self._longest, self._last = max(self._longest, now - self._last), now
        return now + TAIL * self._longest >= self._end
