import numpy as np
import pytest

from tacit.errors import SpecError
from tacit.types import Box, Discrete, Modality, Plan, Spec


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


def robot(action: Box | Discrete, **options: object) -> Spec:
    modalities = {"joints": Modality("vector", (3,)), "pixels": Modality("pixels", (1, 8, 8))}
    return Spec(modalities, action, **options)  # type: ignore[arg-type]


def test_a_box_says_what_each_component_commands() -> None:
    bounds = (-1.0, -1.0), (1.0, 1.0)
    assert Box(*bounds).kinds == (None, None)
    assert Box(*bounds, kind="delta").kinds == ("delta", "delta")
    assert Box(*bounds, kind=("force", None)).kinds == ("force", None)
    assert Box(*bounds, kind=["delta", "delta"]) == Box(*bounds, kind="delta")  # type: ignore[arg-type]
    assert Box(*bounds, kind=(None, None)) == Box(*bounds)
    assert Box((), (), kind="force").kinds == ()


@pytest.mark.parametrize("kind", ["torque", ("force",), ("force", "torque"), ("force",) * 3, 5, {"force": 1}])
def test_a_kind_that_does_not_fit_is_refused(kind: object) -> None:
    with pytest.raises(SpecError, match="kind"):
        Box((-1.0, -1.0), (1.0, 1.0), kind)  # type: ignore[arg-type]


@pytest.mark.parametrize("noop", [-1, 3, 1.0, True, "1"])
def test_a_noop_is_one_of_the_choices(noop: object) -> None:
    assert Discrete(3, noop=2).noop == 2
    with pytest.raises(SpecError, match="noop is one of the choices 0 to 2"):
        Discrete(3, noop=noop)  # type: ignore[arg-type]


def test_a_spec_names_the_modality_of_the_current_position() -> None:
    arm = Box((-1.0,) * 3, (1.0,) * 3, kind="position")
    assert robot(arm, position="joints").position_index == ()
    mixed = Box((-1.0,) * 3, (1.0,) * 3, kind=("position", "force", "position"))
    assert robot(mixed, position="joints", position_index=[2, 0]).position_index == (2, 0)
    assert robot(mixed).position is None


@pytest.mark.parametrize(
    ("kind", "options", "message"),
    [
        (("position", "force"), {"position": "joints"}, "1 components of kind 'position' and 'joints' has 3"),
        ("position", {"position": "joint"}, "vector modality of the Spec; got 'joint'.*are: joints"),
        ("position", {"position": "pixels"}, "vector modality of the Spec; got 'pixels'"),
        ("force", {"position": "joints"}, "needs an action with components of kind 'position'"),
        ("position", {"position_index": (0, 1)}, "needs the name of a modality"),
        ("position", {"position": "joints", "position_index": (0,)}, "needs 2 different numbers from 0 to 2"),
        ("position", {"position": "joints", "position_index": (0, 0)}, "needs 2 different numbers from 0 to 2"),
        ("position", {"position": "joints", "position_index": (0, 3)}, "needs 2 different numbers from 0 to 2"),
        ("position", {"position": "joints", "position_index": (0, 1.0)}, "needs 2 different numbers from 0 to 2"),
    ],
)
def test_a_position_that_is_not_clear_is_refused(kind: object, options: dict[str, object], message: str) -> None:
    with pytest.raises(SpecError, match=message):
        robot(Box((-1.0, -1.0), (1.0, 1.0), kind), **options)  # type: ignore[arg-type]
    with pytest.raises(SpecError, match="needs an action with components of kind 'position'"):
        robot(Discrete(2), position="joints")


def test_some_modalities_of_a_spec() -> None:
    spec = robot(Box((-1.0,) * 3, (1.0,) * 3, kind="position"), position="joints", position_index=(2, 1, 0))
    assert spec.only(["joints"]).position_index == (2, 1, 0)
    assert spec.only(["pixels"]) == Spec({"pixels": spec.modalities["pixels"]}, spec.action)


def test_a_plan_prints_one_line():
    plan = Plan(np.zeros((5, 3, 1)), np.array([1.0, 2.5, np.inf, 0.0, 1.0]), (), 40)
    assert str(plan) == (
        "plan of 3 actions of 1 numbers for 5 worlds, energy 1, 2.5, inf, 0, ...; complete after 40 candidates"
    )
