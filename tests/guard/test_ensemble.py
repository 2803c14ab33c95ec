"""Training of an ensemble in a world whose answer is known."""

from dataclasses import replace

import numpy as np
import pytest

from tacit.errors import ConfigError
from tacit.guard import Recording
from tacit.testing.guard import sensed
from tacit.training import train_ensemble
from tacit.types import Context


def recording(count=60):
    """Return episodes of points near 0 whose blocks move them."""
    draw = np.random.default_rng(0)
    blocks = draw.uniform(-1, 1, (count, 9, 2)).astype(np.float32)
    latents = np.concatenate([draw.normal(size=(count, 1, 2)), 0.2 * blocks], axis=1).cumsum(axis=1)
    latents[0, 5:], blocks[0, 4:] = np.nan, np.nan
    return Recording(latents.astype(np.float32), blocks)


def test_members_agree_where_they_had_data_and_not_elsewhere():
    ensemble = train_ensemble(recording(), steps=300, seed=0)
    usual = sensed(latent=2, block=2)
    block = np.clip(usual.block, -1, 1)
    near = replace(usual, block=block, before=Context(np.zeros((4, 1, 2), np.float32)))
    far = replace(near, before=Context(np.full((4, 1, 2), 8.0, np.float32)))
    assert ensemble(near).max() < 1e-2
    assert ensemble(far).min() > 3 * ensemble(near).max()
    again = train_ensemble(recording(), steps=300, seed=0)
    np.testing.assert_array_equal(again(far), ensemble(far))
    active = np.maximum(np.concatenate([np.zeros((4, 2)), block], axis=1) - ensemble.mean, -np.inf) / ensemble.std
    member = np.maximum(active @ ensemble.hidden[0] + ensemble.hidden_bias[0], 0) @ ensemble.output[0]
    np.testing.assert_allclose(member + ensemble.output_bias[0], 0.2 * block, atol=0.1)


def test_wrong_options_are_refused():
    with pytest.raises(ConfigError, match="members >= 2"):
        train_ensemble(recording(), steps=1, seed=0, members=1)
    with pytest.raises(ConfigError, match="no option"):
        train_ensemble(recording(), steps=1, seed=0, member=3)
    with pytest.raises(ConfigError, match="steps >= 1"):
        train_ensemble(recording(), steps=0, seed=0)
