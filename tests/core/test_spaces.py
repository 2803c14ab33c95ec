"""Action spaces: what they sample, project and contain."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from tacit.types import Box, Discrete

SPACES = [Box((-1.0, 0.1, 3.0), (0.5, 0.7, 3.0)), Discrete(4)]


@pytest.mark.parametrize("space", SPACES, ids=repr)
def test_samples_are_inside_and_spread_over_the_space(space):
    actions = space.sample(np.random.default_rng(0), (500, 2))
    assert actions.shape == (500, 2, space.size) and actions.dtype == np.float32
    assert space.contains(actions).all()
    np.testing.assert_array_equal(space.project(actions), actions)
    mean = actions.mean(axis=(0, 1))
    expected = (np.array(space.low) + space.high) / 2 if isinstance(space, Box) else np.full(4, 0.25)
    np.testing.assert_allclose(mean, expected, atol=0.06)
    assert space.sample(np.random.default_rng(0)).shape == (space.size,)


@given(st.lists(st.floats(-1e6, 1e6, width=32), min_size=3, max_size=3))
def test_a_projection_is_the_nearest_action_of_the_box(values):
    space, actions = SPACES[0], np.array([values], np.float32)
    projected = space.project(actions)
    assert space.contains(projected).all()
    np.testing.assert_allclose(projected, np.clip(actions, space.low, space.high), rtol=1e-6)
    exact = projected[0].astype(np.float64)
    assert ((exact >= space.low) & (exact <= space.high))[:2].all(), "no float32 outside by a bit"
    assert torch.equal(space.project(torch.from_numpy(actions)), torch.from_numpy(projected))


def test_a_projection_onto_choices_is_the_largest_entry():
    rows = torch.tensor([[0.2, 0.9, 0.1, 0.0], [-3.0, -2.0, -5.0, -9.0]])
    assert Discrete(4).project(rows).tolist() == [[0, 1, 0, 0], [0, 1, 0, 0]]
    assert not Discrete(4).contains(rows.numpy()).any()
    assert not SPACES[0].contains(np.array([[0.0, 0.8, 3.0], [np.nan, 0.5, 3.0]], np.float32)).any()
