"""Synthetic worlds: laws with known moments, views with known correlations, mixings with inverses."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

import tacit as tc
from tacit.identification import MIXINGS, SyntheticWorld, draw_generalised_normal, make_mixing, make_world


@pytest.mark.parametrize("alpha", [0.5, 1.0, 2.0, 4.0, 8.0])
def test_generalised_normal_has_the_law_of_scipy_with_unit_variance(alpha):
    drawn = draw_generalised_normal((200_000,), alpha, np.random.default_rng(0)).astype(float)
    law = stats.gennorm(alpha, scale=1 / stats.gennorm(alpha).std())
    assert drawn.mean() == pytest.approx(0, abs=0.02)
    assert drawn.var() == pytest.approx(1, rel=0.05)
    assert stats.kstest(drawn[:20_000], law.cdf).pvalue > 1e-3
    kurtosis = float(law.stats(moments="k"))
    assert tc.identification.excess_kurtosis(drawn) == pytest.approx(kurtosis, rel=0.2, abs=0.05)


@pytest.mark.parametrize("alpha", [1.0, 2.0, 8.0])
@pytest.mark.parametrize("rho", [0.3, 0.95])
def test_views_of_a_state_are_correlated_by_rho_squared(alpha, rho):
    world = SyntheticWorld("banana", alpha=alpha, rho=rho)
    views = world.views(100_000, 3, np.random.default_rng(1)).astype(float)
    assert views.shape == (100_000, 3, 2)
    pooled = views.transpose(0, 2, 1).reshape(-1, 3)
    expected = np.full((3, 3), rho**2)
    np.fill_diagonal(expected, 1.0)
    np.testing.assert_allclose(np.cov(pooled, rowvar=False), expected, atol=0.03)


def test_pairs_have_exact_moments_in_a_gaussian_world():
    world = SyntheticWorld("coupling", size=4, rho=0.9)
    state, after = world.pairs(500, np.random.default_rng(2))
    both = np.concatenate([state, after], axis=1)
    np.testing.assert_allclose(both.mean(axis=0), 0, atol=1e-12)
    eye = np.eye(4)
    np.testing.assert_allclose(both.T @ both / 500, np.block([[eye, 0.9 * eye], [0.9 * eye, eye]]), atol=1e-10)


def test_pairs_of_other_laws_are_drawn_as_they_are():
    state, after = SyntheticWorld("banana", alpha=1.0, rho=0.9).pairs(100_000, np.random.default_rng(2))
    assert np.corrcoef(state[:, 0], after[:, 0])[0, 1] == pytest.approx(0.9, abs=0.01)
    assert state.mean() != 0


@settings(max_examples=40, deadline=None)
@given(st.sampled_from(MIXINGS), st.integers(0, 10_000))
def test_unmix_inverts_mix(name, seed):
    mixing = make_mixing(name, seed=seed)
    states = 2 * np.random.default_rng(seed).standard_normal((50, 2))
    observations = mixing.mix(states)
    np.testing.assert_allclose(mixing.unmix(observations), states, atol=1e-9)
    assert np.abs(observations - states).max() > 0.1


@settings(max_examples=20, deadline=None)
@given(st.integers(1, 8), st.integers(1, 5), st.integers(0, 10_000))
def test_a_coupling_of_any_even_size_has_an_inverse(half, layers, seed):
    mixing = make_mixing("coupling", 2 * half, layers, seed)
    states = np.random.default_rng(seed).standard_normal((30, 2 * half))
    np.testing.assert_allclose(mixing.unmix(mixing.mix(states)), states, atol=1e-9)
    for weight in mixing.weights:
        np.testing.assert_allclose(weight @ weight.T, 4 * np.eye(half), atol=1e-9)


def test_mixings_are_those_of_the_paper():
    z = np.array([[0.5, 0.0], [0.3, -0.4]])
    np.testing.assert_allclose(make_mixing("spiral").mix(z), [[0.0, 0.5], [0.4, 0.3]], atol=1e-12)  # pi / 2 each
    np.testing.assert_allclose(make_mixing("banana").mix(z), [[0.5, 0.25], [0.3, -0.31]])
    np.testing.assert_allclose(make_mixing("sinusoid").mix(z), [[0.5, 0.0], [0.3 + np.sin(-0.6), -0.4]])


@pytest.mark.parametrize(
    ("word", "message"),
    [
        ("spirl", "Did you mean 'spiral'"),
        ("spiral:size=3", "has size 2; got 3. Take coupling"),
        ("coupling:size=5", "even size of at least 2"),
        ("spiral:alpha=0", "number above 0; got 0"),
        ("spiral:rho=1", "between 0 and 1; got 1"),
        ("spiral:alhpa=1", "alpha"),
    ],
)
def test_wrong_worlds_are_refused(word, message):
    with pytest.raises(tc.errors.ConfigError, match=message):
        make_world(word)


def test_a_word_makes_a_world():
    assert make_world("coupling:size=8,rho=0.9") == SyntheticWorld("coupling", 8, rho=0.9)
    with pytest.raises(tc.errors.ConfigError, match="more than 4 rows; got 4"):
        make_world("spiral").pairs(4, np.random.default_rng(0))
