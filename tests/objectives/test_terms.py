"""Every term against an independent implementation, its gradient and what is known of it."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from tacit.errors import ConfigError, SpecError
from tacit.objectives import (
    Covariance,
    InverseDynamics,
    Objective,
    Prediction,
    Straightening,
    TimeSimilarity,
    Variance,
    VICReg,
)
from tacit.types import Forecast

BATCH, TIME, SIZE, ACTION = 5, 6, 4, 3


def forecast(seed: int = 0, steps: int = 3, dtype: torch.dtype = torch.float64, first: bool = False) -> Forecast:
    draw = torch.Generator().manual_seed(seed)

    def normal(*shape: int) -> torch.Tensor:
        return torch.randn(*shape, generator=draw, dtype=dtype).requires_grad_()

    return Forecast(
        latents=normal(BATCH, TIME, SIZE),
        targets=normal(BATCH, TIME, SIZE),
        actions=normal(BATCH, TIME - 1, ACTION).detach(),
        predictions=tuple(normal(BATCH, 1 if first else TIME - k, SIZE) for k in range(1, steps + 1)),
    )


def value(objective: Objective, made: Forecast) -> float:
    return objective(made).total.item()


def test_prediction_is_the_mean_over_steps_of_the_mean_error() -> None:
    made = forecast()
    targets = made.targets.detach().numpy()
    for first in (False, True):
        made = forecast(first=first)
        targets = made.targets.detach().numpy()
        errors = {"mse": [], "l1": [], "smooth_l1": []}
        for k, predicted in enumerate(made.predictions, start=1):
            gaps = [
                predicted[b, i].detach().numpy() - targets[b, i + k]
                for b in range(BATCH)
                for i in range(predicted.shape[1])
            ]
            gap = np.abs(np.array(gaps))
            errors["mse"].append((gap**2).mean())
            errors["l1"].append(gap.mean())
            errors["smooth_l1"].append(np.where(gap < 1, gap**2 / 2, gap - 0.5).mean())
        for distance, expected in errors.items():
            objective = Prediction(steps=3, starts="first" if first else "every", distance=distance)
            assert value(objective, made) == pytest.approx(np.mean(expected), rel=1e-12)
            assert value(Prediction(steps=1, distance=distance), made) == pytest.approx(expected[0], rel=1e-12)


def test_the_gradient_reaches_the_target_unless_it_is_stopped() -> None:
    made = forecast()
    Prediction()(made).total.backward()
    assert made.targets.grad is not None
    made = forecast()
    Prediction(stop_gradient=True)(made).total.backward()
    assert made.targets.grad is None
    assert made.predictions[0].grad is not None


def test_a_forecast_that_is_too_short_is_refused() -> None:
    with pytest.raises(SpecError, match="predictions 4 steps ahead; the forecast has 3"):
        Prediction(steps=4)(forecast())


def naive_variance(samples: np.ndarray) -> float:
    deviation = [np.sqrt(column.var(ddof=1) + 1e-4) for column in samples.T]
    return float(np.mean([max(0.0, 1.0 - d) for d in deviation]))


def naive_covariance(samples: np.ndarray) -> float:
    matrix = np.cov(samples.T)
    return float(np.mean([matrix[i, j] ** 2 for i in range(SIZE) for j in range(SIZE) if i != j]))


@pytest.mark.parametrize("frames", [(0, None), (0, 2), (1, None)])
def test_variance_and_covariance_match_a_naive_implementation(frames: tuple[int, int | None]) -> None:
    made = forecast()
    latents = made.latents.detach().numpy()[:, slice(*frames)] * 0.7
    made = Forecast(made.latents.detach() * 0.7, made.targets, made.actions, made.predictions)
    groups = {
        "batch": [latents[:, t] for t in range(latents.shape[1])],
        "time": [latents[b] for b in range(BATCH)],
        "pooled": [latents.reshape(-1, SIZE)],
    }
    for over, samples in groups.items():
        variance = np.mean([naive_variance(group) for group in samples])
        covariance = np.mean([naive_covariance(group) for group in samples])
        assert value(Variance(over=over, frames=frames), made) == pytest.approx(variance, rel=1e-9)
        assert value(Covariance(over=over, frames=frames), made) == pytest.approx(covariance, rel=1e-9)
        both = VICReg(variance=25.0, covariance=2.0, over=over, frames=frames)
        assert value(both, made) == pytest.approx(25 * variance + 2 * covariance, rel=1e-9)


def test_the_covariance_of_the_paper_is_larger_by_the_off_diagonals_of_a_channel() -> None:
    made = forecast()
    samples = made.latents.detach().numpy().reshape(-1, SIZE)
    centred = samples - samples.mean(0)
    matrix = centred.T @ centred / (len(samples) - 1)
    paper = (np.sum(matrix**2) - np.sum(np.diag(matrix) ** 2)) / SIZE
    assert paper / value(Covariance(over="pooled"), made) == pytest.approx(SIZE - 1, rel=1e-9)


def test_one_sample_has_no_variance() -> None:
    with pytest.raises(SpecError, match="needs two samples over batch; got 1"):
        Variance()(Forecast(torch.zeros(1, 3, 2), torch.zeros(1, 3, 2), torch.zeros(1, 2, 1), ()))


def test_time_similarity_and_straightening_match_a_naive_implementation() -> None:
    made = forecast()
    latents = made.latents.detach().numpy()
    change = latents[:, 1:] - latents[:, :-1]
    assert value(TimeSimilarity(), made) == pytest.approx((change**2).mean(), rel=1e-12)
    cosines = [
        change[b, t] @ change[b, t + 1] / np.linalg.norm(change[b, t]) / np.linalg.norm(change[b, t + 1])
        for b in range(BATCH)
        for t in range(TIME - 2)
    ]
    assert value(Straightening(), made) == pytest.approx(1 - np.mean(cosines), rel=1e-9)


def test_a_straight_line_is_straight_and_a_walk_to_and_fro_is_not() -> None:
    steps = torch.arange(6.0)[None, :, None] * torch.tensor([1.0, -2.0, 0.5])
    line = Forecast(steps, steps, torch.zeros(1, 5, 1), ())
    assert value(Straightening(), line) == pytest.approx(0.0, abs=1e-6)
    to_and_fro = Forecast(torch.tensor([0.0, 1, 0, 1, 0, 1])[None, :, None], steps, torch.zeros(1, 5, 1), ())
    assert value(Straightening(), to_and_fro) == pytest.approx(2.0, abs=1e-6)
    with pytest.raises(SpecError, match="at least 3"):
        Straightening()(Forecast(steps[:, :2], steps, torch.zeros(1, 1, 1), ()))


def test_inverse_dynamics_reads_the_action_between_two_latents() -> None:
    made = forecast(dtype=torch.float32)
    objective = InverseDynamics(hidden=())
    with pytest.raises(ConfigError, match=r"objective\.prepare"):
        objective(made)
    objective.prepare(SIZE, ACTION)
    layer = objective.head.layers[0]
    weight, bias = layer.weight.detach().numpy(), layer.bias.detach().numpy()
    latents, actions = made.latents.detach().numpy(), made.actions.numpy()
    errors = [
        (np.concatenate([latents[b, t], latents[b, t + 1]]) @ weight.T + bias - actions[b, t]) ** 2
        for b in range(BATCH)
        for t in range(TIME - 1)
    ]
    assert value(objective, made) == pytest.approx(np.mean(errors), rel=1e-5)
    objective.prepare(SIZE, ACTION)
    assert objective.head.layers[0] is layer, "a head that exists, perhaps trained, stays"


@pytest.mark.parametrize(
    "objective",
    [
        Prediction(steps=2),
        Prediction(distance="smooth_l1"),
        Variance(),
        Covariance(over="pooled"),
        Variance(over="time", frames=(1, None)),
        Covariance(over="time"),
        TimeSimilarity(),
        Straightening(),
        InverseDynamics(),
    ],
    ids=lambda objective: objective.name,
)
def test_gradients(objective: Objective) -> None:
    made = forecast()
    objective.prepare(SIZE, ACTION)
    objective.double()

    def loss(latents: torch.Tensor, targets: torch.Tensor, *predictions: torch.Tensor) -> torch.Tensor:
        return objective(Forecast(latents * 0.6, targets, made.actions, predictions)).total

    assert torch.autograd.gradcheck(loss, (made.latents, made.targets, *made.predictions))


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10_000), shift=st.floats(-3, 3), scale=st.floats(0.1, 3))
def test_moments_ignore_location_and_the_order_of_samples(seed: int, shift: float, scale: float) -> None:
    made = forecast(seed)
    latents = made.latents.detach() * scale
    order = torch.randperm(BATCH, generator=torch.Generator().manual_seed(seed))
    for term in (Variance(), Covariance(), Variance(over="pooled"), Covariance(over="time")):
        plain = value(term, Forecast(latents, made.targets, made.actions, ()))
        moved = value(term, Forecast(latents[order] + shift, made.targets, made.actions, ()))
        assert moved == pytest.approx(plain, rel=1e-6, abs=1e-9)
        assert plain >= 0
