"""SIGReg against published numbers, a naive implementation and what theory says of it."""

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from tacit.errors import ConfigError
from tacit.objectives import SIGReg
from tacit.objectives.sigreg import directions, epps_pulley, floor
from tacit.types import Forecast, ViewEmbeddings

GOLDEN = Path(__file__).parents[1] / "golden" / "sigreg.npz"
ONE = torch.ones(1, 1, dtype=torch.float64)


def column(values: object) -> torch.Tensor:
    return torch.as_tensor(values, dtype=torch.float64).reshape(-1, 1)


def naive(samples: np.ndarray, axes: np.ndarray, scale_by_n: bool = True) -> float:
    """The formula with loops, in float64."""
    total = []
    for axis in axes.T:
        h, statistic = samples @ axis, 0.0
        for k in range(17):
            t = 3 * k / 16
            weight = (0.1875 if k in (0, 16) else 0.375) * np.exp(-t * t / 2)
            gap = np.mean(np.exp(1j * t * h)) - np.exp(-t * t / 2)
            statistic += weight * abs(gap) ** 2
        total.append(statistic * (len(h) if scale_by_n else 1))
    return float(np.mean(total))


def forecast(latents: torch.Tensor) -> Forecast:
    return Forecast(latents, latents, torch.zeros(len(latents), latents.shape[1] - 1, 1), ())


def test_golden_value_and_gradient() -> None:
    golden = np.load(GOLDEN)
    latents = torch.tensor(golden["latents"], requires_grad=True)
    statistic = epps_pulley(latents, torch.tensor(golden["directions"]))
    statistic.backward()
    assert statistic.item() == pytest.approx(float(golden["statistic"]), abs=1e-5)
    assert np.abs(latents.grad.numpy() - golden["gradient"]).max() < 1e-7, "gradients are of the order of 1e-4"


def test_known_values() -> None:
    assert float(epps_pulley(column(np.zeros(128)), ONE)) == pytest.approx(0.40204757973 * 128, rel=1e-9)
    assert float(epps_pulley(column(np.ones(128)), ONE)) == pytest.approx(151.80874, rel=1e-6)
    assert float(epps_pulley(column([-1.0, 0.0, 1.0]), ONE)) == pytest.approx(0.0329465, rel=1e-5)
    assert float(epps_pulley(column([-1.0, 0.0, 1.0]), ONE, scale_by_n=False)) == pytest.approx(0.01098217, rel=1e-6)
    quantiles = torch.special.ndtri((torch.arange(1, 1001, dtype=torch.float64) - 0.5) / 1000)
    assert float(epps_pulley(column(quantiles), ONE)) == pytest.approx(3.53e-5, rel=2e-3)
    assert float(epps_pulley(column(2 * quantiles), ONE)) == pytest.approx(236.097, rel=1e-5)


def test_gaussian_latents_score_the_floor_for_every_number_of_samples() -> None:
    assert floor(128) == pytest.approx(1.0524642, abs=1e-7)
    assert floor(128, scale_by_n=False) == pytest.approx(1.0524642 / 128, abs=1e-9)
    draw = torch.Generator().manual_seed(0)
    for samples in (16, 256):
        latents = torch.randn(400, samples, 8, generator=draw)
        assert float(epps_pulley(latents, directions(8, 64, seed=1))) == pytest.approx(1.0525, rel=0.03)


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 10_000), scale=st.floats(0.01, 5), scale_by_n=st.booleans(), samples=st.integers(1, 40))
def test_fast_equals_naive(seed: int, scale: float, scale_by_n: bool, samples: int) -> None:
    draw = np.random.default_rng(seed)
    latents = draw.normal(size=(2, samples, 5)) * scale
    axes = directions(5, 7, seed)
    expected = np.mean([naive(group, axes.double().numpy(), scale_by_n) for group in latents])
    double = epps_pulley(torch.tensor(latents), axes.double(), scale_by_n)
    single = epps_pulley(torch.tensor(latents, dtype=torch.float32), axes, scale_by_n)
    assert float(double) == pytest.approx(expected, rel=1e-9)
    assert float(single) == pytest.approx(expected, rel=1e-4, abs=1e-6)


@pytest.mark.parametrize("scale_by_n", [True, False])
def test_gradient(scale_by_n: bool) -> None:
    draw = torch.Generator().manual_seed(0)
    latents = torch.randn(2, 6, 3, generator=draw, dtype=torch.float64, requires_grad=True)
    axes = directions(3, 5, seed=0).double()
    assert torch.autograd.gradcheck(lambda z: epps_pulley(z, axes, scale_by_n), (latents,))


def test_tiles_of_every_shape_agree_with_the_naive_gradient(monkeypatch: pytest.MonkeyPatch) -> None:
    draw = torch.Generator().manual_seed(0)
    latents, axes = torch.randn(5, 6, 3, generator=draw, dtype=torch.float64), directions(3, 50, seed=0).double()
    results = []
    for tile in (1, 300, 700, 1 << 20):
        monkeypatch.setattr("tacit.objectives.sigreg.TILE", tile)
        z = latents.clone().requires_grad_()
        value = epps_pulley(z, axes)
        value.backward()
        results.append((value.detach(), z.grad))
    for value, gradient in results[1:]:
        torch.testing.assert_close(value, results[0][0], rtol=1e-12, atol=0)
        torch.testing.assert_close(gradient, results[0][1], rtol=1e-12, atol=1e-15)


def test_statistics_over_a_step_or_pooled() -> None:
    latents = torch.randn(6, 4, 8, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    axes = directions(8, 16, seed=3).double().numpy()
    steps = np.mean([naive(latents[:, t].numpy(), axes) for t in range(4)])
    pooled = naive(latents.reshape(-1, 8).numpy(), axes)
    assert float(SIGReg(16)(forecast(latents), seed=3).total) == pytest.approx(steps, rel=1e-6)
    assert float(SIGReg(16, over="pooled")(forecast(latents), seed=3).total) == pytest.approx(pooled, rel=1e-6)


def test_time_centred_latents_and_parts_of_the_channels() -> None:
    latents = torch.randn(6, 4, 8, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    moving = (latents - latents.mean(1, keepdim=True))[..., :2].numpy()
    expected = np.mean([naive(moving[:, t], directions(2, 16, seed=3).double().numpy()) for t in range(4)])
    term = SIGReg(16, time_centred=True, channels=(0.0, 0.25))
    assert float(term(forecast(latents), seed=3).total) == pytest.approx(expected, rel=1e-6)
    still = latents + torch.randn(6, 1, 8, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    assert float(term(forecast(still), seed=3).total) == pytest.approx(expected, rel=1e-6), "a constant does not count"
    outside = latents.clone()
    outside[..., 2:] *= 9
    assert float(term(forecast(outside), seed=3).total) == pytest.approx(expected, rel=1e-6)


def test_directions_are_a_pure_function_of_the_seed() -> None:
    assert torch.equal(directions(6, 9, seed=4), directions(6, 9, seed=4))
    assert not torch.equal(directions(6, 9, seed=4), directions(6, 9, seed=5))
    torch.testing.assert_close(directions(6, 9, seed=4).norm(dim=0), torch.ones(9))
    before = torch.get_rng_state()
    directions(6, 9, seed=4)
    assert torch.equal(before, torch.get_rng_state())


def test_wrong_options_are_refused() -> None:
    with pytest.raises(ConfigError, match="over is one of"):
        SIGReg(over="time")
    with pytest.raises(ConfigError, match="fractions"):
        SIGReg(channels=(0.5, 0.5))
    with pytest.raises(ConfigError, match="no channel"):
        SIGReg(channels=(0.0, 0.1))(forecast(torch.zeros(2, 2, 3)))
    with pytest.raises(ConfigError, match="slices"):
        SIGReg(slices=0)


@pytest.mark.parametrize(("size", "slices"), [(4, 64), (32, 64), (64, 128), (192, 384), (2048, 1024)])
def test_default_directions_grow_with_the_latent(size: int, slices: int) -> None:
    latents = torch.randn(6, 2, size, generator=torch.Generator().manual_seed(0))
    forecast = ViewEmbeddings(latents, 2)
    assert SIGReg().loss(forecast, 3) == SIGReg(slices=slices).loss(forecast, 3)


def test_channels_count_for_the_default_directions() -> None:
    latents = torch.randn(6, 2, 256, generator=torch.Generator().manual_seed(0))
    half = SIGReg(channels=(0.0, 0.5)).loss(ViewEmbeddings(latents, 2), 3)
    assert half == SIGReg(slices=256, channels=(0.0, 0.5)).loss(ViewEmbeddings(latents, 2), 3)
