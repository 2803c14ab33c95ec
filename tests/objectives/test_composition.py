"""How terms add up."""

import pytest
import torch

from tacit import objectives
from tacit.errors import ConfigError
from tacit.objectives import InverseDynamics, Objective, Prediction, SIGReg, Term, TimeSimilarity, VICReg
from tacit.types import FlowForecast, Forecast, ForecastRequest, MaskedForecast, ViewEmbeddings
from tacit.types.outcomes import Outcome


class Constant(Term):
    def __init__(self, value: float, name: str = "constant") -> None:
        super().__init__(name)
        self.value = value

    def loss(self, forecast: Forecast, _seed: int, /) -> torch.Tensor:
        return self.value * forecast.latents.mean()


@pytest.fixture
def forecast() -> Forecast:
    latents = torch.ones(2, 3, 4, requires_grad=True)
    return Forecast(latents, latents, torch.zeros(2, 2, 1), (latents[:, :2], latents[:, :1]))


def test_every_term_is_reported_before_and_after_weighting(forecast: Forecast) -> None:
    losses = (Constant(2.0, "a") + 0.5 * (Constant(3.0, "b") + 10 * Constant(1.0, "c")))(forecast)
    assert {name: (loss.value.item(), loss.weight) for name, loss in losses.terms.items()} == {
        "a": (2.0, 1.0),
        "b": (3.0, 0.5),
        "c": (1.0, 5.0),
    }
    assert losses.total.item() == pytest.approx(2 + 1.5 + 5)


def test_a_term_of_weight_zero_is_reported_and_left_out(forecast: Forecast) -> None:
    losses = (Constant(2.0, "a") + 0.0 * Constant(float("nan"), "b"))(forecast)
    assert losses.total.item() == 2.0
    assert losses.terms["b"].value.isnan()
    assert not losses.terms["b"].value.requires_grad
    with pytest.raises(ConfigError, match="weight 0"):
        (0 * Constant(1.0))(forecast)


def test_names_are_unique() -> None:
    with pytest.raises(ConfigError, match="two terms are called 'sigreg'"):
        SIGReg() + SIGReg()
    assert [term.name for term, _ in (SIGReg() + SIGReg(name="moving")).terms()] == ["sigreg", "moving"]
    with pytest.raises(ConfigError, match="name of a term"):
        SIGReg(name="a.b")


@pytest.mark.parametrize("weight", [-1.0, float("nan"), float("inf")])
def test_impossible_weights_are_refused(weight: float) -> None:
    with pytest.raises(ConfigError, match="finite weight"):
        weight * SIGReg()


@pytest.mark.parametrize("other", [3, "x", None, True])
def test_only_objectives_add_and_only_numbers_scale(other: object) -> None:
    with pytest.raises(TypeError):
        SIGReg() + other
    if not isinstance(other, int) or isinstance(other, bool):
        with pytest.raises(TypeError):
            other * SIGReg()


def test_it_tells_the_model_how_far_to_predict() -> None:
    objective = Prediction(steps=4, starts="first") + VICReg() + TimeSimilarity()
    assert objective.request() == ForecastRequest(steps=4, starts="first")
    assert SIGReg().request() == ForecastRequest()
    assert (Prediction(steps=2) + Prediction(steps=5, name="far")).request().steps == 5
    with pytest.raises(ConfigError, match="agree on starts; got 'first' and 'every'"):
        Prediction(steps=4, starts="first") + Prediction(name="each")
    with pytest.raises(ConfigError, match="steps >= 1"):
        Prediction(steps=0)


def test_owned_parameters_are_found_and_seeded() -> None:
    def made() -> Objective:
        objective = Prediction() + 0.1 * InverseDynamics(hidden=(8,))
        torch.manual_seed(0)
        objective.prepare(4, 2)
        return objective

    first, second = dict(made().named_parameters()), dict(made().named_parameters())
    assert first and first.keys() == second.keys()
    assert all(name.startswith("parts.inverse_dynamics.head.") for name in first)
    assert all(torch.equal(first[name], second[name]) for name in first)


def test_it_describes_itself() -> None:
    assert (Prediction(steps=2) + 0.5 * Constant(2.0)).describe() == [
        {
            "term": "Prediction",
            "weight": 1.0,
            "name": "prediction",
            "steps": 2,
            "starts": "every",
            "distance": "mse",
            "stop_gradient": False,
        },
        {"term": "Constant", "weight": 0.5, "name": "constant", "value": 2.0},
    ]


def outcomes() -> tuple[torch.Tensor, dict[type, Outcome]]:
    """One of each kind that models give, and what all of their latents, predictions and flows come from."""
    draw = torch.Generator().manual_seed(0)
    source = torch.randn(6, 16, 4, generator=draw, requires_grad=True)
    targets, told = torch.randn(6, 16, 4, generator=draw), 0.9 * source
    features = source.view(6, 2, 2, 4, 4)
    flow, images = 0.1 * features, torch.rand(6, 2, 1, 8, 8, generator=draw)
    full = flow.repeat_interleave(2, 3).repeat_interleave(2, 4)
    return source, {
        Forecast: Forecast(
            source, source, torch.zeros(6, 15, 2), (told[:, :15], told[:, :14]), told[:, :2], torch.tensor([0, 9])
        ),
        MaskedForecast: MaskedForecast(source, (told,), (targets,), (told,), (targets,), (torch.ones(6, 16),)),
        ViewEmbeddings: ViewEmbeddings(source, 2),
        FlowForecast: FlowForecast(source, 2, images, (features,), (flow,), full),
    }


@pytest.mark.parametrize("name", objectives.names())
def test_every_file_is_an_objective_with_defaults(name: str) -> None:
    objective = objectives.load(name)()
    assert isinstance(objective, Objective)
    objective.prepare(4, 2)
    kinds = [kind for kind in outcomes()[1] if all(kind in term.reads for term, _ in objective.terms())]
    assert kinds
    for kind in kinds:
        source, made = outcomes()
        losses = objective(made[kind], seed=1)
        losses.total.backward()
        assert source.grad is not None and source.grad.isfinite().all() and source.grad.abs().sum() > 0
        assert objective(made[kind], seed=1).total.item() == losses.total.item(), "the same seed, the same loss"
