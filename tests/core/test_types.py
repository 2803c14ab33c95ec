import numpy as np
import pytest

from tacit.errors import SpecError
from tacit.types import Box, Discrete, Modality, Spec


@pytest.mark.parametrize(
    ("low", "high"),
    [((), (1.0,)), ((0.0,), (1.0, 2.0)), ((1.0,), (0.0,)), ((0.0,), (float("inf"),)), ((float("nan"),), (1.0,))],
)
def test_a_box_needs_finite_ordered_bounds(low: tuple[float, ...], high: tuple[float, ...]) -> None:
    with pytest.raises(SpecError):
        Box(low, high)


@pytest.mark.parametrize(
    ("kind", "shape", "rate"),
    [
        ("pixels", (64, 64), None),
        ("vector", (0,), None),
        ("series", (2,), None),
        ("vector", (2,), 5.0),
        ("audio", (2,), None),
    ],
)
def test_a_modality_fits_its_kind(kind: str, shape: tuple[int, ...], rate: float | None) -> None:
    with pytest.raises(SpecError):
        Modality(kind, shape, rate)  # type: ignore[arg-type]


def test_a_box_takes_arrays() -> None:
    box = Box(np.array([-1.0, 0.0]), [1, 2])  # type: ignore[arg-type]
    assert box == Box((-1.0, 0.0), (1.0, 2.0))
    assert hash(box) == hash(Box((-1.0, 0.0), (1.0, 2.0)))


def test_a_box_without_components_is_one_where_nobody_acts() -> None:
    assert Box((), ()).size == 0
    assert Spec({"pixels": Modality("pixels", (1, 8, 8))}).action == Box((), ())


def test_a_choice_needs_two() -> None:
    with pytest.raises(SpecError):
        Discrete(1)


@pytest.mark.parametrize(("rate", "steps", "samples"), [(250.0, 4, 100), (25.0, 3, 8), (10.0, 7, 7), (5.0, 3, 2)])
def test_a_series_is_sampled_at_its_own_rate(rate: float, steps: int, samples: int) -> None:
    spec = Spec({"ecg": Modality("series", (1,), rate)}, Box((0.0,), (1.0,)), fps=10.0)
    assert spec.samples("ecg", steps) == samples
