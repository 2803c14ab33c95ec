"""Reports on models next to recorded states: encoders with known maps, and laws of states with known moments."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch

import tacit as tc
from tacit.identification import advise, gaussian_coverage, identify, state_law
from tacit.types import Box, Episode, Modality, Spec

RHO = 0.8
TURN = torch.linalg.qr(torch.randn(5, 5, generator=torch.Generator().manual_seed(0)))[0]


def ornstein(steps, size, rng, draw=None):
    """States of a stationary Ornstein-Uhlenbeck process."""
    states = [rng.standard_normal(size)]
    for _ in range(steps - 1):
        states.append(RHO * states[-1] + np.sqrt(1 - RHO**2) * rng.standard_normal(size))
    return np.stack(states)


def episodes(count=40, steps=60, change=lambda states, number: states, seed=0):
    """Episodes that observe two numbers and label them as the position, next to a class."""
    rng, found = np.random.default_rng(seed), []
    for number in range(count):
        states = change(ornstein(steps, 2, rng), number).astype(np.float32)
        labels = {"position": states, "room": np.full(steps, number % 2)}
        found.append(Episode({"sensor": states}, np.zeros((steps - 1, 1), np.float32), labels=labels))
    return tc.data.from_episodes(found, Spec({"sensor": Modality("vector", (2,))}, Box((-1.0,), (1.0,))))


class Encoder(torch.nn.Module):
    """Encoder whose latents are a known function of what it observes."""

    def __init__(self, function):
        super().__init__()
        self.function = function
        self.config = SimpleNamespace(inputs=("sensor",), frameskip=1)

    def encode(self, observation):
        return self.function(torch.as_tensor(observation["sensor"]).float())


def report(function, data=None, **options):
    fit_on, test_on = (data or episodes()).split(0.5, seed=0)
    return identify(Encoder(function), fit_on=fit_on, test_on=test_on, targets=("position",), progress=False, **options)


def test_a_rotation_of_the_state_is_identified():
    found = report(lambda z: 3.0 * z @ TURN[:2] + 1.0)
    assert found.r2_states == pytest.approx(1, abs=1e-5)
    assert found.r2_latents == pytest.approx(1, abs=1e-5)
    assert found.orthogonality == pytest.approx(0, abs=0.1)  # recorded states are white only up to sampling error
    assert [one.name for one in found.variables] == ["position[0]", "position[1]"]
    assert sum(one.latents_r2 for one in found.variables) == pytest.approx(1, abs=0.1)
    assert found.latent_size == 5
    assert len(found.advice) == 1
    assert "linear in the latents" in found.advice[0]
    assert "position[1]" in str(found)


def test_a_variable_that_the_latents_lack_is_found():
    found = report(lambda z: torch.stack([z[:, 0], z[:, 0] ** 2], dim=1))
    first, second = found.variables
    assert first.r2 == pytest.approx(1, abs=1e-4)
    assert second.r2 < 0.05
    assert second.latents_r2 < 0.05
    assert found.r2_states == pytest.approx(0.5, abs=0.1)
    assert found.orthogonality > 0.9
    assert "training" in found.advice[0]


def test_a_bent_map_is_less_linear_in_both_directions():
    found = report(lambda z: torch.stack([z[:, 0].sin(), z[:, 1]], dim=1), episodes(300))
    common, variance = np.exp(-1), (1 - np.exp(-2)) / 2  # Cov(z, sin z)^2 and Var(sin z) of a Gaussian
    assert found.variables[0].r2 == pytest.approx(common / variance, abs=0.05)
    assert found.r2_latents == pytest.approx((common + 1) / (variance + 1), abs=0.05)


def test_stretched_states_are_compared_without_their_units():
    unit = torch.tensor([1.0, 50.0])
    found = report(lambda z: z / unit, episodes(change=lambda z, _: z * unit.numpy()))
    assert found.r2_states == pytest.approx(1, abs=1e-5)
    assert found.orthogonality < 0.15


def test_states_are_chosen_by_name():
    fit_on, test_on = episodes(8).split(0.5, seed=0)
    model = Encoder(lambda z: z)
    found = identify(model, fit_on=fit_on, test_on=test_on, progress=False)
    assert {one.name for one in found.variables} == {f"{name}[{i}]" for name in ("position", "sensor") for i in (0, 1)}
    with pytest.raises(tc.errors.ConfigError, match="Did you mean 'position'"):
        identify(model, fit_on=fit_on, test_on=test_on, targets=("positon",))
    with pytest.raises(tc.errors.ConfigError, match="no state 'room' in floating-point"):
        identify(model, fit_on=fit_on, test_on=test_on, targets=("room",))
    with pytest.raises(tc.errors.DataError, match=r"also fitted on.*split"):
        identify(model, fit_on=fit_on, test_on=fit_on)
    with pytest.raises(tc.errors.DataError, match="more observations than that; got 6"):
        identify(Encoder(lambda z: z @ torch.ones(2, 8)), fit_on=fit_on, test_on=test_on, frames=6)


def law(values, steps=100, names=("x", "y")):
    return state_law(names, values, np.repeat(np.arange(len(values) // steps), steps))


def test_the_law_of_gaussian_states_has_no_advice():
    rng = np.random.default_rng(0)
    found = law(np.concatenate([ornstein(100, 2, rng) for _ in range(400)]))
    for one in found.variables:
        assert one.kurtosis == pytest.approx(0, abs=0.2)
        assert one.coverage > 0.97
        assert sum(one.shares) == pytest.approx(1)
        assert one.rho == pytest.approx(RHO, abs=0.02)
    assert found.correlation < 0.1
    assert advise(found) == ()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda z, rng: np.stack([z[:, 0], np.zeros(len(z))], 1), "y does not vary"),
        (lambda z, rng: np.stack([z[:, 0] ** 3, z[:, 1]], 1), "x stays near its mean"),
        (lambda z, rng: np.stack([z[:, 0], np.tanh(3 * z[:, 1])], 1), "y is spread evenly"),
        (lambda z, rng: np.stack([np.exp(-z[:, 0]), z[:, 1]], 1), "x is lopsided"),
        (lambda z, rng: np.stack([z[:, 0], z[:, 0] + z[:, 1]], 1), "x and y are correlated (0.7"),
        (lambda z, rng: np.stack([z[:, 0], rng.standard_normal(len(z))], 1), "y is nearly independent"),
        (lambda z, rng: np.stack([z[:, 0], np.repeat(rng.standard_normal(len(z) // 100), 100)], 1), "y hardly changes"),
    ],
)
def test_advice_names_the_variable_and_what_to_record(change, words):
    rng = np.random.default_rng(0)
    states = np.concatenate([ornstein(100, 2, rng) for _ in range(400)])
    found = [sentence for sentence in advise(law(change(states, rng))) if words in sentence]
    assert len(found) == 1


def test_advice_on_variables_that_move_at_different_rates():
    rng = np.random.default_rng(0)
    fast = np.concatenate([ornstein(100, 1, rng) for _ in range(400)])
    slow = np.concatenate([ornstein(300, 1, rng)[::3][:100] for _ in range(400)])
    (sentence,) = advise(law(np.concatenate([fast, slow], axis=1)))
    assert sentence.startswith("y changes faster than x")


def test_pairs_stay_within_episodes():
    values = np.repeat(np.random.default_rng(0).standard_normal((50, 1)), 2, axis=0)
    assert law(values, 2, ("x",)).variables[0].rho == pytest.approx(1)
    assert np.isnan(law(values, 1, ("x",)).variables[0].rho)


def test_coverage_is_the_overlap_with_a_gaussian():
    rng = np.random.default_rng(0)
    share, shares = gaussian_coverage(rng.standard_normal(50_000))
    assert share > 0.98
    assert shares == pytest.approx([0.1] * 10, abs=0.01)
    two, _ = gaussian_coverage(rng.choice([-1.0, 1.0], 1000))
    assert two == pytest.approx(0.2)


@pytest.mark.parametrize(
    ("states", "message"),
    [
        (np.ones((10, 2)), "no state variable varies: x, y"),
        (np.ones((10, 3)), r"states \[N, 2\] for 2 names"),
        (np.full((10, 2), np.nan), "not finite"),
    ],
)
def test_wrong_states_are_refused(states, message):
    with pytest.raises(tc.errors.DataError, match=message):
        law(states, 5)
