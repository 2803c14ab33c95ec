"""Work ahead of its use: in order, not too far, and errors come through."""

import threading
import time

import pytest

from tacit.data import threads
from tacit.data.threads import prefetch_map


def test_results_come_in_order():
    assert list(prefetch_map(lambda item: (time.sleep(0.002 * (item % 3)), item)[1], range(50))) == list(range(50))


def test_the_work_is_not_far_ahead_and_stops_when_nobody_looks(monkeypatch):
    monkeypatch.setattr(threads.os, "cpu_count", lambda: 2)
    done: list[int] = []
    results = prefetch_map(lambda item: done.append(item) or item, range(1000))
    assert [next(results), next(results)] == [0, 1]
    time.sleep(0.05)
    assert len(done) <= 2 + 4 * 2
    results.close()
    assert len(done) <= 2 + 4 * 2
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("tacit-ahead")]


@pytest.mark.parametrize("cores", [1, 4])
def test_errors_come_through(monkeypatch, cores):
    monkeypatch.setattr(threads.os, "cpu_count", lambda: cores)
    results = prefetch_map(lambda item: 1 // (item - 3), range(9))
    assert [next(results) for _ in range(3)] == [-1, -1, -1]
    with pytest.raises(ZeroDivisionError):
        next(results)
