"""Ranks of conformal thresholds against a published table and simulation."""

import numpy as np
import pytest

from tacit.errors import ConfigError
from tacit.statistics import (
    beta_quantile,
    beta_tail,
    binomial_tail,
    conformal_rank,
    count_rank,
    episodes_needed,
    pac_rank,
)


@pytest.mark.parametrize(
    ("n", "one", "five"),
    [
        (500, (5, 2, 1), (25, 17, 16)),
        (1000, (10, 5, 4), (50, 39, 36)),
        (2000, (20, 13, 10), (100, 84, 75)),
        (5000, (50, 39, 29), (250, 225, 195)),
    ],
)
def test_ranks(n, one, five):
    for rate, wanted in ((0.01, one), (0.05, five)):
        assert (conformal_rank(n, rate), pac_rank(n, rate), count_rank(n, rate, 1000)) == wanted


def test_rounding_loses_no_rank():
    assert [conformal_rank(n, 0.1) for n in (8, 9, 29, 99)] == [0, 1, 3, 10]
    assert conformal_rank(99, 0.29) == 29


def test_tails_against_simulation():
    draw = np.random.default_rng(0)
    assert binomial_tail(3, 20, 0.1) == pytest.approx((draw.binomial(20, 0.1, 200_000) >= 3).mean(), abs=0.005)
    assert beta_tail(0.12, 10, 100) == pytest.approx((draw.beta(10, 91, 200_000) <= 0.12).mean(), abs=0.005)
    assert beta_quantile(0.9, 10, 100) == pytest.approx(np.quantile(draw.beta(10, 91, 200_000), 0.9), abs=0.002)
    assert (binomial_tail(0, 20, 0.1), binomial_tail(21, 20, 0.1)) == (1.0, 0.0)


@pytest.mark.parametrize("guarantee", ["mean", "pac"])
@pytest.mark.parametrize("rate", [0.01, 0.05, 0.1])
def test_the_least_number_of_episodes(rate, guarantee):
    rank = conformal_rank if guarantee == "mean" else pac_rank
    needed = episodes_needed(rate, guarantee)
    assert rank(needed, rate) == 1
    assert rank(needed - 1, rate) == 0


def test_a_rate_is_checked():
    with pytest.raises(ConfigError, match="between 0 and 1"):
        conformal_rank(10, 1.0)
