"""Latents that an acting agent records, in a world whose latent is the position."""

import numpy as np
import pytest

import tacit as tc
from tacit.embeddings import record_latents
from tacit.errors import ConfigError
from tacit.testing.worlds import LineWorld, PointModel


class LineModel(PointModel):
    """World model of the line: the latent is the position."""

    def __init__(self, world, frameskip):
        super().__init__(frameskip=frameskip, space=world.spec.action)
        self.spec = world.spec

    def encode(self, observation):
        return super().encode({"position": observation["vector"][:, :1]})


def test_latents_and_blocks_are_those_at_the_boundaries():
    world = LineWorld(budget=9, end_at=6.0)
    agent = tc.Agent(LineModel(world, 2), tc.planners.CEM(), tc.costs.Goal(), horizon=2)
    recording, trace = record_latents(agent, world, world.tasks(4, 0), 3)
    assert recording.latents.shape == (4, 4, 1)
    boundaries = np.arange(4) * 2
    lasting = boundaries < trace.lengths[:, None]
    np.testing.assert_allclose(
        recording.latents[..., 0], np.where(lasting, trace.labels["position"][:, boundaries, 0], np.nan), rtol=1e-5
    )
    assert not lasting.all()
    assert np.isnan(recording.blocks[~lasting[:, 1:]]).all()
    for step in range(3):
        executed = trace.actions[:, 2 * step : 2 * step + 2, 0]
        inside = lasting[:, step + 1]
        np.testing.assert_array_equal(recording.blocks[inside, step], executed[inside])
    with pytest.raises(ConfigError, match="one block of 2 steps or more; got 1 batches, and 1 steps"):
        record_latents(agent, world, world.tasks(4, 0), 3, steps=1)
    world.begin(world.tasks(2, 0).start)
    idle = tc.Agent(agent.model, tc.planners.CEM(), tc.costs.Effort(), horizon=2)
    with pytest.raises(ConfigError, match="got 2 batches"):
        record_latents(idle, world, 4, 3, steps=4)
