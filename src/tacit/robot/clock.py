"""Clocks of a control loop, and workers whose results are awaited until a time."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, Protocol, TypeAlias

__all__ = ["Clock", "SystemClock", "Worker"]

Work: TypeAlias = Callable[[], object]


class Worker(Protocol):
    """A worker that does one piece of work at a time."""

    @property
    def busy(self) -> bool:
        """Return whether there is work whose result was not taken."""

    def begin(self, work: Work, /) -> None:
        """Begin a piece of work; the worker must not be busy."""

    def done(self, until: float, /) -> bool:
        """Wait until the work is done or the time has come, and return whether it is done."""

    def take(self) -> Any:
        """Return the result of the work that is done, or raise its error."""

    def close(self) -> None:
        """Accept no more work."""


class Clock(Protocol):
    """A clock in seconds from any origin, which never goes back."""

    def now(self) -> float:
        """Return the time."""

    def wait(self, until: float, /) -> None:
        """Wait until a time; return at once if it is past."""

    def worker(self, name: str, /) -> Worker:
        """Return a new worker next to the loop."""


class SystemClock:
    """The monotonic clock of the system; a worker is a thread."""

    def now(self) -> float:
        """See :class:`Clock`."""
        return time.perf_counter()

    def wait(self, until: float) -> None:
        """See :class:`Clock`."""
        while (left := until - time.perf_counter()) > 0:
            time.sleep(left)

    def worker(self, name: str) -> ThreadWorker:
        """See :class:`Clock`."""
        return ThreadWorker(name)


class ThreadWorker:
    """A worker in a thread of its own, which does not keep the process from ending.

    Args:
        name: The name of the thread.
    """

    def __init__(self, name: str) -> None:
        self._work: queue.SimpleQueue[tuple[Work, Future[object]] | None] = queue.SimpleQueue()
        self._future: Future[object] | None = None
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    @property
    def busy(self) -> bool:
        """See :class:`Worker`."""
        return self._future is not None

    def begin(self, work: Work) -> None:
        """See :class:`Worker`."""
        if self._future is not None:
            raise RuntimeError("the worker is busy: take its result first.")
        self._future = Future()
        self._work.put((work, self._future))

    def done(self, until: float) -> bool:
        """See :class:`Worker`."""
        if self._future is None:
            return False
        try:
            self._future.exception(max(until - time.perf_counter(), 0.0))
        except TimeoutError:
            return self._future.done()
        return True

    def take(self) -> Any:
        """See :class:`Worker`."""
        if self._future is None:
            raise RuntimeError("the worker has no work: call begin first.")
        future, self._future = self._future, None
        return future.result()

    def close(self) -> None:
        """See :class:`Worker`; work that is in progress continues without an effect."""
        self._work.put(None)

    def _run(self) -> None:
        while (item := self._work.get()) is not None:
            work, future = item
            try:
                future.set_result(work())
            except BaseException as error:  # the loop raises it again
                future.set_exception(error)
