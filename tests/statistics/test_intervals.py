import numpy as np
import pytest
import scipy.stats
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from tacit.errors import ConfigError
from tacit.statistics.intervals import (
    Rate,
    bootstrap,
    crossed_bootstrap,
    mcnemar,
    over_seeds,
    paired,
    rank_correlation,
    wilson,
)


@pytest.mark.parametrize(
    ("successes", "n", "low", "high"), [(194, 200, 0.936, 0.986), (19, 20, 0.764, 0.991), (0, 10, 0.0, 0.278)]
)
def test_wilson_gives_published_intervals(successes, n, low, high):
    rate = wilson(successes, n)
    assert (rate.rate, rate.n) == (successes / n, n)
    assert (round(rate.low, 3), round(rate.high, 3)) == (low, high)


@given(
    st.integers(1, 400).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))), st.sampled_from([0.9, 0.95, 0.99])
)
def test_wilson_agrees_with_scipy(case, confidence):
    successes, n = case
    rate = wilson(successes, n, confidence)
    theirs = scipy.stats.binomtest(successes, n).proportion_ci(confidence, method="wilson")
    np.testing.assert_allclose([rate.low, rate.high], [theirs.low, theirs.high], atol=1e-12)
    assert 0 <= rate.low <= rate.rate <= rate.high <= 1


@pytest.mark.parametrize(("successes", "n"), [(1, 0), (3, 2), (-1, 2)])
def test_wilson_refuses_impossible_counts(successes, n):
    with pytest.raises(ConfigError, match="0 <= successes <= n"):
        wilson(successes, n)


def test_a_rate_reads_as_a_sentence():
    assert str(wilson(194, 200)) == "97.0 % [93.6, 98.6] of 200"


@given(hnp.arrays(np.int64, st.tuples(st.just(2), st.integers(2, 40)), elements=st.integers(-4, 4)))
def test_rank_correlation_agrees_with_scipy_where_it_is_defined(sides):
    x, y = sides.astype(float)
    if len(set(x)) > 1 and len(set(y)) > 1:
        assert rank_correlation(x, y) == pytest.approx(scipy.stats.spearmanr(x, y).statistic, abs=1e-12)
    else:
        assert rank_correlation(x, y) == 0.0


def test_rank_correlation_refuses_what_it_cannot_order():
    with pytest.raises(ConfigError, match="finite"):
        rank_correlation([1.0, np.nan], [1.0, 2.0])
    with pytest.raises(ConfigError, match="one length"):
        rank_correlation([1.0, 2.0], [1.0, 2.0, 3.0])


@given(hnp.arrays(np.bool_, st.tuples(st.just(2), st.integers(1, 60))))
def test_mcnemar_agrees_with_the_binomial_test(outcomes):
    first, second = outcomes
    wins, losses = int((first & ~second).sum()), int((~first & second).sum())
    expected = scipy.stats.binomtest(wins, wins + losses).pvalue if wins + losses else 1.0
    assert mcnemar(first, second) == pytest.approx(expected, abs=1e-12)


def test_paired_comparison_counts_both_ways_and_brackets_the_difference():
    rng = np.random.default_rng(0)
    second = rng.random(200) < 0.6
    first = second | (rng.random(200) < 0.5)
    result = paired(first, second)
    assert result.difference == pytest.approx(first.mean() - second.mean())
    assert result.only_second == 0 and result.only_first == int((first & ~second).sum())
    assert 0 < result.low < result.difference < result.high and result.p < 1e-6
    assert paired(second, first).difference == -result.difference
    with pytest.raises(ConfigError, match="same tasks"):
        paired(first, second[:-1])


def test_bootstrap_interval_covers_the_mean_about_as_often_as_it_says():
    rng = np.random.default_rng(0)
    intervals = [bootstrap(rng.normal(3.0, 2.0, 40), seed=k, resamples=400) for k in range(200)]
    assert 0.88 <= np.mean([e.low <= 3.0 <= e.high for e in intervals]) <= 0.98
    constant = bootstrap([2.0, 2.0, 2.0])
    assert (constant.mean, constant.low, constant.high, constant.n) == (2.0, 2.0, 2.0, 3)


def test_seeds_are_summed_up_by_median_worst_and_best():
    seeds = over_seeds([Rate(0.9, 0.8, 0.95, 50), Rate(0.7, 0.6, 0.8, 50), Rate(0.95, 0.9, 1.0, 50)])
    assert (seeds.median, seeds.worst, seeds.best) == (0.9, 0.7, 0.95)


def test_a_crossed_bootstrap_counts_what_runs_share():
    """Tasks that every run scores alike are one sample of tasks, however many runs; runs that differ widen it."""
    tasks = np.random.default_rng(0).integers(0, 2, 200).astype(float)
    alike = crossed_bootstrap(np.tile(tasks, (5, 1)))
    single = bootstrap(tasks)
    assert alike.mean == single.mean and alike.n == 200
    assert alike.high - alike.low == pytest.approx(single.high - single.low, rel=0.1)
    assert bootstrap(np.tile(tasks, 5)).high - bootstrap(np.tile(tasks, 5)).low < 0.6 * (alike.high - alike.low)
    runs = crossed_bootstrap(np.repeat([[0.2], [0.5], [0.8]], 50, axis=1))
    assert (runs.low, runs.high) == (pytest.approx(0.2), pytest.approx(0.8))
    with pytest.raises(ConfigError, match="S and n"):
        crossed_bootstrap(tasks)
