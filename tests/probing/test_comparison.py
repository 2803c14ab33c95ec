"""Comparisons of feature sources: results, few labels, and the text of a notebook."""

import numpy as np
import pytest

from tacit.errors import ConfigError
from tacit.probing import Features, compare
from tacit.probing.probes import KNN, ConstantTarget, Linear


def features(rows, noise, first=0):
    """A quantity and its sign, visible in the features up to noise."""
    rng = np.random.default_rng(first)
    value = rng.normal(size=(rows, 1))
    targets = {"value": value, "sign": (value[:, 0] > 0).astype(np.int64), "still": np.zeros(rows, np.int64)}
    return Features(np.hstack([value, value]) + noise * rng.normal(size=(rows, 2)), targets)


SOURCES = {name: (features(80, noise), features(40, noise, first=1)) for name, noise in (("model", 0.01), ("raw", 1.0))}


def test_each_source_has_the_result_of_the_probe_alone():
    found = compare(SOURCES, "value", seed=3)
    assert list(found.results) == ["model", "raw", "constant"]
    for name, pair in SOURCES.items():
        assert found[name].score == Linear()(*pair, "value", seed=3).score
    assert found["model"].score > 0.99 > found["raw"].score > 0.2 > found["constant"].score
    assert [line.split()[:3] for line in str(found).splitlines()] == [
        ["value", "model", "Linear"],
        ["value", "raw", "Linear"],
        ["value", "constant", "Constant"],
    ]


def test_few_labels_are_measured_where_they_are_asked_for():
    found = compare(SOURCES, "sign", KNN(k=(1,)), shots=(1, 8), draws=3)
    assert {name: [one.shots for one in few] for name, few in found.few_labels.items()} == {
        "model": [1, 8],
        "raw": [1, 8],
    }
    assert "model      8 labels of each class" in str(found)
    assert not compare(SOURCES, "sign", KNN(k=(1,))).few_labels


def test_what_cannot_be_compared_is_an_error():
    with pytest.raises(ConfigError, match="at least one feature source"):
        compare({}, "value")
    with pytest.raises(ConfigError, match="Did you mean 'value'"):
        compare(SOURCES, "valeu")
    with pytest.raises(ConstantTarget):
        compare(SOURCES, "still")
