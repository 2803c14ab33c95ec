"""Recordings that an agent takes proposals from."""

import pytest
import torch
from tests.training.test_goal_policy import model, walks

from tacit.errors import ConfigError
from tacit.training import record_proposals


@pytest.mark.parametrize("frameskip", [1, 3])
def test_recordings_are_latents_and_the_blocks_between_them(frameskip: int) -> None:
    clips = walks(5, 14).clips(2, frameskip)
    found = record_proposals(model(frameskip), clips, horizon=3, count=20, seed=0)
    assert found.latents.shape == (20, 4, 2) and found.blocks.shape == (20, 3, 2 * frameskip)
    steps = found.blocks.unflatten(-1, (frameskip, 2)).sum(dim=2)
    torch.testing.assert_close(found.latents[:, 1:] - found.latents[:, :-1], steps, rtol=1e-3, atol=1e-3)
    assert len(found.latents[:, 0].unique(dim=0)) == 20
    everything = record_proposals(model(frameskip), clips, horizon=3, count=10**5, seed=0)
    assert len(everything.blocks) == 5 * (14 - 3 * frameskip)


def test_what_does_not_fit_is_refused() -> None:
    clips = walks(2, 10).clips(2)
    with pytest.raises(ConfigError, match="frameskip=3"):
        record_proposals(model(3), clips, horizon=1, seed=0)
    with pytest.raises(ConfigError, match="count >= 1"):
        record_proposals(model(1), clips, horizon=1, count=0, seed=0)
    with pytest.raises(ConfigError, match="no episode has 10 whole blocks"):
        record_proposals(model(1), clips, horizon=10, seed=0)
