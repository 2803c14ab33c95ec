from dataclasses import dataclass
from typing import Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tacit._config import from_json, to_json
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


@pytest.mark.parametrize("action", [Box((-1.0,), (1.0,)), Discrete(3)])
def test_a_spec_round_trips(action: Box | Discrete) -> None:
    spec = Spec({"pixels": Modality("pixels", (3, 8, 8)), "ecg": Modality("series", (2,), rate=250.0)}, action)
    assert from_json(Spec, to_json(spec)) == spec


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
