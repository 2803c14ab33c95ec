"""Equal scores at unequal cost, in a world where the ratio is known."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tacit.errors import ConfigError
from tacit.statistics import CostRatio, Curve, cost_ratio, cost_to_reach

COST = (1.0, 2.0, 4.0, 8.0, 16.0, 32.0)


def line(cheaper: float, seeds: tuple[float, ...] = (0.0,)) -> Curve:
    """Scores that grow with the logarithm of cost, as those of a method that needs so many times less."""
    return Curve(COST, [[math.log2(cost * cheaper) / 10 + shift for cost in COST] for shift in seeds])


@settings(deadline=None)
@given(st.floats(0.3, 2.9), st.floats(0.16, 0.25))
def test_the_ratio_of_two_lines_is_what_lies_between_them(factor: float, target: float) -> None:
    found = cost_ratio(line(factor), line(1.0), target)
    assert found.ratio == pytest.approx(factor)
    assert found.low == found.high == found.ratio
    assert found.reached == (1.0, 1.0)


@given(st.floats(0.01, 0.49))
def test_a_cost_lies_on_the_line_between_points(target: float) -> None:
    curve = line(1.0)
    assert cost_to_reach(curve.cost, curve.mean(), target) == pytest.approx(2 ** (10 * target))


def test_the_first_crossing_counts_and_none_is_infinite() -> None:
    assert cost_to_reach([1, 2, 4, 8], [0.0, 1.0, 0.0, 1.0], 0.5) == pytest.approx(math.sqrt(2))
    assert cost_to_reach([1, 2], [0.0, 1.0], 1.5) == math.inf
    assert cost_to_reach([1, 2], [0.7, 1.0], 0.5) == 1.0


def test_an_unreached_score_is_reported() -> None:
    never = Curve(COST, [[0.1] * 6])
    assert cost_ratio(line(1.0), never, 0.3).ratio == math.inf
    assert cost_ratio(never, line(1.0), 0.3).ratio == 0.0
    neither = cost_ratio(never, never, 0.3)
    assert math.isnan(neither.ratio) and math.isnan(neither.low) and neither.reached == (0.0, 0.0)
    assert str(cost_ratio(line(1.0), never, 0.3)) == "not reached by the second"
    assert str(cost_ratio(never, line(1.0), 0.3)) == "not reached by the first"
    assert str(neither) == "reached by neither"
    assert str(CostRatio(0.8, 0.0, 0.0, 0.5, (0.5, 1.0))) == "not reached by the first [not reached by the first, 0.5x]"


def test_the_interval_is_that_of_the_seeds() -> None:
    """Every resample of both sides, by hand."""
    first, second = line(2.0, (0.0, 0.02, 0.05)), line(1.0, (0.0, -0.03, 0.01))
    found = cost_ratio(first, second, 0.25)
    ratios = []
    for a in np.ndindex(3, 3, 3):
        for b in np.ndindex(3, 3, 3):
            shift = np.mean([(0.0, 0.02, 0.05)[i] for i in a]) - np.mean([(0.0, -0.03, 0.01)[i] for i in b])
            ratios.append(2 * 2 ** (10 * shift))
    assert found.low == pytest.approx(np.quantile(ratios, 0.025, method="nearest"))
    assert found.high == pytest.approx(np.quantile(ratios, 0.975, method="nearest"))
    assert found.low < found.ratio < found.high


def test_one_seed_without_the_score_opens_the_interval() -> None:
    lazy = Curve(COST, [[0.1] * 6, *line(1.0, (0.0, 0.0)).scores])
    found = cost_ratio(line(1.0), lazy, 0.45)
    assert found.high == math.inf
    assert found.reached[0] == 1.0 and 0 < found.reached[1] < 1


@pytest.mark.parametrize(
    ("cost", "scores"),
    [((1.0,), [[0.5]]), ((2.0, 1.0), [[0, 1]]), ((0.0, 1.0), [[0, 1]]), ((1.0, 2.0), [[0, math.nan]]), ((1, 2), [])],
)
def test_what_is_no_curve_is_refused(cost: tuple[float, ...], scores: list[list[float]]) -> None:
    with pytest.raises(ConfigError):
        Curve(cost, scores)


def test_it_reads_as_a_sentence() -> None:
    assert str(CostRatio(0.8, 3.14159, 2.0, math.inf, (1.0, 0.5))) == "3.1x [2x, not reached by the second]"
