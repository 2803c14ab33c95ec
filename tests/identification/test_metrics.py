"""Metrics of identifiability against worlds with known answers and independent computations."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import linalg, stats

import tacit as tc
from tacit.identification import (
    SyntheticWorld,
    bound,
    fit_linear,
    linear_r2,
    orthogonality,
    score_world,
)
from tacit.identification.metrics import procrustes_error


def pairs(size=2, rho=0.95, rows=4000, seed=0):
    return SyntheticWorld("coupling", size, rho=rho).pairs(rows, np.random.default_rng(seed))


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 5), st.sampled_from([0.3, 0.9, 0.99]), st.integers(0, 1000))
def test_a_rotation_is_identified_exactly(half, rho, seed):
    size = 2 * half
    states, after = pairs(size, rho, 500, seed)
    turn = stats.ortho_group.rvs(size, random_state=seed)
    found = score_world(states, states @ turn + 3.0, after @ turn + 3.0, rho)
    assert found.r2_states == pytest.approx(1)
    assert found.r2_latents == pytest.approx(1)
    assert found.orthogonality == pytest.approx(0, abs=1e-9)
    assert found.bound.loss == pytest.approx(2 * (1 - rho) * size)  # the smallest loss of a whitened encoder
    assert found.bound.limit == pytest.approx(0, abs=1e-9)
    assert found.bound.error == pytest.approx(0, abs=1e-9)
    assert found.bound.holds


def test_a_scaled_rotation_is_linear_and_not_orthogonal():
    states, after = pairs()
    found = score_world(states, 0.5 * states, 0.5 * after, 0.95)
    assert found.r2_states == pytest.approx(1)
    assert found.orthogonality == pytest.approx(0.75)
    assert orthogonality(states, 0.5 * states, scaled=True) == pytest.approx(0, abs=1e-9)
    assert found.bound.error == pytest.approx(0.5)  # 2 dimensions, (1 - 0.5)^2 each
    assert found.bound.epsilon == pytest.approx(0.75 * np.sqrt(2))
    assert found.bound.holds


def hermite(states):
    """A whitened encoder whose second latent is the second Hermite polynomial of the first state."""
    return np.stack([states[:, 0], (states[:, 0] ** 2 - 1) / np.sqrt(2)], axis=1)


def test_a_nonlinear_encoder_has_the_loss_of_its_hermite_degree():
    rho = 0.8
    states, after = pairs(rho=rho, rows=200_000)
    found = score_world(states, hermite(states), hermite(after), rho)
    assert found.bound.loss == pytest.approx(2 * (1 - rho) + 2 * (1 - rho**2), rel=0.02)
    assert found.bound.nonlinear == pytest.approx(1, rel=0.05)  # degree 2 reaches D exactly
    assert found.r2_states == pytest.approx(0.5, abs=0.02)
    assert found.r2_latents == pytest.approx(0.5, abs=0.02)
    assert found.bound.error > 0.9
    assert found.bound.holds


@pytest.mark.parametrize("strength", [0.02, 0.1, 0.3])
@pytest.mark.parametrize("rho", [0.3, 0.9, 0.95])
def test_the_bound_holds_for_bent_encoders(strength, rho):
    states, after = pairs(rho=rho, rows=20_000)

    def bend(z):
        return np.sqrt(1 - strength**2) * z + strength * hermite(z)[:, ::-1]

    found = score_world(states, bend(states), bend(after), rho)
    assert found.bound.error > 0
    assert found.bound.holds


def test_the_error_breaks_a_bound_without_its_loss():
    states, _ = pairs()
    bent = hermite(states)
    assert not bound(states, bent, bent, 0.95).holds  # as if states never moved


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 6), st.integers(1, 6), st.integers(0, 1000))
def test_r2_is_that_of_numpy_with_pooled_sums(inputs, outputs, seed):
    rng = np.random.default_rng(seed)
    x, noise = rng.standard_normal((60, inputs)), rng.standard_normal((60, outputs))
    y = x @ rng.standard_normal((inputs, outputs)) + noise * rng.uniform(0.1, 3, outputs) + 5
    design = np.column_stack([x, np.ones(60)])
    weights, *_ = linalg.lstsq(design, y)
    left = np.square(y - design @ weights).sum()
    assert linear_r2(x, y) == pytest.approx(1 - left / np.square(y - y.mean(axis=0)).sum())
    np.testing.assert_allclose(fit_linear(x, y)(x), design @ weights, atol=1e-9)


def test_r2_depends_on_the_direction():
    rng = np.random.default_rng(0)
    states = rng.standard_normal((20_000, 2))
    latents = np.column_stack([states, rng.standard_normal((20_000, 6))])
    assert linear_r2(latents, states) == pytest.approx(1)
    assert linear_r2(states, latents) == pytest.approx(0.25, abs=0.01)  # two of eight unit variances
    assert orthogonality(states, latents) == pytest.approx(0, abs=0.03)


def test_r2_of_held_out_rows_can_be_negative():
    rng = np.random.default_rng(0)
    fit = fit_linear(rng.standard_normal((12, 10)), rng.standard_normal((12, 1)))
    assert fit.r2(rng.standard_normal((500, 10)), rng.standard_normal((500, 1))) < 0


def test_procrustes_is_that_of_scipy():
    rng = np.random.default_rng(3)
    states, latents = rng.standard_normal((300, 4)), rng.standard_normal((300, 4))
    z, h = states - states.mean(axis=0), latents - latents.mean(axis=0)
    turn, _ = linalg.orthogonal_procrustes(z, h)
    assert procrustes_error(states, latents) == pytest.approx(np.square(h - z @ turn).sum() / 300)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda z: fit_linear(z, z[:-1]), "one target for each input; got 9 for 10"),
        (lambda z: fit_linear(z[:, 0], z), r"shape \[rows, columns\]"),
        (lambda z: linear_r2(z, np.ones((10, 1))), "targets that vary"),
        (lambda z: linear_r2(z, np.full((10, 1), np.nan)), "not finite"),
        (lambda z: procrustes_error(z, z[:, :1]), "shape of the states"),
        (lambda z: bound(z, z, z[:-1], 0.9), "next latents of the shape"),
        (lambda z: bound(z, z, z, 1.0), "rho between 0 and 1; got 1.0"),
        (lambda z: orthogonality(z, np.zeros((10, 2)), scaled=True), "do not depend linearly"),
    ],
)
def test_wrong_arrays_are_refused(call, message):
    with pytest.raises(tc.errors.TacitError, match=message):
        call(np.random.default_rng(0).standard_normal((10, 2)))
