"""Entries from recorded episodes: every run of whole blocks, with its place."""

import numpy as np
import pytest

import tacit as tc
from tacit.errors import SpecError


def recording():
    """Two episodes of 5 and 3 boundaries; a latent says episode and boundary, a block its start and end."""
    latents = np.array([[[e, t] for t in range(5)] for e in range(2)], np.float32)
    blocks = np.array([[[10 * e + t, t + 1] for t in range(4)] for e in range(2)], np.float32)
    latents[1, 3:], blocks[1, 2:] = np.nan, np.nan
    return latents, blocks


def test_windows_are_the_whole_runs_of_each_episode():
    found = tc.memory.windows(*recording(), 2, frameskip=5, outcomes=[1.0, 0.0], sources=3)
    assert found.episodes.tolist() == [0, 0, 0, 1]
    assert found.steps.tolist() == [0, 5, 10, 0]
    assert found.latents.tolist() == [[0, 0], [0, 1], [0, 2], [1, 0]]
    assert found.blocks[1].tolist() == [[1, 2], [2, 3]]
    assert found.blocks[3].tolist() == [[10, 1], [11, 2]]
    assert found.outcomes.tolist() == [1, 1, 1, 0]
    assert found.sources.tolist() == [3] * 4
    assert np.isnan(found.surprises).all()


@pytest.mark.parametrize("length", [0, 5, 9])
def test_lengths_without_a_run_are_refused(length):
    with pytest.raises(SpecError):
        tc.memory.windows(*recording(), length)


def test_shapes_that_do_not_fit_are_refused():
    latents, blocks = recording()
    with pytest.raises(SpecError, match="windows need"):
        tc.memory.windows(latents, blocks[:, 1:], 1)
