"""Every probe keeps the promises of its suite, and the suite notices probes that do not."""

from dataclasses import dataclass, replace

import numpy as np
import pytest
import torch

from tacit.probing import probes
from tacit.probing.probes import Constant, Linear, Probe, _heads
from tacit.testing.probes import check_probe

FAST = {
    "attentive": {"lrs": (3e-3,), "weight_decays": (0.01,), "epochs": 1},
    "mlp": {"lrs": (3e-3,), "width": 8, "epochs": 1},
    "linear": {"l2": (0.01, 0.1)},
}


@pytest.mark.parametrize("name", probes.names())
def test_every_probe_keeps_its_promises(name, monkeypatch):
    monkeypatch.setattr(_heads, "LEAST", 20)
    check_probe(probes.load(name)(**FAST.get(name, {})))


@dataclass(frozen=True)
class Mutant(Linear):
    """A linear probe with one fault."""

    l2: tuple[float, ...] = (0.1,)


class Random(Mutant):
    def fit_predict(self, task):
        predicted, settings = super().fit_predict(task)
        return predicted.roll(int(torch.randint(1, 9, ())), 0), settings


class Transductive(Mutant):
    def fit_predict(self, task):
        rows = task.test[torch.arange(len(task.test))]
        return super().fit_predict(replace(task, test=rows - rows.mean(dim=0)))


class InPlace(Mutant):
    def fit_predict(self, task):
        rows = task.whole.x[torch.arange(len(task.whole.x))] if not torch.is_tensor(task.whole.x) else task.whole.x
        rows *= 1.5
        return super().fit_predict(task)


class Cheat(Mutant):
    def __call__(self, fit, test, target, **options):
        result = super().__call__(fit, test, target, **options)
        return replace(result, predicted=result.actual)


class Lax(Mutant):
    def __call__(self, fit, test, target, **options):
        return super().__call__(replace(fit, hashes=()), test, target, **options)


class Short(Mutant):
    def __call__(self, fit, test, target, **options):
        return super().__call__(fit, test.select(np.arange(len(test) - 1)), target, **options)


class Picky(Mutant):
    def suits(self, target):
        return False


class Mutable(Probe):
    @property
    def chooses(self):
        return False

    def fit_predict(self, task):
        return Constant().fit_predict(task)


@pytest.mark.parametrize(("probe", "promise"), [
    (Random(), "global random state"),
    (Transductive(), "other held-out rows"),
    (InPlace(), "must not change features"),
    (Cheat(), "held-out targets must only score"),
    (Lax(), "an episode in both parts"),
    (Short(), "every held-out row"),
    (Picky(), "suits must accept"),
    (Mutable(), "frozen dataclass"),
])  # fmt: skip
def test_a_broken_promise_is_named(probe, promise):
    with pytest.raises(AssertionError, match=promise):
        check_probe(probe)
