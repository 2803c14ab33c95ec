from dataclasses import dataclass, replace
from typing import Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tacit._config import from_json, to_json
from tacit.data.storage import combine
from tacit.errors import ConfigError
from tacit.types import Box, Discrete, Modality, Spec


@dataclass(frozen=True)
class Inner:
    rate: float
    names: tuple[str, ...] = ()


@dataclass(frozen=True)
class Outer:
    inner: Inner
    kind: Literal["a", "b"] = "a"
    steps: int = 3
    limit: int | None = None


@given(
    st.builds(
        Outer,
        inner=st.builds(Inner, rate=st.floats(allow_nan=False), names=st.lists(st.text()).map(tuple)),
        kind=st.sampled_from(["a", "b"]),
        steps=st.integers(),
        limit=st.none() | st.integers(),
    )
)
def test_round_trip(config: Outer) -> None:
    assert from_json(Outer, to_json(config)) == config


@pytest.mark.parametrize(
    "action",
    [Box((-1.0,), (1.0,)), Discrete(3), Box((-1.0,) * 2, (1.0,) * 2, kind=("delta", None)), Discrete(3, noop=0)],
)
def test_a_spec_round_trips(action: Box | Discrete) -> None:
    spec = Spec({"pixels": Modality("pixels", (3, 8, 8)), "ecg": Modality("series", (2,), rate=250.0)}, action)
    assert from_json(Spec, to_json(spec)) == spec


def test_a_position_round_trips() -> None:
    box = Box((-1.0,) * 2, (1.0,) * 2, kind="position")
    spec = Spec({"joints": Modality("vector", (3,))}, box, position="joints", position_index=(2, 0))
    assert from_json(Spec, to_json(spec)) == spec


def test_a_spec_without_kinds_is_written_as_it_always_was() -> None:
    before = {
        "modalities": {"state": {"kind": "vector", "shape": [3], "rate": None}},
        "action": {"low": [-1.0], "high": [1.0]},
        "fps": 10.0,
    }
    spec = Spec({"state": Modality("vector", (3,))}, Box((-1.0,), (1.0,)))
    assert to_json(spec) == before
    assert from_json(Spec, before) == spec
    assert combine(spec, ["a"]) == "3f2c814541d64abbe56b454c94f1fff0716c058c85942185884ba55aea83e499"
    assert to_json(replace(spec, action=Discrete(3)))["action"] == {"n": 3}


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ({"inner": {"rate": 1.0}, "stepz": 3}, r"no option 'stepz'. Did you mean 'steps'\?"),
        ({"inner": {"rate": 1.0, "nams": []}}, r"Outer.inner has no option 'nams'. Did you mean 'names'\?"),
        ({"inner": {"rate": "fast"}}, "Outer.inner.rate must be float; got 'fast'"),
        ({"inner": {"rate": 1.0}, "steps": True}, "Outer.steps must be int; got True"),
        ({"inner": {"rate": 1.0}, "kind": "c"}, "Outer.kind is one of 'a', 'b'; got 'c'"),
        ({}, "Outer needs the option 'inner'"),
    ],
)
def test_wrong_options_are_named(data: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        from_json(Outer, data)
