"""Conformance suite for probes.

In the tests of an extension::

    from tacit.testing.probes import check_probe

    def test_mine_is_a_probe():
        check_probe(MyProbe())
"""

from __future__ import annotations

from dataclasses import FrozenInstanceError, fields, is_dataclass, replace

import numpy as np
import torch

from tacit.errors import DataError
from tacit.probing.features import Features
from tacit.probing.probes import ConstantTarget, Probe, ProbeResult, is_class
from tacit.testing._promises import expect

__all__ = ["check_probe"]

TOKENS = 4


def check_probe(probe: Probe) -> None:
    """Check that ``probe`` keeps the promises of :class:`tacit.probing.probes.Probe`, for each kind of target it suits.

    Raises:
        AssertionError: naming the promise that is broken.
    """
    _check_settings(probe)
    fit, test = _features(90, 0), _features(40, 1)
    suited = [name for name, target in fit.targets.items() if name != "constant" and probe.suits(target)]
    expect(bool(suited), "suits must accept a class, a quantity or a map of classes")
    for name in suited:
        _check_target(probe, fit, test, name)


def _check_settings(probe: Probe) -> None:
    if not is_dataclass(probe):
        raise AssertionError("a probe must be a frozen dataclass of its settings")
    expect(hash(probe) == hash(replace(probe)) and probe == replace(probe), "equal settings must make equal probes")
    for field in fields(probe):
        try:
            setattr(probe, field.name, None)
        except FrozenInstanceError:
            continue
        raise AssertionError("a probe must be a frozen dataclass of its settings")


def _check_target(probe: Probe, fit: Features, test: Features, name: str) -> None:
    values = fit.values[torch.arange(len(fit))].clone()
    before = torch.get_rng_state()
    result = probe(fit, test, name, seed=3, progress=False)
    expect(torch.equal(before, torch.get_rng_state()), "a probe must leave the global random state alone")
    expect(torch.equal(values, fit.values[torch.arange(len(fit))]), "a probe must not change features")
    _check_result(result, test, name)
    again = probe(fit, test, name, seed=3, progress=False)
    expect(_same(result, again), "a probe must be a function of features, settings and seed")
    part = probe(fit, test.select(np.arange(10)), name, seed=3, progress=False)
    rows = len(part.predicted)
    expect(
        np.allclose(result.predicted[:rows], part.predicted, rtol=1e-4, atol=1e-4),
        "the prediction of a held-out row must not depend on the other held-out rows",
    )
    target = test.target(name)
    other = replace(test, targets={name: np.ascontiguousarray(target[::-1])})
    expect(_same(result, probe(fit, other, name, seed=3, progress=False)), "held-out targets must only score")
    _check_refusals(probe, fit, test, name)


def _check_result(result: ProbeResult, test: Features, name: str) -> None:
    expect(result.target == name, "the result must name its target")
    expect(result.predicted.shape == result.actual.shape, "there must be one prediction for each true value")
    expect(len(result.predicted) == result.rows_test >= len(test), "every held-out row must be scored")
    expect(bool(np.isfinite(result.predicted).all()), "predictions must be finite")
    if is_class(test.target(name)):
        expect(
            bool(np.isin(result.predicted, np.unique(test.target(name))).all()), "a class must be one of the classes"
        )


def _check_refusals(probe: Probe, fit: Features, test: Features, name: str) -> None:
    constant = replace(fit, targets={name: np.zeros_like(fit.target(name))})
    hashes = tuple(str(number) for number in range(len(fit)))
    shared = {"fit": replace(fit, hashes=hashes), "test": replace(test, hashes=hashes[: len(test)])}
    for error, parts, promise in (
        (ConstantTarget, (constant, test), "a target that does not vary must raise ConstantTarget"),
        (DataError, (shared["fit"], shared["test"]), "an episode in both parts must raise DataError"),
    ):
        try:
            probe(*parts, name, progress=False)
        except error:
            continue
        raise AssertionError(promise)


def _same(first: ProbeResult, second: ProbeResult) -> bool:
    return np.array_equal(first.predicted, second.predicted) and dict(first.settings) == dict(second.settings)


def _features(count: int, seed: int) -> Features:
    """Return tokens ``[N, 4, 6]`` whose first number is a quantity, its sign a class, and the sign of each a map."""
    rng = np.random.default_rng(seed)
    quantity = rng.normal(size=(count, 1))
    values = 0.3 * rng.normal(size=(count, TOKENS, 6))
    values[..., 0] += quantity
    return Features(
        values.astype(np.float32),
        {
            "quantity": quantity,
            "class": (quantity[:, 0] > 0).astype(np.int64),
            "map": (values[..., 0] > 0).astype(np.int64).reshape(count, 2, 2),
        },
    )
