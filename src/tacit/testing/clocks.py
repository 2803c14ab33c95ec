"""Virtual clock for tests of control loops: time passes only where a test says so."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

__all__ = ["VirtualClock"]


class VirtualClock:
    """A :class:`tacit.robot.Clock` whose time passes only by waiting and by :meth:`spend`.

    Work of a worker runs at once, and what it spends passes next to the loop, as in a thread. So all durations of a run
    are known exactly, and a run of minutes takes no time.

    Args:
        delays: Seconds by which each wait ends too late, in order; 0 after them.
    """

    def __init__(self, delays: Iterable[float] = ()) -> None:
        self._time = 0.0
        self._delays = iter(delays)

    def now(self) -> float:
        """Return the time in seconds."""
        return self._time

    def wait(self, until: float) -> None:
        """Advance the time to ``until`` and by the next delay."""
        self._time = max(self._time, until) + next(self._delays, 0.0)

    def spend(self, seconds: float) -> None:
        """Advance the time, as the work would that calls it."""
        self._time += seconds

    def worker(self, name: str) -> _Worker:
        """Return a worker; see :class:`tacit.robot.Clock`."""
        del name
        return _Worker(self)


class _Worker:
    """A worker of a virtual clock."""

    def __init__(self, clock: VirtualClock) -> None:
        self._clock, self._end = clock, 0.0
        self._result: tuple[Any, BaseException | None] | None = None

    @property
    def busy(self) -> bool:
        """See :class:`tacit.robot.Worker`."""
        return self._result is not None

    def begin(self, work: Callable[[], object]) -> None:
        """See :class:`tacit.robot.Worker`."""
        began = self._clock.now()
        try:
            self._result = (work(), None)
        except Exception as error:
            self._result = (None, error)
        self._end = self._clock.now()
        self._clock._time = began

    def done(self, until: float) -> bool:
        """See :class:`tacit.robot.Worker`."""
        finished = self._result is not None and self._end <= until
        self._clock._time = max(self._clock.now(), self._end if finished else until)
        return finished

    def take(self) -> Any:
        """See :class:`tacit.robot.Worker`."""
        if self._result is None:
            raise RuntimeError("the worker has no work: call begin first.")
        (value, error), self._result = self._result, None
        if error is not None:
            raise error
        return value

    def close(self) -> None:
        """Do nothing."""
