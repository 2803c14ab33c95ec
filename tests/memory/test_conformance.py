"""Every store keeps the promises of the protocol, and the suite finds those that do not."""

from copy import copy
from dataclasses import replace

import numpy as np
import pytest

from memory.stored import drawn, made
from tacit.memory import DiskStore
from tacit.testing.stores import check_store
from tacit.types import Neighbors


@pytest.fixture
def store(tmp_path):
    with made(tmp_path / "memory") as found:
        found.append(drawn(200, outcomes=np.arange(200)))
        yield found


def test_stores_and_views_keep_their_promises(store):
    for one in (store, store.newest, DiskStore.open(store.path), store.at(store.snapshot)):
        check_store(one)
    store.consolidate(store.size // 2)
    check_store(store)


def turned(found):
    return Neighbors(found.numbers[:, ::-1], found.distances[:, ::-1])


@pytest.mark.parametrize(
    ("name", "broken", "promise"),
    [
        ("numbers", lambda one: lambda: one.numbers()[::-1], "ascend"),
        ("entries", lambda one: lambda *at: one.entries(*(np.sort(some) for some in at)), "in the order"),
        ("entries", lambda one: lambda *at: one.entries(*(np.minimum(some, 199) for some in at)), "DataError"),
        ("entries", lambda one: lambda *at: replace((e := one.entries(*at)), outcomes=e.outcomes[:, None]), "outcomes"),
        ("nearest", lambda one: lambda *a, **k: turned(one.nearest(*a, **k)), "naive"),
        ("nearest", lambda one: lambda q, n, **k: one.nearest(q, max(n, 1), **k), "count of 0"),
        (
            "nearest",
            lambda one: lambda *a, **k: replace((f := one.nearest(*a, **k)), distances=np.sqrt(f.distances)),
            "squared",
        ),
        ("at", lambda one: lambda snapshot: one, "unknown snapshot"),
    ],
)
def test_the_suite_names_a_broken_promise(store, name, broken, promise):
    one = copy(store.newest)
    vars(one)[name] = broken(store.newest)
    with pytest.raises(AssertionError, match=promise):
        check_store(one)
