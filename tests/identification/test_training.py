"""Training of encoders in synthetic worlds, at sizes that take seconds."""

import numpy as np
import pytest
import torch

import tacit as tc
from tacit.identification import SyntheticWorld, WorldTraining, identify_world, train_encoder
from tacit.identification.training import encode_states
from tacit.types import ViewEmbeddings

FAST = WorldTraining(steps=300, batch=64, hidden=(48, 48), slices=16, weight=0.01)


def test_training_identifies_the_states_of_a_gaussian_world():
    world = SyntheticWorld("banana")
    first = train_encoder(world, WorldTraining(steps=1, hidden=(48, 48)), seed=3)
    states, _ = world.pairs(4000, np.random.default_rng(0))
    before = tc.identification.linear_r2(encode_states(first, world, states), states)
    found = identify_world(world, FAST, seed=3, rows=4000, progress=False)
    assert before < 0.85 < 0.93 < found.scores.r2_states
    assert found.scores.bound.holds
    assert found.states.shape == found.latents.shape == (4000, 2)
    assert "linear R2" in str(found)


def test_a_training_is_a_function_of_its_seed_and_leaves_the_global_one():
    world, short = SyntheticWorld("spiral"), WorldTraining(steps=3, hidden=(8,))
    torch.manual_seed(5)
    before = torch.random.get_rng_state()
    first, again, other = (train_encoder(world, short, seed).state_dict() for seed in (1, 1, 2))
    assert torch.equal(before, torch.random.get_rng_state())
    assert all(torch.equal(first[name], again[name]) for name in first)
    assert not all(torch.equal(first[name], other[name]) for name in first)


def test_the_objective_has_the_weights_of_the_paper():
    latents = torch.randn(64, 2, 3, generator=torch.Generator().manual_seed(0))
    views = ViewEmbeddings(latents, 2)
    gap = float((latents - latents.mean(dim=1, keepdim=True)).square().mean())
    flat = latents.reshape(-1, 3)
    covariance = np.cov(flat.numpy(), rowvar=False, bias=True)
    losses = WorldTraining("whitening", warmup=0.0).objective()(views)
    assert float(losses.total) == pytest.approx(0.5 * np.square(covariance - np.eye(3)).mean() + 0.5 * gap, rel=1e-4)
    losses = WorldTraining(weight=1e-3, slices=32, warmup=0.5).objective()(views, seed=7)
    spread = float(tc.objectives.SIGReg(32, over="pooled").loss(views, 7))
    assert float(losses.total) == pytest.approx(1e-3 * spread + 0.999 * gap, rel=1e-4)
    early = WorldTraining(weight=1e-3, slices=32, warmup=0.5).objective()(views, seed=7, done=0.25)
    assert float(early.total) == pytest.approx(5e-4 * spread + 0.999 * gap, rel=1e-4)


def test_whitening_is_a_regulariser_too():
    found = identify_world(
        SyntheticWorld("sinusoid"), WorldTraining("whitening", steps=150, hidden=(32, 32)), rows=2000, progress=False
    )
    assert found.scores.bound.epsilon < 0.3
    assert found.scores.bound.holds


def test_a_training_that_diverges_is_stopped():
    with pytest.raises(tc.errors.TrainingError, match="not finite at step"):
        train_encoder(SyntheticWorld("banana"), WorldTraining(steps=30, lr=1e30, hidden=(8,)))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"regulariser": "vicreg"}, "one of sigreg, whitening"),
        ({"weight": 1.0}, "between 0 and 1; got 1.0"),
        ({"warmup": 1.5}, "from 0 to 1; got 1.5"),
        ({"views": 1}, "2 views"),
        ({"hidden": (0,)}, "hidden widths of at least 1"),
    ],
)
def test_wrong_options_are_refused(options, message):
    with pytest.raises(tc.errors.ConfigError, match=message):
        WorldTraining(**options)
