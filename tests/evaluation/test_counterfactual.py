"""Counterfactual queries and interventions, with a model whose dynamics are right."""

import numpy as np
import pytest
import torch

from probing.exact import Exact, recordings
from tacit.errors import ConfigError, SpecError
from tacit.evaluation.counterfactual import (
    Interventions,
    cause_and_effect,
    counterfactual,
    recorded_counterfactual,
)
from tacit.nn.readout import LinearReadout
from tacit.testing.worlds import LineWorld

POSITION = LinearReadout("position", torch.eye(1), torch.zeros(1), (0.0,), (1.0,))
BOTH = LinearReadout("both", 2 * torch.eye(2), torch.ones(2), (0.0, 0.0), (1.0, 1.0))


def test_equal_actions_have_no_effect():
    seen, actions = {"vector": np.ones((3, 3), np.float32)}, np.random.default_rng(0).normal(size=(3, 4, 2))
    found = counterfactual(Exact(), seen, actions, actions, readouts=(BOTH,))
    assert found.difference.shape == (3, 4, 2) and not found.difference.any() and not found.effect("both").any()


def test_the_effect_is_the_sum_of_the_differences_of_actions():
    rng = np.random.default_rng(1)
    seen, executed, other = {"vector": rng.normal(size=(5, 3))}, *rng.normal(size=(2, 5, 4, 2))
    found = counterfactual(Exact(), seen, executed, other, readouts=(BOTH,))
    expected = (other - executed).cumsum(axis=1)
    np.testing.assert_allclose(found.difference, expected, atol=1e-5)
    np.testing.assert_allclose(found.effect("both"), 2 * expected, atol=1e-5)
    np.testing.assert_allclose(found.executed[:, 0], seen["vector"][:, :2] + executed[:, 0], atol=1e-5)


@pytest.mark.parametrize(("frameskip", "history"), [(1, 1), (2, 3)])
def test_a_recorded_step_is_branched(frameskip, history):
    episode = recordings(1, length=12)[0]
    model, step = Exact(frameskip=frameskip, history=history), 6
    other = np.zeros((2, 2 * frameskip), np.float32)
    found = recorded_counterfactual(model, episode, step, other)
    position = episode.observation["vector"][:, :2]
    np.testing.assert_allclose(found.executed[0], position[step + frameskip :: frameskip][:2], atol=1e-5)
    np.testing.assert_allclose(found.other[0], position[[step, step]], atol=1e-5)


def interventions(count=40, steps=3):
    rng = np.random.default_rng(2)
    executed, other = rng.choice([-1.0, 1.0], (2, count, 1, 1)).repeat(steps, axis=2).astype(np.float32)
    return Interventions({"x": rng.uniform(4, 6, (count, 1))}, executed, other)


class Line(Exact):
    """The first distance of a line world is its position."""

    def __init__(self, gain=1.0):
        super().__init__(size=1, gain=gain)


def test_a_model_that_is_right_has_no_error_and_every_pair_right():
    pairs = interventions()
    found = cause_and_effect(Line(), LineWorld(), pairs, POSITION, smallest=1.0)
    assert found.error.mean < 1e-5 and found.right.rate == 1 and found.gain > 1e4
    assert found.copy_last.mean == pytest.approx(3.0)  # three steps of 1
    others = np.roll(pairs.executed, 1, axis=0), np.roll(pairs.other, 1, axis=0)
    wrong = [np.abs((one - two).sum(axis=1)) for one, two in zip(others, (pairs.executed, pairs.other), strict=True)]
    assert found.shuffled_actions.mean == pytest.approx(np.mean(wrong), rel=1e-5)
    moved = pairs.other[:, :, 0].sum(axis=1) - pairs.executed[:, :, 0].sum(axis=1)
    assert found.effect == pytest.approx(np.abs(moved).mean(), rel=1e-5)


def test_a_model_without_actions_is_as_good_as_a_copy_and_right_only_without_effect():
    pairs = interventions()
    found = cause_and_effect(Line(gain=0.0), LineWorld(), pairs, POSITION, smallest=1.0)
    assert found.error.mean == pytest.approx(found.copy_last.mean) and found.gain == pytest.approx(1)
    same = (pairs.executed == pairs.other).all(axis=(1, 2)).mean()
    assert found.right.rate == 0  # the outcomes are 3 away from the true ones
    loose = cause_and_effect(Line(gain=0.0), LineWorld(), pairs, POSITION, smallest=6.5)
    assert loose.right.rate == pytest.approx(same) and 0 < same < 1


def test_an_effect_of_wrong_outcomes_is_not_right():
    class Shifted(Line):
        def encode(self, observation):
            return super().encode(observation) + 5

    found = cause_and_effect(Shifted(), LineWorld(), interventions(), POSITION, smallest=1.0)
    assert found.error.mean == pytest.approx(5, rel=1e-4) and found.right.rate == 0


@pytest.mark.parametrize(("gain", "right"), [(0.6, True), (0.4, False), (1.4, True), (1.6, False), (-1.0, False)])
def test_right_is_within_half_of_the_effect(gain, right):
    pairs = interventions()
    opposite = Interventions(pairs.start, pairs.executed, -pairs.executed)
    found = cause_and_effect(Line(gain=gain), LineWorld(), opposite, POSITION, smallest=1.0)
    assert found.right.rate == float(right)


def test_bad_input_is_refused():
    seen = {"vector": np.ones((3, 3), np.float32)}
    with pytest.raises(SpecError, match=r"one shape \[B, H, A'\].*\[3, 4, 2\] and \[3, 5, 2\]"):
        counterfactual(Exact(), seen, np.zeros((3, 4, 2)), np.zeros((3, 5, 2)))
    found = counterfactual(Exact(), seen, np.zeros((3, 4, 2)), np.zeros((3, 4, 2)), readouts=(BOTH,))
    with pytest.raises(ConfigError, match="Did you mean 'both'"):
        found.effect("boht")
    with pytest.raises(ConfigError, match="can start at steps 0 to 8; got step=9"):
        recorded_counterfactual(Exact(), recordings(1, length=12)[0], 9, np.zeros((3, 2)))
    pairs = interventions()
    with pytest.raises(ConfigError, match="one shape"):
        Interventions(pairs.start, pairs.executed, pairs.other[:, :2])
    with pytest.raises(ConfigError, match="two pairs"):
        Interventions({"x": np.zeros((1, 1))}, pairs.executed[:1], pairs.other[:1])
    with pytest.raises(ConfigError, match="smallest > 0"):
        cause_and_effect(Line(), LineWorld(), pairs, POSITION, smallest=0.0)
    wrong = LinearReadout("positon", torch.eye(1), torch.zeros(1), (0.0,), (1.0,))
    with pytest.raises(ConfigError, match="Did you mean 'position'"):
        cause_and_effect(Line(), LineWorld(), pairs, wrong, smallest=1.0)
