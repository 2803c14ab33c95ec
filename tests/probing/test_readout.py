"""Readouts that are kept: their weights, their error, and plans towards what they read."""

import numpy as np
import pytest
import torch

import tacit as tc
from probing.exact import Exact, recordings
from tacit.agent import Agent
from tacit.costs import Target
from tacit.errors import ConfigError, DataError
from tacit.planners import CEM
from tacit.probing import fit, probes
from tacit.probing.features import target_names


def labelled(vector, rng):
    """A linear function of the latent with noise of 0.1 on its second component."""
    angle = vector[:, :2] @ np.array([[2.0, 0.5], [-1.0, 1.0]]) + [3.0, -1.0]
    angle[:, 1] += rng.normal(0, 0.1, len(angle))
    return {"angle": angle.astype(np.float32), "kind": (vector[:, 0] > 0).astype(np.int64)}


def test_a_readout_finds_the_map_and_measures_its_error():
    readout = fit(Exact(), recordings(30, labels=labelled), "angle")
    np.testing.assert_allclose(readout.weight, [[2.0, 0.5], [-1.0, 1.0]], atol=0.02)
    np.testing.assert_allclose(readout.bias, [3.0, -1.0], atol=0.03)
    assert readout.error[0] < 0.01 and readout.error[1] == pytest.approx(0.1, rel=0.15)
    assert readout.r2[0] > 0.9999 and 0.99 < readout.r2[1] < 0.9999
    assert "held-out error" in str(readout)


def test_a_readout_is_the_linear_probe():
    train, held_out = recordings(30, labels=labelled).split(0.8, seed=0)
    readout = fit(Exact(), train, "angle", held_out=held_out)
    parts = [tc.probing.features(Exact(), episodes) for episodes in (train, held_out)]
    reading = probes.Linear()(*parts, "angle")
    np.testing.assert_allclose(readout(parts[1].values), reading.predicted, atol=0.02)
    np.testing.assert_allclose(readout.r2, reading.r2_components, atol=1e-3)


def test_an_agent_plans_towards_a_value_in_physical_units():
    episodes = recordings(20, labels=labelled)
    model = Exact(episodes.spec)
    readout = fit(model, episodes, "angle")
    agent = Agent(model, CEM(samples=100), Target(readout, (0.0, 2.0), reduce="sum"), horizon=3)
    position, state = np.zeros((1, 3), np.float32), agent.start(seed=0)
    for _ in range(8):
        action, _, state = agent.act(state, {"vector": position})
        position[:, :2] += action
    angle = position[0, :2] @ np.array([[2.0, 0.5], [-1.0, 1.0]]) + [3.0, -1.0]
    np.testing.assert_allclose(angle, [0.0, 2.0], atol=0.2)


def test_unsuitable_targets_raise():
    episodes = recordings(12, labels=labelled)
    with pytest.raises(ConfigError, match=r"angel.*Did you mean 'angle'"):
        fit(Exact(), episodes, "angel")
    with pytest.raises(ConfigError, match="classes"):
        fit(Exact(), episodes, "kind")
    with pytest.raises(DataError, match="also fitted on"):
        fit(Exact(), episodes, "angle", held_out=episodes[:3])
    with pytest.raises(DataError, match="two episodes"):
        fit(Exact(), episodes[:1], "angle")
    still = recordings(12, labels=lambda vector, rng: {"angle": np.ones((len(vector), 1), np.float32)})
    with pytest.raises(DataError, match="does not vary"):
        fit(Exact(), still, "angle")
    assert torch.is_tensor(fit(Exact(), episodes, "angle").weight)


def test_a_series_of_one_sample_a_step_is_a_target():
    def one(rate):
        spec = tc.Spec({"signal": tc.Modality("series", (2,), rate=rate)}, tc.Box((0.0,), (1.0,)), fps=1.0)
        samples = spec.samples("signal", 5)
        episode = tc.Episode({"signal": np.ones((samples, 2), np.float32)}, np.zeros((4, 1), np.float32))
        return tc.data.from_episodes([episode], spec)

    assert target_names(one(1.0)) == ("signal",)
    assert target_names(one(2.0)) == ()
