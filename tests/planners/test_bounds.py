"""Bounds are honoured to the last bit, for any box, batch, horizon, hints and energies."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from planners.asking import ask
from tacit.planners import CEM, ICEM, MPPI, Gradient, RandomShooting
from tacit.planners._distributions import Bounds
from tacit.types import Box, Discrete

SMALL = [
    CEM(samples=12, iterations=3, elites=4),
    CEM(samples=5, iterations=2, elites=1, min_std=0.0, mean_momentum=0.3, std_momentum=0.6, result="mean"),
    ICEM(samples=12, iterations=3, elites=4),
    MPPI(samples=12, iterations=3),
    Gradient(starts=3, iterations=4, learning_rate=0.5),
    RandomShooting(samples=12),
]
bound = st.floats(-1e4, 1e4).map(lambda value: round(value, 4))


@st.composite
def boxes(draw):
    size = draw(st.integers(1, 4))
    pairs = [sorted((draw(bound), draw(bound))) for _ in range(size)]
    pairs = [(low, low) if draw(st.booleans()) else (low, high) for low, high in pairs]
    return Box(tuple(low for low, _ in pairs), tuple(high for _, high in pairs))


def inside(space, actions):
    low, high = np.array(space.low), np.array(space.high)
    values = actions.double().numpy()
    return np.where(low == high, values == low.astype(np.float32), (values >= low) & (values <= high)).all()


@pytest.mark.parametrize("planner", SMALL, ids=lambda planner: type(planner).__name__)
@given(
    space=boxes(),
    batch=st.integers(1, 5),
    horizon=st.integers(1, 4),
    seed=st.integers(0, 2**31),
    bad=st.sampled_from([torch.nan, torch.inf, -torch.inf, 0.0]),
    hint=st.sampled_from([None, -1e9, 0.0, 0.3]),
)
@settings(max_examples=25, deadline=None)
def test_everything_stays_in_the_box(planner, space, batch, horizon, seed, bad, hint):
    noise = torch.Generator().manual_seed(seed)

    def score(actions):
        assert inside(space, actions.detach())
        energies = torch.rand(actions.shape[:2], generator=noise) + 1e-6 * actions.square().sum(dim=(2, 3))
        spoilt = torch.rand(energies.shape, generator=noise) < 0.5
        spoilt[:, 0] = False
        return torch.where(spoilt, bad, energies)

    hints = None if hint is None else torch.full((batch, horizon, space.size), hint)
    plan = ask(
        planner,
        score,
        space,
        horizon=horizon,
        batch=batch,
        seed=seed,
        warm_start=hints,
        proposals=None if hints is None else hints[:, None].repeat(1, 2, 1, 1),
    )
    assert plan.actions.shape == (batch, horizon, space.size)
    assert inside(space, plan.actions)
    assert plan.energy.isfinite().all()
    for entry in plan.trace:
        assert inside(space, entry.elite) or isinstance(planner, Gradient)
        assert entry.spread.isfinite().all()
        assert (entry.spread >= 0).all()


@given(choices=st.integers(2, 6), batch=st.integers(1, 5), horizon=st.integers(1, 4), seed=st.integers(0, 2**31))
@settings(max_examples=25, deadline=None)
@pytest.mark.parametrize("planner", [CEM(samples=12, iterations=3, elites=4, result="mean"), RandomShooting(samples=9)])
def test_discrete_actions_are_one_hot(planner, choices, batch, horizon, seed):
    def score(actions):
        assert (actions.sum(dim=-1) == 1).all()
        assert ((actions == 0) | (actions == 1)).all()
        return actions[..., 0].sum(dim=-1)

    plan = ask(planner, score, Discrete(choices), horizon=horizon, batch=batch, seed=seed)
    assert (plan.actions.sum(dim=-1) == 1).all()


def test_bounds_round_inwards():
    bounds = Bounds.of(Box((0.1, -0.1, 0.1), (0.7, 0.3, 0.1)), torch.device("cpu"))
    assert float(bounds.low[0]) >= 0.1 > float(torch.nextafter(bounds.low[0], torch.tensor(-1.0)))
    assert float(bounds.high[1]) <= 0.3 < float(torch.nextafter(bounds.high[1], torch.tensor(1.0)))
    assert bounds.low[2] == bounds.high[2] == torch.tensor(0.1)
