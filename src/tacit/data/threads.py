"""Work of threads ahead of its use."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

__all__ = ["MAX_PREFETCHED", "prefetch_map"]

A = TypeVar("A")
B = TypeVar("B")
MOST = 8
EACH = 4
MAX_PREFETCHED = EACH * MOST
"""Largest number of results that wait for their use."""


def prefetch_map(work: Callable[[A], B], items: Iterable[A]) -> Iterator[B]:
    """Yield ``work`` of each of ``items`` in order; for work that releases the GIL, such as decoding."""
    threads = min(MOST, os.cpu_count() or 1)
    if threads == 1:
        yield from map(work, items)
        return
    waiting: deque[Future[B]] = deque()
    with ThreadPoolExecutor(threads, thread_name_prefix="tacit-prefetch") as pool:
        try:
            for item in items:
                waiting.append(pool.submit(work, item))
                if len(waiting) >= EACH * threads:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            for future in waiting:
                future.cancel()
